// Whether a client reads what it asked for. The kernel takes megabytes of an answer at once, and then nothing until about a
// third of them has been read: what counts is what the client has acknowledged, where the kernel tells.

/** Over this long a reader's rate is judged. */
const windowMs = 60_000;
/**
 * Where the kernel does not tell: what may be read without a sign of it, a third of what it holds of a connection (Linux: at
 * most 4 MiB, tcp_wmem).
 */
const unseenBytesMax = Math.ceil((4 * 2 ** 20) / 3);

export class ReaderWatch {
  #sinceMs = 0;
  #bytes = 0;

  /**
   * Looks at a connection now. `takenBytes`: what the kernel has taken of its answers; `unacknowledged`: how much of that the
   * client has not had, asked for once a minute at most. Whether it is slower than `bytesPerSecondMin`, with bytes waiting for
   * it all the time.
   */
  isTooSlow(
    nowMs: number,
    isWaiting: boolean,
    bytesPerSecondMin: number,
    takenBytes: number,
    unacknowledged: () => number | undefined,
  ): boolean {
    const forMs = nowMs - this.#sinceMs;
    const isJudged = isWaiting && this.#sinceMs > 0;
    if (isJudged && forMs < windowMs) return false;
    const unseen = unacknowledged();
    const deliveredBytes = takenBytes - (unseen ?? 0);
    const readBytes = deliveredBytes - this.#bytes;
    const slackBytes = unseen === undefined ? unseenBytesMax : 0;
    const isSlow = isJudged && (readBytes + slackBytes) * 1000 < bytesPerSecondMin * forMs;
    // Without the kernel's word the time goes on until something has moved.
    if (isJudged && unseen === undefined && readBytes === 0) return isSlow;
    this.#sinceMs = nowMs;
    this.#bytes = deliveredBytes;
    return isSlow;
  }
}
