// Runs held-connections.ts in a network of its own whose packets are as long as Ethernet's. Over the usual loopback, with its
// packets of 64 KiB, the kernel gives a connection that sends 2.6 MB of buffer at once, which no network card would.
// Without the right to make a network (root, `unshare`, `ip`) it runs over the usual one, and says so.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { programPath } from '../common/child-program.ts';
import type { Effort, Measurement } from './measurement.ts';
import { missing } from './peers.ts';

const inOwnNetwork = ['unshare', '--net', 'sh', '-c', 'ip link set lo mtu 1500 up && exec "$0" "$@"'];

export async function benchConnections(effort: Effort): Promise<Measurement[]> {
  const absent = missing('nginx');
  if (absent !== undefined) return [{ name: 'connections held', skipped: absent }];
  const [unshare = '', ...options] = inOwnNetwork;
  const isOwn = spawnSync(unshare, [...options, 'true']).status === 0;
  const command = [process.execPath, programPath('bench/held-connections'), JSON.stringify(effort)];
  if (isOwn) command.unshift(...inOwnNetwork);
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`held-connections ended with ${code}`);
  const measurements = JSON.parse(said) as Measurement[];
  if (isOwn) return measurements;
  const reason = 'no right to make one; kernel memory of slow clients is that of loopback';
  return [{ name: 'a network of its own', skipped: reason }, ...measurements];
}
