// The load generator's hot path by itself: connections that ask for 1 MiB pieces of one object, for a fixed time, over
// the same HttpConnection as devices use. Prints one line of JSON: what came, and what it cost this process.
//
// Arguments: host port path hostHeader objectId sizeBytes connections seconds pieceBytes verify|read

import { ContentFunction } from '../common/content.ts';
import { assert } from '../common/errors.ts';
import { HttpConnection, type ResponseSink } from '../common/http-connection.ts';

const [host = '', port, path, hostHeader, objectId = '', size, connections, seconds, piece, mode] =
  process.argv.slice(2);
const sizeBytes = Number(size);
const pieceBytes = Number(piece);
const content = new ContentFunction(objectId, 1);
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
const untilMs = performance.now() + Number(seconds) * 1000;

let bytes = 0;
let requests = 0;
let open = 0;

class PieceLoop implements ResponseSink {
  readonly #connection: HttpConnection;
  #position = 0;

  constructor() {
    open += 1;
    this.#connection = new HttpConnection({ host, port: Number(port), readBuffer }, (failure) => {
      assert(failure === undefined, `connected: ${failure?.detail}`);
      this.#ask();
    });
  }

  onHead(): void {
    // The framing is the parser's business; what counts here is bytes.
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    bytes += end - start;
    if (mode === 'verify') {
      assert(content.firstDifference(buffer, start, this.#position, end - start) === -1, 'the right bytes came');
      this.#position += end - start;
    }
  }

  onEnd(): void {
    requests += 1;
    if (performance.now() < untilMs) this.#ask();
    else {
      this.#connection.close();
      open -= 1;
      if (open === 0) report();
    }
  }

  onFailure(failure: { readonly detail: string }): void {
    throw new Error(failure.detail);
  }

  #ask(): void {
    const count = Math.floor(sizeBytes / pieceBytes);
    const first = Math.floor(Math.random() * count) * pieceBytes;
    this.#position = first;
    this.#connection.send(
      `GET ${path} HTTP/1.1\r\nHost: ${hostHeader}\r\nRange: bytes=${first}-${first + pieceBytes - 1}\r\n\r\n`,
      this,
    );
  }
}

const startMs = performance.now();
const startCpu = process.cpuUsage();
for (let i = 0; i < Number(connections); i += 1) new PieceLoop();

function report(): void {
  const cpu = process.cpuUsage(startCpu);
  const cpuMs = (cpu.user + cpu.system) / 1000;
  process.stdout.write(`${JSON.stringify({ bytes, requests, cpuMs, wallMs: performance.now() - startMs })}\n`);
}
