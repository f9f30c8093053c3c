// What both client profiles have in common: a download's policy is a function of its state, what happened, and the time.
// It is asked once per download and source, not per range; pure, without timers, sockets, clocks or chance.
//
//   step(state, event, nowMs) → effects
//
// One source at a time: `transfer` names the next one, and what was under way with the last is given up.

/** Where bytes come from: a cache host by its place in the list, or the content delivery network. */
export type Source = { readonly kind: 'cacheHost'; readonly index: number } | { readonly kind: 'cdn' };

/** Why a source failed. The names are those of `fallback.byCause.<cause>`. */
export type SourceFailureCause =
  | 'refused' // no connection
  | 'reset' // the connection broke before the answer was complete
  | 'timeout' // no connection or no first byte in time
  | 'stall' // bytes stopped coming
  | 'status4xx'
  | 'status5xx'
  | 'badResponse' // not HTTP, not the range asked for, not the file's size
  | 'corrupt'; // wrong bytes

export type DownloadEvent =
  | { readonly kind: 'started' }
  /** `progressed`: at least one piece came from it since the last event. */
  | { readonly kind: 'sourceFailed'; readonly cause: SourceFailureCause; readonly progressed: boolean }
  | { readonly kind: 'sourceFinished' }
  | { readonly kind: 'timer' };

export type DownloadEffect =
  | { readonly kind: 'transfer'; readonly source: Source }
  /** Sends `timer` at that time; a later one replaces it. */
  | { readonly kind: 'armTimer'; readonly atMs: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly cause: SourceFailureCause };

/** What a group's devices are told; the same for all downloads of a group. */
export type PolicySettings = {
  readonly cacheHostCount: number;
  /** From the start of the download; undefined: not configured, the CDN follows at the first failure. */
  readonly fallbackDelayMs: number | undefined;
};

/** A client profile. */
export interface DownloadPolicy<State> {
  initialState(): State;
  step(state: State, event: DownloadEvent, nowMs: number, settings: PolicySettings): readonly DownloadEffect[];
}

/** A constant that no document gives, with what it rests on: reports show it as an assumption. */
export type Assumption = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly basis: string;
};
