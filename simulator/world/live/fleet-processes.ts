// The device processes of a run, as one fleet: started with their orders, told to begin and to stop, heard.

import type { ChildProcess } from 'node:child_process';
import type { Children } from './children.ts';
import type { DeviceProgress, DeviceReport, FromDeviceProcess, ToDeviceProcess } from './device-protocol.ts';
import type { DevicesPart } from './parts.ts';

/** How long a device process may take for its report. */
const reportTimeoutMs = 30_000;

/** The device processes, as one fleet. */
export class FleetProcesses {
  readonly #children: Children;
  readonly #processes: ChildProcess[] = [];
  readonly #progress = new Map<ChildProcess, DeviceProgress>();
  readonly #reports = new Map<ChildProcess, DeviceReport>();
  #idleCount = 0;
  #whenIdle: () => void = () => undefined;
  /** Resolves when every device has completed or failed. */
  readonly idle: Promise<void>;

  constructor(children: Children) {
    this.#children = children;
    this.idle = new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  progress(): readonly DeviceProgress[] {
    return [...this.#progress.values()];
  }

  /** Starts the processes; resolves when all are ready, with the first problem that a device had in connecting. */
  async start(
    count: number,
    order: Omit<Extract<ToDeviceProcess, { kind: 'order' }>['order'], 'part'>,
  ): Promise<string | undefined> {
    const problems = await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const child = this.#children.fork(`device process ${index}`, 'simulator/world/live/device-process');
        this.#processes.push(child);
        child.send({ kind: 'order', order: { ...order, part: { index, count } } } satisfies ToDeviceProcess);
        return new Promise<string | undefined>((resolve) => {
          child.on('message', (message: FromDeviceProcess) => {
            if (message.kind === 'connected') resolve(message.problem);
            else this.#hear(child, message);
          });
        });
      }),
    );
    return problems.find((problem) => problem !== undefined);
  }

  tell(message: ToDeviceProcess): void {
    for (const child of this.#processes) if (child.connected) child.send(message);
  }

  /** Stops all; resolves to the reports of those that could still make one. An abort takes the grace away. */
  async report(graceMs: number, signal: AbortSignal): Promise<DevicesPart> {
    for (const child of this.#processes) this.#children.expectEnd(child);
    const living = this.#processes.filter((child) => child.connected);
    const exits = living.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    this.tell({ kind: 'stop', graceMs });
    signal.addEventListener('abort', () => this.tell({ kind: 'stop', graceMs: 0 }), { once: true });
    const timeout = new Promise((resolve) => setTimeout(resolve, graceMs + reportTimeoutMs).unref());
    await Promise.race([Promise.all(exits), timeout]);
    const reports = [...this.#reports.values()];
    return { reports, lost: reports.length < this.#processes.length };
  }

  #hear(child: ChildProcess, message: FromDeviceProcess): void {
    if (message.kind === 'progress') this.#progress.set(child, message.progress);
    else if (message.kind === 'report') {
      // One that was told twice to stop reports twice.
      if (!this.#reports.has(child)) this.#reports.set(child, message.report);
    } else if (message.kind === 'idle') {
      this.#idleCount += 1;
      if (this.#idleCount === this.#processes.length) this.#whenIdle();
    }
  }
}
