// Peers and programs of ours for one benchmark: started in a folder of their own, measured by the system's accounting,
// gone afterwards. Linux only: CPU times are read from /proc.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { programPath, type ReadyLine } from '../common/child-program.ts';

/** A server that was started for a benchmark. */
export type Server = { readonly port: number; readonly pid: number; stop(): Promise<void> };

/** Where a program is; undefined when it is not installed. */
export function installed(program: string): string | undefined {
  const found = spawnSync('sh', ['-c', `command -v ${program} || ls /usr/sbin/${program} 2>/dev/null`]);
  const path = found.stdout.toString().trim().split('\n')[0];
  return path === undefined || path === '' ? undefined : path;
}

/** nginx as the design document on performance configures it: one worker, sendfile, keep-alive without end, no log. */
export async function startNginx(folder: string, locations: string, http = ''): Promise<Server> {
  const port = await freePort();
  const config = join(folder, `nginx-${port}.conf`);
  writeFileSync(
    config,
    `daemon off; user root; worker_processes 1; pid ${folder}/nginx-${port}.pid; error_log ${folder}/nginx-error.log;
events { worker_connections 8192; }
http {
  sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 300s; access_log off; ${http}
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port} backlog=4096; ${locations} }
}
`,
  );
  const child = spawn(installed('nginx') ?? 'nginx', ['-c', config, '-p', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await untilListening(port);
  return { port, pid: child.pid ?? 0, stop: () => stop(child) };
}

/** One of our programs, by its ready line. */
export async function startProgram(name: string, options: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, [programPath(name), ...options, '--exit-with-parent'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as ReadyLine;
  return { port: Number(ready.listen.split(':').at(-1)), pid: child.pid ?? 0, stop: () => stop(child) };
}

/** CPU time of a process and all its descendants so far, in seconds (user and system). */
export function cpuSeconds(pid: number): number {
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']).toString());
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      parents.set(Number(name), Number(fields[1]));
      ticks.set(Number(name), Number(fields[11]) + Number(fields[12]));
    } catch {
      // It ended while we looked: it is no longer of interest.
    }
  }
  const isOurs = (of: number): boolean => of === pid || (parents.has(of) && isOurs(parents.get(of) ?? 0));
  let sum = 0;
  for (const [of, count] of ticks) if (isOurs(of)) sum += count;
  return sum / ticksPerSecond;
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (answer !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nginx did not listen on ${port}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
