// Readers of a stream of server-sent events in which each event is the whole state: only the newest one is of any use. A reader
// that is slow misses those in between; nothing waits for it, and of what it has not read there is one event at most.

import type { ServerResponse } from 'node:http';

/** So many at once; more are turned away. */
export const readersMax = 64;
/** A browser that lost the connection comes again after so long. */
const retryMs = 1000;

type Reader = {
  readonly response: ServerResponse;
  /** Number of the event that it was sent last. */
  sent: number;
  /** Whether that one is still on its way. */
  isBusy: boolean;
};

export class EventReaders {
  readonly #readers = new Set<Reader>();
  readonly #newest: () => { readonly number: number; readonly event: Buffer };
  readonly #onChange: () => void;

  /** `newest`: the event as of now, with a number that grows with each one; asked for when a reader can take one. */
  constructor(newest: () => { readonly number: number; readonly event: Buffer }, onChange: () => void) {
    this.#newest = newest;
    this.#onChange = onChange;
  }

  get count(): number {
    return this.#readers.size;
  }

  get unreadBytes(): number {
    return [...this.#readers].reduce((sum, { response }) => sum + response.writableLength, 0);
  }

  /** Sends the newest event at once, and then whenever {@link tell} says that there is another one. */
  add(response: ServerResponse): void {
    const reader: Reader = { response, sent: -1, isBusy: false };
    this.#readers.add(reader);
    response.on('close', () => {
      this.#readers.delete(reader);
      this.#onChange();
    });
    response.on('error', () => response.destroy());
    response.on('drain', () => {
      reader.isBusy = false;
      this.#tell(reader);
    });
    response.write(`retry: ${retryMs}\n\n`);
    this.#tell(reader);
    this.#onChange();
  }

  /** There is a newer event. */
  tell(): void {
    for (const reader of this.#readers) this.#tell(reader);
  }

  /** Something small that may be missed. */
  beat(event: Buffer): void {
    for (const { isBusy, response } of this.#readers) if (!isBusy) response.write(event);
  }

  /** Ends the streams when all have the newest event, or after so long. */
  async end(withinMs: number): Promise<void> {
    const untilAll = [...this.#readers].map(
      ({ response }) => new Promise<void>((resolve) => response.once('close', resolve)),
    );
    for (const reader of this.#readers) if (!reader.isBusy) reader.response.end();
    for (const { response } of this.#readers) response.on('drain', () => response.end());
    const late = setTimeout(() => {
      for (const { response } of this.#readers) response.destroy();
    }, withinMs);
    await Promise.all(untilAll);
    clearTimeout(late);
  }

  #tell(reader: Reader): void {
    if (reader.isBusy) return;
    const { number, event } = this.#newest();
    if (number === reader.sent) return;
    reader.sent = number;
    reader.isBusy = !reader.response.write(event);
  }
}

/** An event as the stream has it: one line of data. */
export function streamEvent(name: string, value: unknown): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`);
}
