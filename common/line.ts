// What lies between a connection and its server, where that is more than this machine: it delays, holds back, or breaks.
// Without one a connection is as fast as the machine.

import type { Failure } from './http-connection.ts';

/** What a line does with a connection. */
export interface Shaped {
  /** Until then a pace spreads what was read at once over time: that is no silence of the server. */
  heldUntilMs: number;
  /** What was held may pass: its end is told, and more is read. */
  release(): void;
  /** The connection breaks. */
  fail(failure: Failure): void;
}

/** Of one connection. It keeps no bytes: what it holds back stays with the kernel, and the sender feels it through TCP. */
export interface Line {
  /** Ms before a connection that is open can be used. */
  opening(): number;
  /** Ms before a request leaves; Infinity: it never does. */
  asking(): number;
  /** The most that may be read at once; at least 1. */
  readonly readBytesMax: number;
  /** Bytes came. False: no more is read, and the end of the answer is not told, until the line calls `release` or `fail`. */
  take(bytes: number, nowMs: number, connection: Shaped): boolean;
  /** Whether nothing comes through any more, in either direction, the end of the connection included. */
  readonly isDead: boolean;
}
