// Devices in processes of this run, on this machine: started with their orders, told to begin and to stop, heard.

import type { ChildProcess } from 'node:child_process';
import { assert } from '../../../common/errors.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { type FleetPart, partWithin } from '../fleet-plan.ts';
import type { Children } from './children.ts';
import type {
  DeviceOrder,
  DeviceProgress,
  DeviceReport,
  FromDeviceProcess,
  ToDeviceProcess,
} from './device-protocol.ts';
import type { Fleet, FleetTerms } from './fleet.ts';
import type { KernelLines } from './kernel-lines.ts';
import type { LiveResources } from './machine-limits.ts';
import type { DevicesPart } from './parts.ts';
import type { RowBatch } from './raw/row-batch.ts';
import { continued } from './series-so-far.ts';

/** How long a device process may take for its report. */
const reportTimeoutMs = 30_000;

type Crew = Pick<DeviceOrder, 'part' | 'groups' | 'sourceNetwork'> & { readonly namespace: string | undefined };

/** What not every run has. */
export type FleetExtras = {
  /** Lines that the kernel makes. */
  readonly lines?: KernelLines | undefined;
  /** Takes a row per range request, while the run is under way. */
  readonly onRangeRows?: ((batch: RowBatch) => void) | undefined;
};

export class FleetProcesses implements Fleet {
  readonly beginLeadMs = 250;
  readonly #children: Children;
  readonly #processes: ChildProcess[] = [];
  readonly #progress = new Map<ChildProcess, DeviceProgress>();
  readonly #snapshots = new Map<ChildProcess, DeviceReport>();
  readonly #reports = new Map<ChildProcess, DeviceReport>();
  #idleCount = 0;
  #whenIdle: () => void = () => undefined;
  readonly idle: Promise<void>;
  readonly #resources: Pick<LiveResources, 'deviceProcesses' | 'sourceNetwork'>;
  readonly #shard: FleetPart;
  readonly #lines: KernelLines | undefined;
  readonly #onRangeRows: FleetExtras['onRangeRows'];

  /** `shard`: the part of the fleet that these processes share among them. */
  constructor(
    children: Children,
    resources: Pick<LiveResources, 'deviceProcesses' | 'sourceNetwork'>,
    shard: FleetPart,
    { lines, onRangeRows }: FleetExtras = {},
  ) {
    this.#onRangeRows = onRangeRows;
    this.#children = children;
    this.#resources = resources;
    this.#shard = shard;
    this.#lines = lines;
    this.idle = new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  progress(): readonly DeviceProgress[] {
    return [...this.#progress.values()];
  }

  snapshot(): readonly [DevicesPart] | undefined {
    if (this.#processes.length === 0 || this.#snapshots.size < this.#processes.length) return undefined;
    return [{ shard: this.#shard, reports: [...this.#snapshots.values()], lost: false }];
  }

  async start(terms: FleetTerms): Promise<string | undefined> {
    const problems = await Promise.all(
      this.#crews(terms.scenario).map(({ namespace, ...crew }, number) => {
        const child = this.#children.fork(`device process ${number}`, 'simulator/world/live/device-process', namespace);
        this.#processes.push(child);
        const order = { ...terms, ...crew, number, rangeRows: this.#onRangeRows !== undefined };
        child.send({ kind: 'order', order } satisfies ToDeviceProcess);
        return new Promise<string | undefined>((resolve) => {
          child.on('message', (message: FromDeviceProcess) => {
            if (message.kind === 'connected') resolve(message.problem);
            else this.#hear(child, message);
          });
        });
      }),
    );
    const problem = problems.find((each) => each !== undefined);
    return problem === undefined ? undefined : `not every device could connect: ${problem}`;
  }

  /** Who runs which devices: each group behind a link of its own has a process there, all others share the rest. */
  #crews({ fleet }: Scenario): readonly Crew[] {
    const { deviceProcesses: count, sourceNetwork } = this.#resources;
    const near = fleet.filter(({ line }) => line?.by !== 'kernel').map(({ id }) => id);
    const far = fleet.filter(({ line }) => line?.by === 'kernel').map(({ id }) => id);
    return [
      ...Array.from({ length: count }, (_, index) => {
        const part = partWithin(this.#shard, { index, count });
        return { part, groups: near, sourceNetwork, namespace: undefined };
      }),
      ...far.map((id) => {
        const namespace = this.#lines?.namespaceOf(id);
        assert(namespace !== undefined, `the line of ${id} is set up`);
        return { part: this.#shard, groups: [id], sourceNetwork: undefined, namespace };
      }),
    ];
  }

  begin(atEpochMs: number): void {
    this.#tell({ kind: 'start', atEpochMs });
  }

  async report(graceMs: number, signal: AbortSignal): Promise<readonly [DevicesPart]> {
    for (const child of this.#processes) this.#children.expectEnd(child);
    const living = this.#processes.filter((child) => child.connected);
    // What it has said is heard before its channel closes; its exit may be seen first.
    const ends = living.map((child) => new Promise((resolve) => child.once('disconnect', resolve)));
    this.#tell({ kind: 'stop', graceMs });
    signal.addEventListener('abort', () => this.#tell({ kind: 'stop', graceMs: 0 }), { once: true });
    const timeout = new Promise((resolve) => setTimeout(resolve, graceMs + reportTimeoutMs).unref());
    await Promise.race([Promise.all(ends), timeout]);
    const reports = [...this.#reports.values()];
    return [{ shard: this.#shard, reports, lost: reports.length < this.#processes.length }];
  }

  #tell(message: ToDeviceProcess): void {
    for (const child of this.#processes) if (child.connected) child.send(message);
  }

  #hear(child: ChildProcess, message: FromDeviceProcess): void {
    if (message.kind === 'progress') this.#progress.set(child, message.progress);
    else if (message.kind === 'snapshot') {
      this.#snapshots.set(child, continued(this.#snapshots.get(child), message.report));
    } else if (message.kind === 'report') {
      // One that was told twice to stop reports twice.
      if (!this.#reports.has(child)) this.#reports.set(child, message.report);
    } else if (message.kind === 'rows') this.#onRangeRows?.(message.batch);
    else if (message.kind === 'idle') {
      this.#idleCount += 1;
      if (this.#idleCount === this.#processes.length) this.#whenIdle();
    }
  }
}
