// Small answers that are asked for again and again, kept in memory whole: head and body in one buffer, so that one write
// sends them without a read. The head is renewed once a second, since it tells the age.

import { Buffer } from 'node:buffer';
import type { LocalGeneration } from './local-catalogue.ts';

/** Memory of one worker for them, bodies and heads. */
const bytesMax = 32 * 2 ** 20;
const headRoomBytes = 2048;
/** Who is asked for so often within a second is kept; less would fill memory with what is asked for at random. */
const asksPerSecondMin = 8;
const doorBits = 16;

export class HotAnswer {
  readonly end: number;
  /** Head and body as they are sent. */
  bytes: Buffer;
  headBytes = 0;
  /** The second in which the head was made. */
  second = 0;
  /** What that head says: the same bytes may be asked for as the whole (200) and as a range (206). */
  status = 0;
  #room: Buffer;

  /** The body is `bytes` from `at` on of a buffer, and copied. */
  constructor(end: number, source: Buffer, at: number, bytes: number) {
    this.end = end;
    this.#room = Buffer.allocUnsafeSlow(headRoomBytes + bytes);
    source.copy(this.#room, headRoomBytes, at, at + bytes);
    this.bytes = this.#room;
  }

  /** Puts a head before the body; false when it is too long. */
  renew(head: string, second: number, status: number): boolean {
    if (head.length > headRoomBytes) return false;
    this.headBytes = head.length;
    this.second = second;
    this.status = status;
    this.#room.write(head, headRoomBytes - head.length, 'latin1');
    this.bytes = this.#room.subarray(headRoomBytes - head.length);
    return true;
  }

  /** The socket did not take all at once and still holds the buffer: what is renewed must be a copy. */
  detach(): void {
    this.#room = Buffer.from(this.#room);
    this.second = 0;
  }
}

export class HotAnswers {
  readonly #inOrder: { readonly generation: LocalGeneration; readonly start: number; readonly bytes: number }[] = [];
  #bytes = 0;
  /** How often each was asked for in this second, by hash. */
  readonly #door = new Uint8Array(2 ** doorBits);
  #doorSecond = 0;

  find(generation: LocalGeneration, start: number, end: number): HotAnswer | undefined {
    const answer = generation.hot?.get(start);
    return answer?.end === end ? answer : undefined;
  }

  /** Keeps the body that lies in a buffer from `at` on, if it is asked for often; the oldest make room. */
  offer(generation: LocalGeneration, start: number, end: number, source: Buffer, at: number, second: number): void {
    if (second !== this.#doorSecond) {
      this.#doorSecond = second;
      this.#door.fill(0);
    }
    const slot = (Math.imul(generation.meta.id, 0x9e3779b1) ^ Math.imul(start + 1, 0x85ebca6b)) >>> (32 - doorBits);
    const asks = (this.#door[slot] ?? 0) + 1;
    this.#door[slot] = asks % asksPerSecondMin;
    if (asks < asksPerSecondMin) return;
    generation.hot ??= new Map();
    // One answer from each first byte: what is kept stays until its turn comes, so that its size is counted once.
    if (generation.hot.has(start)) return;
    generation.hot.set(start, new HotAnswer(end, source, at, end - start));
    const bytes = headRoomBytes + end - start;
    this.#inOrder.push({ generation, start, bytes });
    this.#bytes += bytes;
    while (this.#bytes > bytesMax) this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#inOrder.shift();
    if (oldest === undefined) return;
    oldest.generation.hot?.delete(oldest.start);
    this.#bytes -= oldest.bytes;
  }
}
