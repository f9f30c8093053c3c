// The summary report of Connected Cache: every 15 seconds, averages of the period and totals of the lifetime. Names of
// fields are Microsoft's where they are documented (also `eggressBytes`); no sample of the whole is public, so that its
// shape is ours.

import type { Books } from '../books.ts';

/** The report's period (Microsoft, "Connected Cache for Device Update": generated at 15-second intervals). */
export const summaryPeriodMs = 15_000;

/** What was delivered in some time. */
export type Delivered = {
  /** Bytes that came from the cache. */
  readonly hitBytes: number;
  /** Bytes that had to be downloaded, once, for this. */
  readonly missBytes: number;
  /** hitBytes + missBytes: all that was delivered to clients. The documented spelling. */
  readonly eggressBytes: number;
  /** The same, spelled right. */
  readonly egressBytes: number;
  /** hitBytes ÷ egressBytes (cache efficiency as ISPs count it); null when nothing was delivered. */
  readonly hitRatioBytes: number | null;
  readonly hitRequestCount: number;
  readonly missRequestCount: number;
  /** Share of requests that were hits in full (cache efficiency as enterprises count it); null without requests. */
  readonly hitRatioRequests: number | null;
};

export type Summary = {
  readonly node: string;
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  /** The last period that is over; null in the first 15 seconds. */
  readonly period:
    | (Delivered & {
        readonly from: string;
        readonly to: string;
        readonly seconds: number;
        readonly hitBytesPerSecond: number;
        readonly missBytesPerSecond: number;
        readonly egressBytesPerSecond: number;
      })
    | null;
  /** Since the node was started. */
  readonly lifetime: Delivered;
};

type Moment = { readonly atMs: number; readonly monotonicMs: number; readonly books: Books };

export class SummaryReport {
  readonly #node: { readonly name: string; readonly version: string };
  readonly #start: Omit<Moment, 'books'>;
  #last: Moment | undefined;
  #period: Summary['period'] = null;

  /** `monotonicMs`: a clock that nobody sets, such as performance.now(). */
  constructor(node: { readonly name: string; readonly version: string }, atMs: number, monotonicMs: number) {
    this.#node = node;
    this.#start = { atMs, monotonicMs };
  }

  /** A period is over, with these numbers. */
  endPeriod(moment: Moment): void {
    const last = this.#last ?? { ...this.#start, books: undefined };
    const seconds = (moment.monotonicMs - last.monotonicMs) / 1000;
    const since = difference(moment.books, last.books);
    const perSecond = (bytes: number): number => (seconds > 0 ? Math.round(bytes / seconds) : 0);
    this.#period = {
      from: new Date(last.atMs).toISOString(),
      to: new Date(moment.atMs).toISOString(),
      seconds: Math.round(seconds * 1000) / 1000,
      ...since,
      hitBytesPerSecond: perSecond(since.hitBytes),
      missBytesPerSecond: perSecond(since.missBytes),
      egressBytesPerSecond: perSecond(since.egressBytes),
    };
    this.#last = moment;
  }

  /** The report now: totals are of this moment, the period is the last one that is over. */
  report(moment: Moment): Summary {
    return {
      ...{ node: this.#node.name, version: this.#node.version },
      startedAt: new Date(this.#start.atMs).toISOString(),
      uptimeSeconds: Math.floor((moment.monotonicMs - this.#start.monotonicMs) / 1000),
      period: this.#period,
      lifetime: difference(moment.books, undefined),
    };
  }
}

function difference(now: Books, before: Books | undefined): Delivered {
  const hitBytes = now.hitBytes - (before?.hitBytes ?? 0);
  const missBytes = now.missBytes - (before?.missBytes ?? 0);
  const egressBytes = hitBytes + missBytes;
  const hitRequestCount = now.hitRequestCount - (before?.hitRequestCount ?? 0);
  const missRequestCount = now.missRequestCount - (before?.missRequestCount ?? 0);
  const requestCount = hitRequestCount + missRequestCount;
  return {
    hitBytes,
    missBytes,
    eggressBytes: egressBytes,
    egressBytes,
    hitRatioBytes: egressBytes === 0 ? null : hitBytes / egressBytes,
    hitRequestCount,
    missRequestCount,
    hitRatioRequests: requestCount === 0 ? null : hitRequestCount / requestCount,
  };
}
