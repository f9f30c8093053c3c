// Downloads that something went wrong with: only they have a runner of their policy, and a state of their own.

import type { Source, SourceFailureCause } from '../../device/download-policy.ts';
import { type Cancel, DownloadRunner, type World } from '../world.ts';
import { type FlowFacts, indexOfSource } from './flow-facts.ts';

/** What is known of a download that something went wrong with. Bytes are those of one device. */
export type Trouble = {
  readonly runner: DownloadRunner<number>;
  leftBytes: number;
  /** What was left when its present source was asked first, and when it last began to move. */
  leftAtSourceStart: number;
  leftAtMove: number;
  /** When it last began to move. */
  movedSinceMs: number;
  source: number;
  lastByteMs: number;
  leftCacheHostAtMs: number | undefined;
  cdnBytes: number;
  refetchedBytes: number;
  fallbackCause: SourceFailureCause | undefined;
  /** In words, e.g. `refused at hq`. */
  lastFailure: string | undefined;
  /** It waits for a source that does not answer: until then, or until that source answers again. */
  waiting: { readonly source: Source; readonly cancel: Cancel } | undefined;
};

export class Troubles {
  readonly all = new Map<number, Trouble>();
  readonly #world: World<number>;
  readonly #facts: FlowFacts;
  /** Of devices that have several downloads, which share one. */
  readonly #agents = new Map<number, unknown>();

  constructor(world: World<number>, facts: FlowFacts) {
    this.#world = world;
    this.#facts = facts;
  }

  get(flow: number): Trouble | undefined {
    return this.all.get(flow);
  }

  /** The runner of a download, made when it is needed; `isUnderWay`: it moves from its first source, or tried to. */
  of(flow: number, p: number, isUnderWay: boolean): Trouble {
    const known = this.all.get(flow);
    if (known !== undefined) return known;
    const facts = this.#facts;
    const policy = facts.policy(p);
    const device = facts.flows.deviceOf(flow, p);
    const agent = this.#agents.get(device) ?? policy.newAgent();
    if (facts.group(p).wants.length > 1) this.#agents.set(device, agent);
    const terms = { policy, settings: facts.settingsOf(p), agent, origin: facts.originOf(flow, p) };
    const runner = new DownloadRunner<number>(this.#world, flow, terms);
    const sizeBytes = facts.sizeOf(flow, p);
    const startedMs = facts.flows.arriveAtMs[device] as number;
    const source = facts.firstSource(p);
    if (isUnderWay) runner.underWay(startedMs, source);
    const trouble: Trouble = {
      runner,
      leftBytes: sizeBytes,
      leftAtSourceStart: sizeBytes,
      leftAtMove: sizeBytes,
      movedSinceMs: startedMs,
      source: indexOfSource(source),
      lastByteMs: startedMs,
      leftCacheHostAtMs: undefined,
      cdnBytes: 0,
      refetchedBytes: 0,
      fallbackCause: undefined,
      lastFailure: undefined,
      waiting: undefined,
    };
    this.all.set(flow, trouble);
    return trouble;
  }
}
