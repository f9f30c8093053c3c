// What one request adds to the numbers and to the access log, once its answer is over. The connection counts bytes; as
// its answers follow one another, a request's share is what was added while it was answered.

import type { AccessLog } from '../access-log.ts';
import { type Books, countAnswer, type Outcome, outcomeOfBytes } from '../books.ts';
import type { ClientConnection } from './client-connection.ts';

/** What of a request's head the log repeats. */
export type NotedHead = {
  readonly method: string;
  readonly target: string;
  readonly host: string | undefined;
  readonly range: string | undefined;
  readonly userAgent: string | undefined;
};

export class RequestNote {
  readonly #head: NotedHead;
  readonly #connection: ClientConnection;
  readonly #before: { readonly bodyBytes: number; readonly hitBytes: number; readonly missBytes: number };
  readonly #atMs = Date.now();
  readonly #beganMs = performance.now();
  #over = false;

  /** Made when the head has come, and its answer is the connection's next. */
  constructor(head: NotedHead, connection: ClientConnection) {
    this.#head = head;
    this.#connection = connection;
    connection.requestCount += 1;
    const { bodyBytes, hitBytes, missBytes } = connection;
    this.#before = { bodyBytes, hitBytes, missBytes };
  }

  /** The answer is over; counts once, however often it is called. `status` 0: no head was sent. */
  end(
    how: 'cache' | 'bypass' | 'refused',
    status: number,
    aborted: boolean,
    origin: string | undefined,
    books: Books,
    log: AccessLog | undefined,
  ): void {
    if (this.#over) return;
    this.#over = true;
    const connection = this.#connection;
    const hitBytes = connection.hitBytes - this.#before.hitBytes;
    const missBytes = connection.missBytes - this.#before.missBytes;
    const outcome: Outcome = how === 'cache' ? outcomeOfBytes(hitBytes, missBytes) : how;
    countAnswer(books, status, outcome);
    if (log === undefined) return;
    const firstByteMs = connection.headAtMs - this.#beganMs;
    log.write({
      ...{ ...this.#head, atMs: this.#atMs, client: connection.client, origin, status, hitBytes, missBytes, outcome },
      bodyBytes: connection.bodyBytes - this.#before.bodyBytes,
      durationMs: performance.now() - this.#beganMs,
      firstByteMs: firstByteMs >= 0 && status > 0 ? firstByteMs : undefined,
      aborted,
    });
  }
}
