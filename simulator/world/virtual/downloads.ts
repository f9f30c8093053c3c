// The downloads of a component: what the world of a device's policy is here. A download that nothing goes wrong with is a
// row of numbers in the flow table; only when a source fails it gets a runner of its policy, which then knows what it would
// have known from the start.

import { assert } from '../../../common/errors.ts';
import type {
  DownloadEffect,
  DownloadPolicy,
  PolicySettings,
  Source,
  SourceFailureCause,
} from '../../device/download-policy.ts';
import { policyOf } from '../../device/policies.ts';
import type { FleetGroup } from '../../scenario/scenario.ts';
import { policySettingsOf } from '../policy-settings.ts';
import { type Cancel, DownloadRunner, type Observation, type World } from '../world.ts';
import type { Answer, Availability } from './availability.ts';
import type { ClassBook } from './class-book.ts';
import type { Phase } from './flow-class.ts';
import type { FlowTable } from './flow-table.ts';
import type { Network } from './network.ts';
import type { Stock } from './stocks.ts';
import type { Supply } from './supply.ts';
import type { Tally } from './tally.ts';
import type { Population } from './topology.ts';
import { timerKinds, type VirtualClock } from './virtual-clock.ts';

/** What is known of a download that something went wrong with. Bytes are those of one device. */
type Trouble = {
  readonly runner: DownloadRunner<number>;
  /** Still to come, and when it began to come from its present source. */
  leftBytes: number;
  leftAtSourceStart: number;
  source: number;
  lastByteMs: number;
  leftCacheHostAtMs: number | undefined;
  /** It waits for a source that does not answer: until then, or until that source answers again. */
  waiting: { readonly source: Source; readonly cancel: Cancel } | undefined;
};

const noSource = -2;
const observedDone: Observation = { kind: 'done' };

export class Downloads implements World<number> {
  readonly #clock: VirtualClock;
  readonly #flows: FlowTable;
  readonly #network: Network;
  readonly #book: ClassBook;
  readonly #supply: Supply;
  readonly #availability: Availability;
  readonly #tally: Tally;
  readonly #policies: readonly DownloadPolicy<unknown, unknown>[];
  /** By group; an event may change them. */
  readonly settings: PolicySettings[];
  readonly #origins: readonly string[];
  readonly #troubles = new Map<number, Trouble>();
  readonly #agents = new Map<number, unknown>();
  /** Of devices that want several files: where each comes from. */
  readonly #sources: Int8Array;
  readonly #states = new Map<number, string>();
  readonly #unsettledDevices = new Set<number>();
  readonly #failedDevices = new Set<number>();
  readonly #fellBackDevices = new Set<number>();
  /** In a live window a device fetches one file after another. */
  readonly #oneByOne: boolean;
  readonly #cdnLatencyMs: number;
  readonly #objects: ReadonlyMap<string, { readonly index: number; readonly sizeBytes: number }>;

  constructor(parts: {
    readonly clock: VirtualClock;
    readonly flows: FlowTable;
    readonly network: Network;
    readonly book: ClassBook;
    readonly supply: Supply;
    readonly availability: Availability;
    readonly tally: Tally;
    readonly groups: readonly FleetGroup[];
    readonly origins: readonly string[];
    readonly oneByOne: boolean;
    readonly cdnLatencyMs: number;
    readonly objectSizes: ReadonlyMap<string, { readonly index: number; readonly sizeBytes: number }>;
  }) {
    this.#cdnLatencyMs = parts.cdnLatencyMs;
    this.#objects = parts.objectSizes;
    this.#clock = parts.clock;
    this.#flows = parts.flows;
    this.#network = parts.network;
    this.#book = parts.book;
    this.#supply = parts.supply;
    this.#availability = parts.availability;
    this.#tally = parts.tally;
    this.#policies = parts.groups.map(({ client }) => policyOf(client));
    this.settings = parts.groups.map(policySettingsOf);
    this.#origins = parts.origins;
    this.#oneByOne = parts.oneByOne;
    const several = parts.flows.populations.some(({ group }) => group.wants.length > 1);
    this.#sources = new Int8Array(several ? parts.flows.flowCount : 0).fill(noSource);
  }

  // ---- The world of a policy

  now(): number {
    return this.#clock.nowMs;
  }

  schedule(atMs: number, run: () => void): Cancel {
    return this.#clock.schedule(atMs, run);
  }

  transfer(flow: number, source: Source): void {
    this.#stopMoving(flow);
    const p = this.#flows.populationOf(flow);
    const answer = this.answerOf(flow, p, source);
    const { transport } = this.#policy(p);
    const now = this.#clock.nowMs;
    switch (answer.kind) {
      case 'serves':
        this.#move(flow, p, indexOf(source));
        return;
      case 'fails':
        this.#wait(flow, source, now + answer.afterMs, answer.cause);
        return;
      case 'unreachable':
        this.#wait(flow, source, now + transport.connectTimeoutMs(this.#settingsOf(p)), 'timeout');
        return;
      case 'silent':
        this.#wait(flow, source, now + transport.stallTimeMs, 'timeout');
    }
  }

  observe(flow: number, what: Observation): void {
    const p = this.#flows.populationOf(flow);
    const device = this.#flows.deviceOf(flow, p);
    if (what.kind === 'done') this.#downloadDone(flow, p, device);
    else if (what.kind === 'failed') this.#deviceFailed(p, device, what.cause);
    else if (what.source.kind === 'cdn' && what.because !== undefined) this.#fellBack(flow, p, device, what.because);
  }

  // ---- Beginning

  /** A device, or a cohort of them, arrives. */
  arrive(device: number): void {
    const p = this.#flows.populationOfDevice(device);
    const { group } = this.#population(p);
    const first = this.#flows.firstFlowOf(device, p);
    const tally = this.#tally.groups[this.#population(p).groupIndex];
    const devices = this.#flows.multiplicityOf(p);
    if (tally !== undefined) {
      tally.startedCount += devices;
      tally.firstArrivalMs = Math.min(tally.firstArrivalMs, this.#clock.nowMs);
    }
    this.#tally.grid.add('started', Math.max(1, this.#clock.nowMs), devices);
    const count = this.#oneByOne ? 1 : group.wants.length;
    for (let want = 0; want < count; want += 1) this.#begin(first + want, p);
  }

  #begin(flow: number, p: number): void {
    const { group, groupIndex } = this.#population(p);
    // Downloads of one Linux agent depend on each other from the start; all others are alone until something fails.
    if (group.client === 'linux' && group.wants.length > 1) {
      this.#trouble(flow, p, false).runner.start();
      return;
    }
    const policy = this.#policies[groupIndex] as DownloadPolicy<unknown, unknown>;
    const state = policy.initialState(policy.newAgent(), this.#originOf(flow, p));
    const effects = policy.step(state, { kind: 'started' }, this.#clock.nowMs, this.#settingsOf(p));
    const [effect] = effects as readonly [DownloadEffect];
    assert(effects.length === 1 && effect.kind === 'transfer', 'a download begins with one transfer');
    if ((effect.afterMs ?? 0) > 0) {
      this.#clock.push(this.#clock.nowMs + (effect.afterMs ?? 0), timerKinds.start, flow);
    } else this.startTransfer(flow);
  }

  /** Its first request leaves. */
  startTransfer(flow: number): void {
    const source = this.#firstSource(this.#flows.populationOf(flow));
    this.observe(flow, { kind: 'source', source, because: undefined });
    this.transfer(flow, source);
  }

  #firstSource(p: number): Source {
    return this.#settingsOf(p).cacheHostCount > 0 ? { kind: 'cacheHost', index: 0 } : { kind: 'cdn' };
  }

  // ---- Moving

  /** What a source gives this download now. */
  answerOf(flow: number, p: number, source: Source): Answer {
    const { site, cacheHosts } = this.#population(p);
    const object = this.#objectOf(flow, p);
    if (source.kind === 'cdn') return this.#availability.ofCdn(site, object);
    const node = cacheHosts[source.index] as number;
    const stock = this.#supply.stockOf(node, object);
    return this.#availability.ofNode(node, site, stock, this.#needsMore(stock, flow, p));
  }

  #needsMore(stock: Stock, flow: number, p: number): boolean {
    if (stock.isComplete) return false;
    if (stock.isScattered || this.#policy(p).transport.ranges === 'pieces') return true;
    return stock.sizeBytes - this.#leftOf(flow, p) >= stock.filledBytes - 1;
  }

  #move(flow: number, p: number, source: number): void {
    const trouble = this.#troubles.get(flow);
    if (trouble !== undefined) {
      trouble.source = source;
      trouble.leftAtSourceStart = trouble.leftBytes;
      if (source < 0 && trouble.leftCacheHostAtMs !== undefined) {
        const firstByteMs = this.#clock.nowMs + this.#cdnLatencyMs;
        this.#tally.fallbackTime.add(firstByteMs - trouble.leftCacheHostAtMs, this.#flows.multiplicityOf(p));
        trouble.leftCacheHostAtMs = undefined;
      }
    }
    if (this.#sources.length === 0) this.#enter(flow, p, source, '', this.#leftOf(flow, p));
    else {
      this.#sources[flow] = source;
      this.#unsettledDevices.add(this.#flows.deviceOf(flow, p));
    }
  }

  #enter(flow: number, p: number, source: number, state: string, leftBytes: number): void {
    const now = this.#clock.nowMs;
    const want =
      this.#sources.length === 0 && this.#population(p).group.wants.length === 1 ? 0 : this.#flows.wantOf(flow, p);
    let each = this.#book.find(p, want, source, 'plain', state, now);
    const { stock } = this.#book.get(each);
    if (stock !== undefined && !stock.isComplete) {
      const phase = this.#phaseAt(stock, p, stock.sizeBytes - leftBytes);
      if (phase !== 'plain') each = this.#book.find(p, want, source, phase, state, now);
    }
    this.#network.enter(each, flow, leftBytes, this.#flows.multiplicityOf(p), now);
    this.#flows.classOf[flow] = each;
    if (stock !== undefined && !stock.isComplete) this.#askedMore(stock);
  }

  /** Where a download stands that begins at an offset of an object that is not complete. */
  #phaseAt(stock: Stock, p: number, offset: number): Phase {
    if (this.#policy(p).transport.ranges === 'pieces' && !stock.isScattered) this.scatter(stock);
    if (stock.isScattered) return 'plain';
    return offset >= stock.filledBytes - 1 ? 'front' : 'behind';
  }

  /** More ask for what is missing: coefficients follow when that makes a difference of two percent. */
  #askedMore(stock: Stock): void {
    const flowCount = stock.classes.reduce((sum, each) => sum + (this.#network.classes.flowCount[each] as number), 0);
    if (Math.abs(flowCount - stock.flowCount) < 0.02 * flowCount && stock.flowCount > 0) return;
    this.#supply.refresh(stock, this.#clock.nowMs);
  }

  /** From now on what is missing of it is anywhere. */
  scatter(stock: Stock): void {
    stock.isScattered = true;
    this.toPlain(stock);
  }

  /** Nothing of it is missing any more, or it may be missing anywhere: there is no frontier. */
  toPlain(stock: Stock): void {
    for (const each of [...stock.classes]) {
      if (this.#book.get(each).phase === 'plain') continue;
      for (const flow of this.#network.queueOf(each).flows()) this.#changePhase(each, flow, 'plain');
    }
  }

  /** Those at the frontier that are slower than it fall behind; those behind that have reached it wait with it. */
  rephaseFrontier(stock: Stock, fillRate: number): void {
    const now = this.#clock.nowMs;
    for (const each of [...stock.classes]) {
      const { phase, connections } = this.#book.get(each);
      if (phase === 'plain' || (this.#network.classes.flowCount[each] as number) === 0) continue;
      if (phase === 'front') {
        if (this.#network.flowRate(each) >= fillRate * (1 - 1e-6)) continue;
        for (const flow of this.#network.queueOf(each).flows()) this.#changePhase(each, flow, 'behind');
        continue;
      }
      for (;;) {
        // The first to end is the furthest.
        const flow = this.#network.queueOf(each).first;
        if (flow < 0) break;
        const left = (this.#network.links.endsAt[flow] as number) - this.#network.serviceOf(each, now);
        if (stock.filledBytes - (stock.sizeBytes - left * connections) > 1) break;
        this.#changePhase(each, flow, 'front');
      }
    }
  }

  #changePhase(each: number, flow: number, phase: Phase): void {
    const now = this.#clock.nowMs;
    const { populationIndex: p, want, source } = this.#book.get(each);
    const devices = this.#flows.multiplicityOf(p);
    const left = this.#network.leave(each, flow, devices, now);
    const state = this.#states.get(this.#flows.deviceOf(flow, p)) ?? '';
    const other = this.#book.find(p, want, source, phase, state, now);
    this.#network.enter(other, flow, left, devices, now);
    this.#flows.classOf[flow] = other;
  }

  /** Flows of a device share its link by how many there are: after any of them began or ended. */
  settleDevices(): void {
    if (this.#unsettledDevices.size === 0) return;
    for (const device of this.#unsettledDevices) this.#settleDevice(device);
    this.#unsettledDevices.clear();
  }

  #settleDevice(device: number): void {
    const now = this.#clock.nowMs;
    const p = this.#flows.populationOfDevice(device);
    const first = this.#flows.firstFlowOf(device, p);
    const wants = this.#population(p).group.wants.length;
    const active: number[] = [];
    for (let want = 0; want < wants; want += 1) if (this.#sources[first + want] !== noSource) active.push(want);
    const state = active.length < 2 ? '' : active.map((want) => `${want}:${this.#sources[first + want]}`).join(' ');
    const before = this.#states.get(device) ?? '';
    if (state !== before) {
      const devices = this.#flows.multiplicityOf(p);
      if (before !== '') this.#book.countDevices(this.#book.deviceState(p, before, now), -devices, now);
      if (state !== '') this.#book.countDevices(this.#book.deviceState(p, state, now), devices, now);
      this.#states.set(device, state);
    }
    for (const want of active) {
      const flow = first + want;
      const each = this.#flows.classOf[flow] as number;
      if (each >= 0 && state === before) continue;
      const left =
        each < 0 ? this.#leftOf(flow, p) : this.#network.leave(each, flow, this.#flows.multiplicityOf(p), now);
      this.#enter(flow, p, this.#sources[flow] as number, state, left);
    }
  }

  /** Takes a flow out of its class; what is left is noted, so it has to have a runner by then. */
  #stopMoving(flow: number): void {
    const each = this.#flows.classOf[flow] as number;
    if (this.#sources.length > 0 && this.#sources[flow] !== noSource) {
      this.#sources[flow] = noSource;
      this.#unsettledDevices.add(this.#flows.deviceOf(flow, this.#flows.populationOf(flow)));
    }
    if (each < 0) return;
    const p = this.#flows.populationOf(flow);
    const left = this.#network.leave(each, flow, this.#flows.multiplicityOf(p), this.#clock.nowMs);
    this.#flows.classOf[flow] = -1;
    const trouble = this.#troubles.get(flow);
    assert(trouble !== undefined, 'a flow that stops in the middle has a runner');
    trouble.leftBytes = left;
    trouble.lastByteMs = this.#clock.nowMs;
  }

  /** A flow has moved everything. */
  ended(each: number, flow: number): void {
    const p = this.#flows.populationOf(flow);
    this.#network.leave(each, flow, this.#flows.multiplicityOf(p), this.#clock.nowMs);
    this.#flows.classOf[flow] = -1;
    if (this.#sources.length > 0) {
      this.#sources[flow] = noSource;
      this.#unsettledDevices.add(this.#flows.deviceOf(flow, p));
    }
    const trouble = this.#troubles.get(flow);
    if (trouble === undefined) {
      this.observe(flow, observedDone);
      return;
    }
    trouble.leftBytes = 0;
    trouble.runner.sourceFinished();
  }

  // ---- Trouble

  #wait(flow: number, source: Source, untilMs: number, cause: SourceFailureCause): void {
    const trouble = this.#trouble(flow, this.#flows.populationOf(flow), true);
    trouble.waiting?.cancel();
    const cancel = this.#clock.schedule(untilMs, () => {
      trouble.waiting = undefined;
      this.#failed(flow, trouble, cause, trouble.leftAtSourceStart - trouble.leftBytes);
    });
    trouble.waiting = { source, cancel };
    trouble.source = indexOf(source);
    trouble.leftAtSourceStart = trouble.leftBytes;
  }

  /** Its source breaks off at once. */
  fail(flow: number, cause: SourceFailureCause): void {
    const trouble = this.#trouble(flow, this.#flows.populationOf(flow), true);
    this.#stopMoving(flow);
    this.#failed(flow, trouble, cause, trouble.leftAtSourceStart - trouble.leftBytes);
  }

  /** Its source falls silent: it fails when the client's patience ends, or goes on when the source does. */
  hang(flow: number): void {
    const p = this.#flows.populationOf(flow);
    const trouble = this.#trouble(flow, p, true);
    const { leftAtSourceStart } = trouble;
    const source = sourceAt(this.#book.get(this.#flows.classOf[flow] as number).source);
    this.#stopMoving(flow);
    const moved = leftAtSourceStart > trouble.leftBytes;
    const untilMs = this.#clock.nowMs + this.#policy(p).transport.stallTimeMs;
    this.#wait(flow, source, untilMs, moved ? 'stall' : 'timeout');
    trouble.leftAtSourceStart = leftAtSourceStart;
  }

  #failed(flow: number, trouble: Trouble, cause: SourceFailureCause, movedBytes: number): void {
    const p = this.#flows.populationOf(flow);
    const group = this.#tally.groups[this.#population(p).groupIndex];
    const devices = this.#flows.multiplicityOf(p);
    let lostBytes = 0;
    const isPieces = this.#policy(p).transport.ranges === 'pieces';
    if (isPieces && movedBytes > 0) {
      // Of the pieces under way, half has come on average; they are asked for again.
      const want = this.#flows.wantOf(flow, p);
      const { connections, rangeBytes } = this.#book.get(
        this.#book.find(p, want, trouble.source, 'plain', '', this.#clock.nowMs),
      );
      lostBytes = Math.round(Math.min(movedBytes, (connections * rangeBytes) / 2));
      trouble.leftBytes += lostBytes;
      if (group !== undefined) group.refetchedBytes += lostBytes * devices;
      this.#tally.addTo(this.#tally.refetched, cause, lostBytes * devices);
    }
    this.#tally.failedRangeCount += devices;
    this.#tally.addTo(this.#tally.failures, `${cause} at ${this.#sourceName(p, trouble.source)}`, devices);
    this.#tally.grid.add('failures', Math.max(1, this.#clock.nowMs), devices);
    trouble.runner.sourceFailed(cause, movedBytes > lostBytes);
  }

  /** Lets those go on whose silent source answers again, and tells those whose answer is another now. */
  askAgain(): void {
    for (const [flow, trouble] of this.#troubles) {
      const { waiting } = trouble;
      if (waiting === undefined || trouble.runner.hasEnded) continue;
      const p = this.#flows.populationOf(flow);
      const answer = this.answerOf(flow, p, waiting.source);
      if (answer.kind === 'unreachable' || answer.kind === 'silent') continue;
      waiting.cancel();
      trouble.waiting = undefined;
      if (answer.kind === 'serves') this.#move(flow, p, indexOf(waiting.source));
      else this.#failed(flow, trouble, answer.cause, 0);
    }
  }

  /** The object changed at its origin: those that ask for pieces begin again; a running body stays what it is. */
  restart(object: number): void {
    for (const [each, flowClass] of this.#book.all.entries()) {
      if (flowClass.object !== object || (this.#network.classes.flowCount[each] as number) === 0) continue;
      const p = flowClass.populationIndex;
      if (this.#policy(p).transport.ranges !== 'pieces') continue;
      for (const flow of this.#network.queueOf(each).flows()) {
        const trouble = this.#trouble(flow, p, true);
        this.#stopMoving(flow);
        const lostBytes = flowClass.sizeBytes - trouble.leftBytes;
        const devices = this.#flows.multiplicityOf(p);
        trouble.leftBytes = flowClass.sizeBytes;
        const group = this.#tally.groups[flowClass.population.groupIndex];
        if (group !== undefined) group.refetchedBytes += lostBytes * devices;
        this.#tally.addTo(this.#tally.refetched, 'version', lostBytes * devices);
        this.#move(flow, p, flowClass.source);
      }
    }
  }

  /** The runner of a download, made when it is needed; `isUnderWay`: it moves from its first source, or tried to. */
  #trouble(flow: number, p: number, isUnderWay: boolean): Trouble {
    const known = this.#troubles.get(flow);
    if (known !== undefined) return known;
    const policy = this.#policy(p);
    const device = this.#flows.deviceOf(flow, p);
    let agent = this.#agents.get(device);
    if (agent === undefined) {
      agent = policy.newAgent();
      if (this.#population(p).group.wants.length > 1) this.#agents.set(device, agent);
    }
    const terms = { policy, settings: this.#settingsOf(p), agent, origin: this.#originOf(flow, p) };
    const runner = new DownloadRunner<number>(this, flow, terms);
    const sizeBytes = this.#sizeOf(flow, p);
    const startedMs = this.#flows.arriveAtMs[device] as number;
    if (isUnderWay) runner.underWay(startedMs, this.#firstSource(p));
    const trouble: Trouble = {
      runner,
      leftBytes: sizeBytes,
      leftAtSourceStart: sizeBytes,
      source: indexOf(this.#firstSource(p)),
      lastByteMs: startedMs,
      leftCacheHostAtMs: undefined,
      waiting: undefined,
    };
    this.#troubles.set(flow, trouble);
    return trouble;
  }

  #fellBack(flow: number, p: number, device: number, because: SourceFailureCause): void {
    const trouble = this.#troubles.get(flow);
    if (trouble !== undefined && trouble.source >= 0) trouble.leftCacheHostAtMs = trouble.lastByteMs;
    if (this.#fellBackDevices.has(device)) return;
    this.#fellBackDevices.add(device);
    this.#tally.addTo(this.#tally.fallbackDevices, because, this.#flows.multiplicityOf(p));
  }

  // ---- Ending

  #downloadDone(flow: number, p: number, device: number): void {
    const { groupIndex, group } = this.#population(p);
    const tally = this.#tally.groups[groupIndex];
    const devices = this.#flows.multiplicityOf(p);
    const open = (this.#flows.openDownloads[device] as number) - 1;
    this.#flows.openDownloads[device] = open;
    if (this.#oneByOne && open > 0) this.#begin(flow + 1, p);
    if (tally === undefined) return;
    tally.rangeCount += devices * this.#rangesOf(flow, p, group);
    if (open > 0) return;
    const now = this.#clock.nowMs;
    if (this.#failedDevices.has(device)) return;
    tally.completedCount += devices;
    tally.lastCompletionMs = Math.max(tally.lastCompletionMs, now);
    tally.completion.add(now - (this.#flows.arriveAtMs[device] as number), devices);
    this.#tally.completed(now, devices);
  }

  #rangesOf(flow: number, p: number, { client, wants }: FleetGroup): number {
    if (policyOf(client).transport.ranges === 'rest') return 1;
    const each = this.#book.find(
      p,
      wants.length === 1 ? 0 : this.#flows.wantOf(flow, p),
      this.#anySource(p),
      'plain',
      '',
      this.#clock.nowMs,
    );
    const { sizeBytes, rangeBytes } = this.#book.get(each);
    return Math.round(sizeBytes / rangeBytes);
  }

  #anySource(p: number): number {
    return indexOf(this.#firstSource(p));
  }

  #deviceFailed(p: number, device: number, cause: SourceFailureCause): void {
    if (this.#failedDevices.has(device)) return;
    this.#failedDevices.add(device);
    const tally = this.#tally.groups[this.#population(p).groupIndex];
    if (tally !== undefined) tally.failedCount += this.#flows.multiplicityOf(p);
    this.#tally.addTo(this.#tally.failures, `given up: ${cause}`, this.#flows.multiplicityOf(p));
    this.#tally.grid.add('failed', Math.max(1, this.#clock.nowMs), this.#flows.multiplicityOf(p));
  }

  /** Devices that neither have everything nor have given up, by group. */
  unfinished(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (let device = 0; device < this.#flows.deviceCount; device += 1) {
      if ((this.#flows.openDownloads[device] as number) === 0 || this.#failedDevices.has(device)) continue;
      const p = this.#flows.populationOfDevice(device);
      const { id } = this.#population(p).group;
      counts.set(id, (counts.get(id) ?? 0) + this.#flows.multiplicityOf(p));
    }
    return counts;
  }

  /** What every download of every device has still to move; at the end of the run. */
  addUnfetched(): void {
    const now = this.#clock.nowMs;
    for (let flow = 0; flow < this.#flows.flowCount; flow += 1) {
      const p = this.#flows.populationOf(flow);
      const each = this.#flows.classOf[flow] as number;
      const tally = this.#tally.groups[this.#population(p).groupIndex];
      if (tally === undefined) return;
      const devices = this.#flows.multiplicityOf(p);
      tally.wantedBytes += devices * this.#sizeOf(flow, p);
      if (each >= 0) tally.unfetchedBytes += devices * this.#network.leave(each, flow, devices, now);
      else if (!this.#hasEnded(flow, p)) tally.unfetchedBytes += devices * this.#leftOf(flow, p);
    }
  }

  #hasEnded(flow: number, p: number): boolean {
    const trouble = this.#troubles.get(flow);
    if (trouble !== undefined) return trouble.runner.hasEnded && trouble.leftBytes === 0;
    const device = this.#flows.deviceOf(flow, p);
    const wants = this.#population(p).group.wants.length;
    const open = this.#flows.openDownloads[device] as number;
    // Without trouble files end in any order only when all run at once; then what is not moving has ended.
    return this.#oneByOne ? this.#flows.wantOf(flow, p) < wants - open : open < wants;
  }

  // ---- Looking things up

  #objectOfFlow(flow: number, p: number): { readonly index: number; readonly sizeBytes: number } {
    const { wants } = this.#population(p).group;
    const object = this.#objects.get(wants[wants.length === 1 ? 0 : this.#flows.wantOf(flow, p)] as string);
    assert(object !== undefined, 'the loader checked that wanted content exists');
    return object;
  }

  #objectOf(flow: number, p: number): number {
    return this.#objectOfFlow(flow, p).index;
  }

  #sizeOf(flow: number, p: number): number {
    return this.#objectOfFlow(flow, p).sizeBytes;
  }

  #originOf(flow: number, p: number): string {
    return this.#origins[this.#objectOf(flow, p)] as string;
  }

  /** Of a flow that moves nothing at the moment. */
  #leftOf(flow: number, p: number): number {
    return this.#troubles.get(flow)?.leftBytes ?? this.#sizeOf(flow, p);
  }

  #sourceName(p: number, source: number): string {
    return source < 0 ? 'the CDN' : (this.#population(p).group.cacheHosts[source] ?? '');
  }

  #population(p: number): Population {
    return this.#flows.populations[p] as Population;
  }

  #policy(p: number): DownloadPolicy<unknown, unknown> {
    return this.#policies[this.#population(p).groupIndex] as DownloadPolicy<unknown, unknown>;
  }

  #settingsOf(p: number): PolicySettings {
    return this.settings[this.#population(p).groupIndex] as PolicySettings;
  }
}

const indexOf = (source: Source): number => (source.kind === 'cdn' ? -1 : source.index);
const sourceAt = (index: number): Source => (index < 0 ? { kind: 'cdn' } : { kind: 'cacheHost', index });
