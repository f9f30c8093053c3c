// One range request of the live world, as raw data tells it (docs/raw-data.md). A request that was sent again, or led on by a
// redirect, has a row for each time; a connection that was lost while nothing was asked on it has a row without a range.

import { fallbackCauses } from '../../../result/metrics.ts';

/**
 * What became of a request; beside the causes of failures, which `range.failedCount` counts:
 *
 * - `ok`: all that was asked for came, and was taken
 * - `aborted`: given up for no fault of its own: another connection of its download failed, the object changed, the run ended
 * - `resent`: the server had closed the idle connection that it went out on; it was sent again on another one
 * - `redirected`: answered by a redirect, which was followed
 */
export const rangeOutcomes = ['ok', 'aborted', 'resent', 'redirected', ...fallbackCauses] as const;

/** One of {@link rangeOutcomes}. */
export type RangeOutcome = (typeof rangeOutcomes)[number];

/** Times are of the clock of `performance.now()`; what is undefined, or a time that is NaN, was not there. */
export type RangeRow = {
  /** The device's number in the fleet. */
  readonly device: number;
  /** Places in the scenario's fleet, and among its nodes (one more: the CDN). */
  readonly group: number;
  readonly server: number | undefined;
  readonly object: string | undefined;
  readonly offsetBytes: number | undefined;
  readonly askedBytes: number | undefined;
  readonly receivedBytes: number;
  /** Of the answer; 0: none came. */
  readonly status: number;
  /** The client's end of the connection, `address:port`; empty: it never opened. */
  readonly peer: string;
  readonly intendedMs: number | undefined;
  readonly sentMs: number | undefined;
  readonly firstByteMs: number | undefined;
  readonly endMs: number;
  /** Whether the answer came to its end, so that the request counts as a range. */
  readonly isComplete: boolean;
  readonly outcome: RangeOutcome;
};

/** Of a row without a request: a connection that was lost while nothing was asked on it, or a client that ended by itself. */
export const nothingAsked = {
  object: undefined,
  offsetBytes: undefined,
  askedBytes: undefined,
  receivedBytes: 0,
  status: 0,
  intendedMs: undefined,
  sentMs: undefined,
  firstByteMs: undefined,
  isComplete: false,
} as const satisfies Partial<RangeRow>;
