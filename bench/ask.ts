// One request on a connection of its own, as a client meets it: the times from connecting to the head, to the first byte of
// the body, and to the end.

import { HttpConnection } from '../common/http-connection.ts';

/** What came of a request; times in ms since connecting began, NaN for what did not come. */
export type Asked = {
  readonly status: number;
  readonly firstByteMs: number;
  readonly endMs: number;
  readonly bodyBytes: number;
  /** `stopped`: by us, once enough bytes had come. */
  readonly outcome: 'complete' | 'stopped' | 'failed' | 'timeout';
};

export type AskOptions = {
  readonly port: number;
  readonly target: string;
  /** As in `Range`; default: none is sent. */
  readonly range?: string | undefined;
  /** The connection is reset once that many bytes of the body have come. Default: never. */
  readonly stopAfterBytes?: number;
  /** The connection is reset once this resolves. Default: never. */
  readonly stop?: Promise<void>;
  /** Default: 20 s. */
  readonly timeoutMs?: number;
};

const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Asks; never throws for what a server does. */
export function ask(options: AskOptions): Promise<Asked> {
  const { port, target, range, stopAfterBytes = Number.POSITIVE_INFINITY, timeoutMs = 20_000 } = options;
  return new Promise((resolve) => {
    const startMs = performance.now();
    let status = Number.NaN;
    let firstByteMs = Number.NaN;
    let bodyBytes = 0;
    const end = (outcome: Asked['outcome']): void => {
      clearTimeout(timer);
      connection.reset();
      resolve({ status, firstByteMs, endMs: performance.now() - startMs, bodyBytes, outcome });
    };
    const timer = setTimeout(() => end('timeout'), timeoutMs);
    void options.stop?.then(() => end('stopped'));
    const connection: HttpConnection = new HttpConnection({ host: '127.0.0.1', port, readBuffer }, (failure) => {
      if (failure !== undefined) {
        end('failed');
        return;
      }
      const rangeLine = range === undefined ? '' : `Range: ${range}\r\n`;
      connection.send(`GET ${target} HTTP/1.1\r\nHost: bench.test\r\n${rangeLine}\r\n`, {
        onHead: (head) => {
          status = head.statusCode;
        },
        onBody: (_buffer, start, spanEnd) => {
          if (bodyBytes === 0) firstByteMs = performance.now() - startMs;
          bodyBytes += spanEnd - start;
          if (bodyBytes >= stopAfterBytes) end('stopped');
        },
        onEnd: () => end('complete'),
        onFailure: () => end('failed'),
      });
    });
  });
}
