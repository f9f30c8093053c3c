// What one request adds to the numbers and to the access log, once its answer is over. The connection counts bytes; as
// its answers follow one another, a request's share is what was added while it was answered.

import type { AccessLog } from '../access-log.ts';
import { type Books, countAnswer, outcomeOfBytes } from '../books.ts';

/** What of a request's head the log repeats. */
export type NotedHead = {
  readonly method: string;
  readonly target: string;
  readonly host: string | undefined;
  readonly range: string | undefined;
  readonly userAgent: string | undefined;
};

/** What of its connection counts. */
export type NotedConnection = {
  readonly client: string;
  readonly bodyBytes: number;
  readonly fetchedBytes: number;
  readonly headStatus: number;
  readonly headAtMs: number;
};

export class RequestNote {
  /** Who answers; changed by who takes the answer over. */
  how: 'cache' | 'bypass' | 'refused' = 'cache';
  /** The origin's host, once it is known. */
  origin: string | undefined = undefined;
  /** The test object's bytes are neither hit nor miss. */
  isHealth = false;
  readonly #head: NotedHead | undefined;
  readonly #bodyBytesBefore: number;
  readonly #fetchedBytesBefore: number;
  readonly #beganMs = performance.now();

  /** Made when the head has come, and its answer is the connection's next; `head`: none when it was not understood. */
  constructor(head: NotedHead | undefined, connection: NotedConnection) {
    this.#head = head;
    this.#bodyBytesBefore = connection.bodyBytes;
    this.#fetchedBytesBefore = connection.fetchedBytes;
  }

  /** The answer is over: counts it, and writes its line. */
  end(connection: NotedConnection, aborted: boolean, books: Books, log: AccessLog | undefined): void {
    const { how, isHealth, origin } = this;
    const bodyBytes = connection.bodyBytes - this.#bodyBytesBefore;
    const fetchedBytes = connection.fetchedBytes - this.#fetchedBytesBefore;
    const status = connection.headStatus;
    const outcome = how === 'cache' ? outcomeOfBytes(bodyBytes - fetchedBytes, fetchedBytes) : how;
    countAnswer(books, status, outcome);
    if (log === undefined) return;
    const { method = '', target = '', host, range, userAgent } = this.#head ?? {};
    const durationMs = performance.now() - this.#beganMs;
    log.write({
      ...{ atMs: Date.now() - durationMs, client: connection.client, method, target, host, range, userAgent },
      ...{ origin, status, outcome, bodyBytes, durationMs, aborted },
      hitBytes: isHealth ? 0 : bodyBytes - fetchedBytes,
      missBytes: isHealth ? 0 : fetchedBytes,
      firstByteMs: status > 0 ? connection.headAtMs - this.#beganMs : undefined,
    });
  }
}
