// The load generator's hot path by itself: connections that ask for pieces of one object, or the whole of it, for a fixed
// time, over the same HttpConnection as devices use. Says when all are connected, waits for a line, asks, and prints one line
// of JSON: what came, and what it cost this process.
//
// Argument: a ClientOrder (run-client.ts) as JSON.

import { ContentFunction } from '../common/content.ts';
import { assert } from '../common/errors.ts';
import { HttpConnection, type ResponseSink } from '../common/http-connection.ts';
import { loadKernelReads } from '../common/kernel-reads.ts';
import { warmUpMs } from './fleet-order.ts';
import { percentile } from './measurement.ts';
import { type ClientOrder, type ClientReport, connectedLine } from './run-client.ts';

const order = JSON.parse(process.argv[2] ?? '') as ClientOrder;
const { port, target, sizeBytes, pieceBytes, mode } = order;
const content = new ContentFunction(order.objectId, 1);
const readBuffer = Buffer.allocUnsafeSlow(2 ** 20);
const kernelReads = loadKernelReads();
/** Latencies in ms, of the first requests so many: more do not change a percentile. */
const latenciesMs = new Float64Array(2 ** 20);

let bytes = 0;
let requests = 0;
let connectingCount = order.connections;
let open = order.connections;
let startMs = 0;
let startCpu = process.cpuUsage();

class PieceLoop implements ResponseSink {
  readonly #connection: HttpConnection;
  #position = 0;
  #askedMs = 0;

  constructor(onConnected: () => void) {
    this.#connection = new HttpConnection({ host: '127.0.0.1', port, readBuffer, kernelReads }, (failure) => {
      assert(failure === undefined, `connected: ${failure?.detail}`);
      onConnected();
    });
  }

  onHead({ statusCode }: { readonly statusCode: number }): void {
    assert(statusCode === (pieceBytes === 'whole' ? 200 : 206), `answered ${statusCode}`);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    bytes += end - start;
    if (mode === 'verify') {
      assert(content.firstDifference(buffer, start, this.#position, end - start) === -1, 'the right bytes came');
      this.#position += end - start;
    }
  }

  onEnd(): void {
    const nowMs = performance.now();
    if (requests < latenciesMs.length) latenciesMs[requests] = nowMs - this.#askedMs;
    requests += 1;
    if (order.startsAtOnce === true || nowMs - startMs < order.seconds * 1000) {
      if (order.everyMs === undefined) this.ask();
      else setTimeout(() => this.ask(), Math.max(0, this.#askedMs + order.everyMs - nowMs));
    } else {
      this.#connection.close();
      open -= 1;
      if (open === 0) report();
    }
  }

  onFailure(failure: { readonly detail: string }): void {
    throw new Error(failure.detail);
  }

  ask(): void {
    this.#askedMs = performance.now();
    let range = '';
    this.#position = 0;
    if (pieceBytes !== 'whole') {
      this.#position = Math.floor(Math.random() * Math.floor(sizeBytes / pieceBytes)) * pieceBytes;
      range = `Range: bytes=${this.#position}-${this.#position + pieceBytes - 1}\r\n`;
    }
    this.#connection.send(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${range}\r\n`, this);
  }
}

// What is measured is asking: all are connected before the first asks. No more connect at once than a listener's queue holds.
const connectingAtOnce = 500;
const loops: PieceLoop[] = [];
function connectNext(): void {
  if (loops.length === order.connections) return;
  const loop = new PieceLoop(() => {
    connectingCount -= 1;
    if (connectingCount > 0) connectNext();
    else if (order.startsAtOnce === true) begin();
    else process.stdout.write(`${connectedLine}\n`);
  });
  loops.push(loop);
}
for (let i = 0; i < connectingAtOnce; i += 1) connectNext();
if (order.startsAtOnce !== true) process.stdin.once('data', begin);

function begin(): void {
  startMs = performance.now();
  startCpu = process.cpuUsage();
  for (const loop of loops) loop.ask();
  if (order.startsAtOnce === true) setTimeout(warmedUp, warmUpMs);
}

/** From here on it counts; what is under way at the end counts as far as it came. */
function warmedUp(): void {
  bytes = 0;
  requests = 0;
  startMs = performance.now();
  startCpu = process.cpuUsage();
  setTimeout(() => {
    report();
    process.exit(0);
  }, order.seconds * 1000);
}

function report(): void {
  const wallMs = performance.now() - startMs;
  const cpu = process.cpuUsage(startCpu);
  const values = [...latenciesMs.subarray(0, requests)];
  const said: ClientReport = {
    bytes,
    requests,
    cpuMs: (cpu.user + cpu.system) / 1000,
    wallMs,
    latencyMsP50: percentile(values, 0.5),
    latencyMsP99: percentile(values, 0.99),
    latencyMsMax: percentile(values, 1),
  };
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
