// Load on a node that we did not start: connections that each ask for the next range of one object when the last has come.
// In this process, bodies are read and not compared: what the object holds is not known here.

import { type Address, formatAddress } from '../../common/address.ts';
import { rangeHeader } from '../../common/byte-range.ts';
import { type Failure, HttpConnection, type ResponseSink } from '../../common/http-connection.ts';
import type { ResponseHead } from '../../common/http-response-parser.ts';
import { processorTimeMs } from '../../common/processor-time.ts';

/** An object that the node can serve. */
export type RemoteObject = {
  /** Host of its origin. */
  readonly host: string;
  /** Path of its URL, with a query where it has one. */
  readonly path: string;
  readonly sizeBytes: number;
};

export type Load = {
  readonly node: Address;
  readonly object: RemoteObject;
  readonly connections: number;
  readonly rangeBytes: number;
  /** Ranges are taken from the first so many bytes of the object. */
  readonly spanBytes: number;
  readonly durationMs: number;
  /** Each connection asks for no more than so many ranges; default: as many as come in time. */
  readonly rangeCountMax?: number | undefined;
  readonly signal: AbortSignal;
};

export type LoadResult = {
  readonly bytesPerMs: number;
  /** From the request sent to the last byte. */
  readonly serviceMs: readonly number[];
  /** Share of a core that this process used. */
  readonly cpuRatio: number;
  /** The first failure, if any; its connection asked no more. */
  readonly failure: string | undefined;
};

const readBufferBytes = 256 * 1024;

export async function putLoad(load: Load): Promise<LoadResult> {
  const readBuffer = Buffer.allocUnsafeSlow(readBufferBytes);
  const loops = Array.from({ length: load.connections }, (_, i) => new RangeLoop(load, readBuffer, i));
  const opened = await Promise.all(loops.map((loop) => loop.open()));
  const startedAtMs = performance.now();
  const cpuMsBefore = processorTimeMs();
  if (opened.every((failure) => failure === undefined)) {
    for (const loop of loops) loop.askNext();
    await ended(load, loops);
  }
  const wallMs = Math.max(1, performance.now() - startedAtMs);
  for (const loop of loops) loop.stop();
  return {
    bytesPerMs: loops.reduce((sum, { bytes }) => sum + bytes, 0) / wallMs,
    serviceMs: loops.flatMap(({ serviceMs }) => serviceMs),
    cpuRatio: (processorTimeMs() - cpuMsBefore) / wallMs,
    failure: opened.find((failure) => failure !== undefined) ?? loops.find(({ failure }) => failure)?.failure,
  };
}

/** Resolves when the time is up, the signal comes, or no connection asks for more. */
function ended({ durationMs, signal }: Load, loops: readonly RangeLoop[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
    for (const loop of loops) loop.onDone = () => loops.every(({ isDone }) => isDone) && done();
  });
}

/** One connection. Ranges follow one another and start at different places, so that connections do not go in step. */
class RangeLoop implements ResponseSink {
  readonly #load: Load;
  readonly #readBuffer: Buffer;
  #connection: HttpConnection | undefined;
  #next: number;
  #sentAtMs = 0;
  bytes = 0;
  readonly serviceMs: number[] = [];
  failure: string | undefined;
  isDone = false;
  onDone: () => unknown = () => undefined;

  constructor(load: Load, readBuffer: Buffer, index: number) {
    this.#load = load;
    this.#readBuffer = readBuffer;
    this.#next = Math.floor((index / load.connections) * this.#rangeCount);
  }

  get #rangeCount(): number {
    return Math.max(1, Math.floor(this.#load.spanBytes / this.#load.rangeBytes));
  }

  /** Resolves to what went wrong. */
  open(): Promise<string | undefined> {
    const { host, port } = this.#load.node;
    return new Promise((resolve) => {
      this.#connection = new HttpConnection({ host, port, readBuffer: this.#readBuffer }, (failure) => {
        this.failure = failure === undefined ? undefined : `${failure.cause} (${failure.detail})`;
        resolve(this.failure);
      });
    });
  }

  askNext(): void {
    const { node, object, rangeBytes, spanBytes } = this.#load;
    const start = this.#next * rangeBytes;
    this.#next = (this.#next + 1) % this.#rangeCount;
    const range = { start, end: Math.min(start + rangeBytes, spanBytes) };
    const joint = object.path.includes('?') ? '&' : '?';
    this.#sentAtMs = performance.now();
    this.#connection?.send(
      `GET ${object.path}${joint}cacheHostOrigin=${object.host} HTTP/1.1\r\nConnection: Keep-Alive\r\nAccept: */*\r\n` +
        `Range: ${rangeHeader(range)}\r\nUser-Agent: Microsoft-Delivery-Optimization/10.1\r\n` +
        `Host: ${formatAddress(node)}\r\n\r\n`,
      this,
    );
  }

  stop(): void {
    if (this.#connection?.isBusy === true || this.#connection?.isOpen === false) this.#connection.reset();
    else this.#connection?.close();
  }

  onHead({ statusCode }: ResponseHead): void {
    if (statusCode !== 206) this.#fail(`status ${statusCode}`);
  }

  onBody(_buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
  }

  onEnd(): void {
    if (this.failure !== undefined) return;
    this.serviceMs.push(performance.now() - this.#sentAtMs);
    if (this.#connection?.isClosed === true) this.#fail('the node closed the connection');
    else if (this.serviceMs.length === this.#load.rangeCountMax) this.#done();
    else this.askNext();
  }

  onFailure({ cause, detail }: Failure): void {
    this.#fail(`${cause} (${detail})`);
  }

  #fail(what: string): void {
    if (this.failure !== undefined) return;
    this.failure = what;
    this.#done();
  }

  #done(): void {
    this.isDone = true;
    this.onDone();
  }
}
