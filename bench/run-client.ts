// Runs the load generator's hot path (range-client.ts) against a server, in a process of its own.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { programPath } from '../common/child-program.ts';

/** What the client says when it is connected; it then waits for a line. */
export const connectedLine = 'connected';

/** What is asked for, how often, and what becomes of it. */
export type ClientOrder = {
  readonly port: number;
  readonly target: string;
  readonly objectId: string;
  readonly sizeBytes: number;
  readonly connections: number;
  /** How long each connection asks again; 0: each asks once. */
  readonly seconds: number;
  /** Each connection asks at most this often. Default: as soon as it has its answer. */
  readonly everyMs?: number;
  /** Ranges of so many bytes, at random places; `whole`: no range, the object. */
  readonly pieceBytes: number | 'whole';
  /** `read`: bodies are read, and dropped; `verify`: every byte is compared with what it must be. */
  readonly mode: 'read' | 'verify';
  /** Asks as soon as all are connected, without waiting for a line, and counts after a warm-up. Default: waits. */
  readonly startsAtOnce?: boolean;
};

/** What came. Times in ms; `latencyMsP50` … from asking to the last byte. */
export type ClientReport = {
  readonly bytes: number;
  readonly requests: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly latencyMsP50: number;
  readonly latencyMsP99: number;
  readonly latencyMsMax: number;
};

/** `onAsking` is called once all connections are there, just before the first request. */
export async function runClient(order: ClientOrder, onAsking?: () => void): Promise<ClientReport> {
  const child = spawn(process.execPath, [programPath('bench/range-client'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    last = line;
    if (line !== connectedLine) continue;
    onAsking?.();
    child.stdin.end('\n');
  }
  if (last === '' || last === connectedLine) throw new Error(`the client of ${order.target} ended without a report`);
  return JSON.parse(last) as ClientReport;
}
