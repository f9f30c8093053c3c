// A process that opens connections and keeps them (holder-client.ts), as the benchmark sees it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { programPath } from '../common/child-program.ts';
import type { Server } from './peers.ts';

export type HolderOrder = {
  readonly port: number;
  readonly target: string;
  /** As in `Range`; undefined: the whole object. */
  readonly range: string | undefined;
  readonly count: number;
  readonly perSecond: number;
  /** Undefined: the answer is read, and the connection is idle then. Else the body is taken at this rate. */
  readonly bytesPerSecond: number | undefined;
  /** Connections come from eight addresses 127.0.1.N, from this N on. */
  readonly firstAddress: number;
};

/** `seconds` from the first connection to the last answer (of slow clients: to its first byte). */
export type HeldReport = { readonly heldCount: number; readonly lostCount: number; readonly seconds: number };

export class Holder implements Server {
  readonly port: number;
  readonly pid: number;
  /** Resolves once every connection has been answered or is lost. */
  readonly held: Promise<HeldReport>;
  readonly stop: () => Promise<void>;

  constructor(order: HolderOrder) {
    const child = spawn(process.execPath, [programPath('bench/holder-client'), JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.port = order.port;
    this.pid = child.pid ?? 0;
    this.held = once(createInterface({ input: child.stdout }), 'line').then(
      ([line]) => JSON.parse(String(line)) as HeldReport,
    );
    this.stop = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.stdin.end();
      await gone;
    };
  }
}
