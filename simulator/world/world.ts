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

/** What a download follows. */
export type DownloadTerms = {
  readonly policy: DownloadPolicy<unknown, unknown>;
  readonly settings: PolicySettings;
  /** Of the device, made by the same policy. */
  readonly agent: unknown;
  /** The host of the content's own URL. */
  readonly origin: string;
};

/** Steps a policy, and carries its effects out in a world. */
export class DownloadRunner<Transfer> {
  readonly #world: World<Transfer>;
  readonly #download: Transfer;
  readonly #policy: DownloadPolicy<unknown, unknown>;
  readonly #settings: PolicySettings;
  readonly #state: unknown;
  #cancelTimer: Cancel | undefined;
  /** A transfer whose request has not left yet. */
  #cancelTransfer: Cancel | undefined;
  #ended = false;
  #source: Source | undefined;
  #lastFailure: SourceFailureCause | undefined;

  constructor(world: World<Transfer>, download: Transfer, { policy, settings, agent, origin }: DownloadTerms) {
    this.#world = world;
    this.#download = download;
    this.#policy = policy;
    this.#settings = settings;
    this.#state = policy.initialState(agent, origin);
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  start(): void {
    this.#step({ kind: 'started' });
  }

  /** For a world that makes a runner only when something fails: the download started then, and moves from this source. */
  underWay(startedMs: number, source: Source): void {
    this.#policy.step(this.#state, { kind: 'started' }, startedMs, this.#settings);
    this.#source = source;
  }

  /** `isFatal`: the client cannot go on anywhere. */
  sourceFailed(cause: SourceFailureCause, progressed: boolean, isFatal = false): void {
    this.#lastFailure = cause;
    this.#step({ kind: 'sourceFailed', cause, progressed, isFatal });
  }

  sourceFinished(): void {
    this.#step({ kind: 'sourceFinished' });
  }

  /** Forgets timers: the run is over. */
  stop(): void {
    this.#ended = true;
    this.#cancelTimer?.();
    this.#cancelTransfer?.();
  }

  #step(event: DownloadEvent): void {
    if (this.#ended) return;
    for (const effect of this.#policy.step(this.#state, event, this.#world.now(), this.#settings))
      this.#carryOut(effect);
  }

  #carryOut(effect: DownloadEffect): void {
    switch (effect.kind) {
      case 'transfer':
        this.#transfer(effect.source, effect.afterMs ?? 0);
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

  #transfer(source: Source, afterMs: number): void {
    this.#cancelTransfer?.();
    this.#cancelTransfer = undefined;
    if (afterMs > 0) {
      this.#cancelTransfer = this.#world.schedule(this.#world.now() + afterMs, () => this.#transfer(source, 0));
      return;
    }
    this.#noteSource(source);
    this.#world.transfer(this.#download, source);
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
