// What both client profiles have in common: a download's policy is a function of its state, what happened, and the time.
// It is asked once per download and source, not per range; pure, without timers, sockets, clocks or chance. What all
// downloads of one device have in common (its agent) belongs to the state: a step may change it.
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
  /** `progressed`: at least one piece came from it since the last event (one byte, where ranges are not pieces). */
  | {
      readonly kind: 'sourceFailed';
      readonly cause: SourceFailureCause;
      readonly progressed: boolean;
      /** The client cannot go on anywhere, whatever its policy says. Default false. */
      readonly isFatal?: boolean;
    }
  | { readonly kind: 'sourceFinished' }
  | { readonly kind: 'timer' };

export type DownloadEffect =
  /** `afterMs`: how long after the step its request leaves; default: at once. */
  | { readonly kind: 'transfer'; readonly source: Source; readonly afterMs?: number }
  /** Sends `timer` at that time; a later one replaces it. */
  | { readonly kind: 'armTimer'; readonly atMs: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly cause: SourceFailureCause };

/** What a group's devices are told; the same for all downloads of a group. */
export type PolicySettings = {
  readonly cacheHostCount: number;
  /**
   * From the start of the download; undefined: not configured, the CDN follows at the first failure; Infinity: never
   * the CDN instead of a cache host.
   */
  readonly fallbackDelayMs: number | undefined;
};

/** A client profile. `State` and `Agent` are its own: a world keeps them and hands them back, and looks into neither. */
export interface DownloadPolicy<State, Agent> {
  readonly transport: TransportRules;
  readonly assumptions: readonly Assumption[];
  /** What all downloads of one device share (Linux: bans, open transfers). */
  newAgent(): Agent;
  /** `origin`: the host of the content's own URL. */
  initialState(agent: Agent, origin: string): State;
  step(state: State, event: DownloadEvent, nowMs: number, settings: PolicySettings): readonly DownloadEffect[];
}

/** What a world does by itself while a policy waits: constants of the client, executed by both worlds. */
export type TransportRules = {
  /** How long a try to connect lasts, at any source. */
  connectTimeoutMs(settings: PolicySettings): number;
  /**
   * The source has failed by `stall` (by `timeout`, when nothing has come yet) when fewer bytes than this per ms came
   * for `stallTimeMs`; 0: when none came.
   */
  readonly stallBytesPerMs: number;
  readonly stallTimeMs: number;
  /**
   * `pieces`: 1 MiB ranges in shuffled order over several connections; `rest`: one request for all that is left, in
   * order, on one connection.
   */
  readonly ranges: 'pieces' | 'rest';
};

/** A constant that no document gives, with what it rests on: reports show it as an assumption. */
export type Assumption = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly basis: string;
};
