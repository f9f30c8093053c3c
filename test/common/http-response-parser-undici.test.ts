// Our response parser beside undici's, on random responses that a raw server sends in random pieces. Where undici takes a
// response, ours must come to the same status and body; where undici refuses one, ours must refuse it too. What differs
// on purpose is listed by name, with the reason.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { Client } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomCases } from '../random-cases.ts';
import { cases, mutatedCases, noiseCases, type ResponseCase } from './random-response.ts';
import { type Outcome, parseChunks } from './response-outcome.ts';

type UndiciOutcome = { readonly status: number; readonly body: string } | { readonly error: string };

/** The differences that are meant. `ours` and `theirs` say who accepts; the case is one that `applies` recognises. */
const differences: readonly {
  readonly name: string;
  readonly reason: string;
  readonly accepts: 'ours' | 'undici';
  readonly applies: (text: string, ours: Outcome) => boolean;
}[] = [
  {
    name: '100 Continue',
    reason:
      'undici refuses a 100 that it did not ask for; RFC 9110, 15.2 has a client skip it, and it is counted as an outcome, not a failure',
    accepts: 'ours',
    applies: (text) =>
      text.startsWith('HTTP/1.1 100') || text.startsWith('HTTP/1.0 100') || text.includes('\r\n\r\nHTTP/1.1 100'),
  },
  {
    name: 'equal Content-Length lines',
    reason: 'RFC 9110, 8.6 lets a recipient take equal values for one; llhttp refuses every second line',
    accepts: 'ours',
    applies: (text) => (text.match(/content-length:/gi)?.length ?? 0) > 1,
  },
  {
    name: 'a Content-Length on a 204',
    reason: 'forbidden to servers, but RFC 9112, 6.3 ends a 204 at its empty line whatever its headers say',
    accepts: 'ours',
    applies: (_, ours) => ours.status === 204 && (ours.contentLength ?? 0) > 0,
  },
  {
    name: 'a Content-Length on a 304',
    reason: 'RFC 9110, 8.6 lets a 304 tell the length of what it does not send; undici misses those bytes',
    accepts: 'ours',
    applies: (_, ours) => ours.status === 304 && (ours.contentLength ?? 0) > 0,
  },
  {
    name: 'other transfer-codings',
    reason: 'undici reads them until the connection ends; a cache node or CDN that sends them is a fault worth a name',
    accepts: 'undici',
    applies: (_, ours) => ours.error === 'UNSUPPORTED_TRANSFER_CODING',
  },
  {
    name: 'HTTP/2.0 in a status line',
    reason: 'undici reads it as HTTP/1.1; no server means it, and its framing is not known',
    accepts: 'undici',
    applies: (text, ours) => ours.error === 'BAD_STATUS_LINE' && text.includes('HTTP/2.0 '),
  },
  {
    name: 'an empty line before the status line',
    reason: 'RFC 9112, 2.2 has servers skip it, not clients: bytes that belong to no answer mean that framing is lost',
    accepts: 'undici',
    applies: (text, ours) => ours.error === 'BAD_STATUS_LINE' && /(^|\r\n\r\n)[\r\n]/.test(text),
  },
  {
    name: 'a quotation within a value of a chunk extension',
    reason: 'RFC 9112, 7.1.1 has a token or a quoted string there; llhttp takes one after the other',
    accepts: 'undici',
    applies: (text, ours) => ours.error === 'BAD_CHUNK' && /;[^\r\n]*"/.test(text),
  },
  {
    name: 'framing in a trailer',
    reason: 'RFC 9110, 6.5.1 forbids framing fields there; undici refuses Content-Length and takes Transfer-Encoding',
    accepts: 'undici',
    applies: (_, ours) => ours.error === 'BAD_TRAILER',
  },
];

let server: Server;
let current: ResponseCase = { text: '', sizes: [], method: 'GET' };

beforeAll(async () => {
  server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once(
      'data',
      () =>
        void sendInPieces(
          current,
          (piece) => socket.write(piece),
          () => socket.end(),
        ),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
});

async function sendInPieces(
  { text, sizes }: ResponseCase,
  write: (piece: Buffer) => void,
  end: () => void,
): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    const pieceEnd = Math.min(bytes.length, at + size);
    if (pieceEnd > at) write(bytes.subarray(at, pieceEnd));
    at = pieceEnd;
    await new Promise(setImmediate);
  }
  end();
}

let askedCount = 0;

async function askUndici(method: 'GET' | 'HEAD'): Promise<UndiciOutcome> {
  askedCount += 1;
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    bodyTimeout: 5000,
    headersTimeout: 5000,
    // A long search needs more ports than one address has (only Linux has all of 127/8).
    ...(process.platform === 'linux' ? { localAddress: `127.0.1.${1 + (askedCount % 250)}` } : {}),
  });
  try {
    const response = await client.request({ path: '/', method });
    const body = Buffer.from(await response.body.arrayBuffer()).toString('latin1');
    return { status: response.statusCode, body };
  } catch (error) {
    const code = (error as Error & { code?: string }).code ?? String(error);
    // That is about this machine, not about the response.
    if (/^(EADDR|EMFILE|ENOBUFS|ECONNREFUSED|UND_ERR_CONNECT)/.test(code)) throw error;
    return { error: code };
  } finally {
    await client.destroy();
  }
}

/** Undefined when the two agree, or differ as listed. */
function unexplained(text: string, ours: Outcome, theirs: UndiciOutcome): string | undefined {
  const listed = (accepts: 'ours' | 'undici'): boolean =>
    differences.some((difference) => difference.accepts === accepts && difference.applies(text, ours));
  if ('error' in theirs) {
    return ours.error !== undefined || listed('ours')
      ? undefined
      : `undici refuses it (${theirs.error}), ours does not`;
  }
  if (ours.end !== 'complete') return listed('undici') ? undefined : `ours refuses it (${ours.error}), undici does not`;
  if (ours.status !== theirs.status) return `status ${ours.status}, undici ${theirs.status}`;
  return ours.body === theirs.body
    ? undefined
    : `body ${JSON.stringify(ours.body)}, undici ${JSON.stringify(theirs.body)}`;
}

/** Set ORACLE_RUNS for a longer search, among others each time. */
const runs = Number(process.env['ORACLE_RUNS'] ?? randomCases(2000));
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

describe('beside undici', () => {
  it.each([
    { what: 'random responses', cases, share: 1 },
    { what: 'responses with a few bytes changed', cases: mutatedCases, share: 1 },
    { what: 'random bytes', cases: noiseCases, share: 0.5 },
  ])('comes to the same outcome on $what', { timeout: 300_000 }, async ({ cases: samples, share }) => {
    let acceptedCount = 0;
    let refusedCount = 0;
    await fc.assert(
      fc.asyncProperty(samples, async (sample) => {
        current = sample;
        const theirs = await askUndici(sample.method);
        const ours = parseChunks(Buffer.from(sample.text, 'latin1'), sample.sizes, sample.method);
        if ('error' in theirs) refusedCount += 1;
        else acceptedCount += 1;
        expect(unexplained(sample.text, ours, theirs)).toBeUndefined();
      }),
      { numRuns: runs * share, ...seed },
    );
    // The samples are of both kinds, or the comparison would prove little.
    expect(Math.min(acceptedCount, refusedCount)).toBeGreaterThan((runs * share) / 40);
  });
});
