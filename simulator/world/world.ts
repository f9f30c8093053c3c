// What a download's policy needs of the world it runs in. Two worlds: sockets and the wall's clock, or a model and a
// queue of events. `DownloadRunner` runs the policy of one download in either.

import { assert, assertNever } from '../../common/errors.ts';
import type {
  DownloadEffect,
  DownloadEvent,
  DownloadPolicy,
  PolicySettings,
  Source,
  SourceFailureCause,
} from '../device/download-policy.ts';

/** A timer that can be taken back. */
export type Cancel = () => void;

/** `Transfer` is what the world moves bytes for: one download. */
export interface World<Transfer> {
  /** Ms on the world's clock, which never runs back. */
  now(): number;
  /** Calls back at that time, never before (and never within this call: at once when the time has passed). */
  schedule(atMs: number, run: () => void): Cancel;
  /** Moves what remains from this source; ends by `sourceFinished` or `sourceFailed` of the download's runner. */
  transfer(download: Transfer, source: Source): void;
  /** A download ended, or changed its source. */
  observe(download: Transfer, what: Observation): void;
}

export type Observation =
  | { readonly kind: 'source'; readonly source: Source; readonly because: SourceFailureCause | undefined }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly cause: SourceFailureCause };

/** Steps a policy, and carries its effects out in a world. */
export class DownloadRunner<State, Transfer> {
  readonly #world: World<Transfer>;
  readonly #policy: DownloadPolicy<State>;
  readonly #settings: PolicySettings;
  readonly #download: Transfer;
  readonly #state: State;
  #cancelTimer: Cancel | undefined;
  #ended = false;
  #source: Source | undefined;
  #lastFailure: SourceFailureCause | undefined;

  constructor(world: World<Transfer>, policy: DownloadPolicy<State>, settings: PolicySettings, download: Transfer) {
    this.#world = world;
    this.#policy = policy;
    this.#settings = settings;
    this.#download = download;
    this.#state = policy.initialState();
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  start(): void {
    this.#step({ kind: 'started' });
  }

  sourceFailed(cause: SourceFailureCause, progressed: boolean): void {
    this.#lastFailure = cause;
    this.#step({ kind: 'sourceFailed', cause, progressed });
  }

  sourceFinished(): void {
    this.#step({ kind: 'sourceFinished' });
  }

  /** Forgets timers: the run is over. */
  stop(): void {
    this.#ended = true;
    this.#cancelTimer?.();
  }

  #step(event: DownloadEvent): void {
    if (this.#ended) return;
    for (const effect of this.#policy.step(this.#state, event, this.#world.now(), this.#settings))
      this.#carryOut(effect);
  }

  #carryOut(effect: DownloadEffect): void {
    switch (effect.kind) {
      case 'transfer':
        this.#noteSource(effect.source);
        this.#world.transfer(this.#download, effect.source);
        return;
      case 'armTimer':
        this.#cancelTimer?.();
        this.#cancelTimer = this.#world.schedule(effect.atMs, () => {
          this.#cancelTimer = undefined;
          this.#step({ kind: 'timer' });
        });
        return;
      case 'done':
      case 'failed':
        assert(!this.#ended, 'a download ends once');
        this.stop();
        this.#world.observe(this.#download, effect);
        return;
      default:
        assertNever(effect);
    }
  }

  /** Another try at the same source is no change. */
  #noteSource(source: Source): void {
    if (this.#source !== undefined && isSameSource(this.#source, source)) return;
    this.#source = source;
    this.#world.observe(this.#download, { kind: 'source', source, because: this.#lastFailure });
  }
}

function isSameSource(a: Source, b: Source): boolean {
  return a.kind === 'cdn' ? b.kind === 'cdn' : b.kind === 'cacheHost' && a.index === b.index;
}
