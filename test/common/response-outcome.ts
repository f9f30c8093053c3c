// What a response came to, for tests: by our parser fed with chunks.

import type { Buffer } from 'node:buffer';
import {
  type ResponseErrorCode,
  type ResponseHead,
  ResponseParser,
  type ResponseSink,
} from '../../common/http-response-parser.ts';

export type Outcome = {
  status?: number;
  contentLength?: number | undefined;
  contentRange?: string | undefined;
  etag?: string | undefined;
  retryAfter?: string | undefined;
  location?: string | undefined;
  keepAlive?: boolean;
  /** Latin-1. */
  body: string;
  /** Set when the body is complete; an `error` beside it is about what follows. */
  end?: 'complete';
  error?: ResponseErrorCode;
};

/** Collects what a parser reports, and insists on the order of the calls. */
export class OutcomeSink implements ResponseSink {
  outcome: Outcome = { body: '' };

  onHead(head: ResponseHead): void {
    if (this.outcome.status !== undefined) throw new Error('a second head');
    const { contentLength, contentRange, etag, retryAfter, location, keepAlive } = head;
    const known = { contentLength, contentRange, etag, retryAfter, location, keepAlive };
    this.outcome = { ...this.outcome, status: head.statusCode, ...known };
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.outcome.status === undefined || this.outcome.end !== undefined || end <= start)
      throw new Error('a misplaced body');
    this.outcome.body += buffer.toString('latin1', start, end);
  }

  onEnd(): void {
    if (this.outcome.status === undefined || this.outcome.end !== undefined) throw new Error('a misplaced end');
    this.outcome.end = 'complete';
  }

  onError(code: ResponseErrorCode): void {
    if (this.outcome.error !== undefined) throw new Error('a second error');
    this.outcome.error = code;
  }
}

/** Parses `bytes` in chunks of the given sizes, the rest in one, then the end of the connection. */
export function parseChunks(bytes: Buffer, sizes: readonly number[], method: 'GET' | 'HEAD'): Outcome {
  const sink = new OutcomeSink();
  const parser = new ResponseParser(sink);
  parser.next(method);
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    const end = Math.min(bytes.length, at + size);
    if (end > at) parser.feed(bytes, at, end);
    at = end;
  }
  parser.finish();
  return sink.outcome;
}
