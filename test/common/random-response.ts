// Random HTTP/1.1 responses, right and wrong, for comparing parsers.

import fc from 'fast-check';

/** A response's bytes (Latin-1), the sizes of the pieces it is sent in (the rest in one), and what was asked with. */
export type ResponseCase = {
  readonly text: string;
  readonly sizes: readonly number[];
  readonly method: 'GET' | 'HEAD';
};

const rarely = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: odd, weight: 1 });

const statusLines = rarely(
  fc.constantFrom(
    'HTTP/1.1 200 OK',
    'HTTP/1.1 206 Partial Content',
    'HTTP/1.0 200 OK',
    'HTTP/1.1 404 Not Found',
    'HTTP/1.1 503',
    'HTTP/1.1 304 Not Modified',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 200 ',
  ),
  fc.constantFrom(
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/2.0 200 OK',
    'HTTP/1.2 200 OK',
    'http/1.1 200 OK',
    'HTTP/1.1  200 OK',
    'ICY 200 OK',
    'HTTP/1.1 100 Continue',
    'HTTP/1.1 101 Switching Protocols',
    'HTTP/1.1 2x0 OK',
    '\r\nHTTP/1.1 200 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 099 Low',
  ),
);

const plainHeaders = rarely(
  fc.constantFrom(
    'ETag: "abc"',
    'content-range: bytes 0-4/10',
    'X-CID: 100',
    'Connection: close',
    'connection: keep-alive',
    'Retry-After: 3',
    'Empty:',
    'Tabs:\ta\t',
    'Latin: \xe9\xff',
    'Via: 1.1 a, 1.1 b',
  ),
  fc.constantFrom(
    'Space : x',
    ' folded',
    ': no name',
    'no colon',
    'Null: a\x00b',
    'Bell: a\x07b',
    'Delete: \x7f',
    'B(d: x',
    'Cr: a\rb',
    'Lf: a\nb',
    '\x80: x',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding:',
    'Content-Length: 0',
  ),
);

const bodies = fc.string({
  maxLength: 40,
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
});

const lengthHeader = (length: number): fc.Arbitrary<string> =>
  rarely(
    fc.constantFrom(
      `Content-Length: ${length}`,
      `content-length:${length}`,
      `CONTENT-LENGTH: \t${length} `,
      `Content-Length: 0${length}`,
    ),
    fc.constantFrom(
      `Content-Length: ${length + 3}`,
      `Content-Length: ${Math.max(0, length - 2)}`,
      `Content-Length: +${length}`,
      `Content-Length: -${length}`,
      `Content-Length: ${length}, ${length}`,
      'Content-Length:',
      `Content-Length: 0x${length}`,
      `Content-Length: ${length}.0`,
      `Content-Length: ${length} 1`,
    ),
  );

const chunkOf = (text: string): fc.Arbitrary<string> => {
  const hex = text.length.toString(16);
  return rarely(
    fc.constantFrom(
      `${hex}\r\n${text}\r\n`,
      `00${hex.toUpperCase()}\r\n${text}\r\n`,
      `${hex};name=value\r\n${text}\r\n`,
      `${hex};a="b c";d\r\n${text}\r\n`,
    ),
    fc.constantFrom(
      `${hex} \r\n${text}\r\n`,
      `${hex}\n${text}\r\n`,
      `${hex}\r\n${text}\n`,
      `${hex}\r\n${text}x\r\n`,
      `0x${hex}\r\n${text}\r\n`,
      `;a\r\n${text}\r\n`,
      `${hex};a=\x00\r\n${text}\r\n`,
      `${hex};\r\n${text}\r\n`,
      `-${hex}\r\n${text}\r\n`,
      `${hex};a="b\r\n${text}\r\n`,
      `${hex};a b\r\n${text}\r\n`,
    ),
  );
};

const chunkEnds = rarely(
  fc.constantFrom('0\r\n\r\n', '000\r\n\r\n', '0;last\r\n\r\n', '0\r\nTrailer: x\r\nOther: y\r\n\r\n'),
  fc.constantFrom(
    '',
    '0\r\n',
    '0\n\n',
    '0\r\nbad trailer\r\n\r\n',
    '0\r\n folded\r\n\r\n',
    '0\r\nA: \x00\r\n\r\n',
    '0\r\nContent-Length: 3\r\n\r\n',
    '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  ),
);

const chunkedBody = fc
  .array(
    bodies.filter((text) => text.length > 0),
    { maxLength: 3 },
  )
  .chain((parts) => fc.tuple(fc.tuple(...parts.map(chunkOf)), chunkEnds))
  .map(([parts, end]) => parts.join('') + end);

/** Framing headers and the bytes after the head. */
const framed: fc.Arbitrary<{ readonly headers: readonly string[]; readonly body: string }> = fc.oneof(
  bodies.chain((body) => lengthHeader(body.length).map((header) => ({ headers: [header], body }))),
  bodies.chain((body) =>
    fc.tuple(lengthHeader(body.length), lengthHeader(body.length)).map((headers) => ({ headers, body })),
  ),
  fc
    .tuple(
      rarely(
        fc.constant('Transfer-Encoding: chunked'),
        fc.constantFrom(
          'transfer-encoding:CHUNKED ',
          'Transfer-Encoding: chunked, chunked',
          'Transfer-Encoding: xchunked',
          'Transfer-Encoding: chunked, gzip',
        ),
      ),
      chunkedBody,
    )
    .map(([header, body]) => ({ headers: [header], body })),
  fc.tuple(chunkedBody, fc.boolean()).map(([body, first]) => ({
    headers: first
      ? ['Content-Length: 5', 'Transfer-Encoding: chunked']
      : ['Transfer-Encoding: chunked', 'Content-Length: 5'],
    body,
  })),
  bodies.map((body) => ({ headers: [], body })),
);

const responses = fc
  .record({
    interim: rarely(
      fc.constant(''),
      fc.constantFrom(
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
        'HTTP/1.1 100 Continue\r\n\r\n',
        'HTTP/1.1 102 Processing\r\nContent-Length: 0\r\n\r\n',
      ),
    ),
    statusLine: statusLines,
    before: fc.array(plainHeaders, { maxLength: 2 }),
    framed,
    after: fc.array(plainHeaders, { maxLength: 2 }),
    lineEnd: rarely(fc.constant('\r\n'), fc.constant('\n')),
    cut: rarely(
      fc.constant(1),
      fc.nat(1000).map((thousandths) => thousandths / 1000),
    ),
  })
  .map(({ interim, statusLine, before, framed: { headers, body }, after, lineEnd, cut }) => {
    const text = interim + [statusLine, ...before, ...headers, ...after, '', ''].join(lineEnd) + body;
    return text.slice(0, Math.ceil(text.length * cut));
  });

const anyByte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));

/** Bytes that mean something somewhere in HTTP, and others. */
const tellingByte = fc.oneof(
  fc.constantFrom('\r', '\n', ' ', '\t', ':', ',', ';', '0', '1', 'a', '"', '\0', '\xff'),
  anyByte,
);

/** One wrong thing done to a text, at a place from 0 to 1 of it. */
const mutation = fc
  .record({
    kind: fc.constantFrom('replace', 'insert', 'delete', 'repeat', 'move'),
    // Not a double: those are small ones, mostly.
    place: fc.nat(1000).map((thousandths) => thousandths / 1000),
    length: fc.integer({ min: 1, max: 8 }),
    byte: tellingByte,
  })
  .map(({ kind, place, length, byte }) => (text: string): string => {
    const at = Math.floor(place * text.length);
    const [before, taken, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)];
    if (kind === 'replace') return before + byte + text.slice(at + 1);
    if (kind === 'insert') return before + byte + text.slice(at);
    if (kind === 'delete') return before + after;
    if (kind === 'repeat') return before + taken + taken + after;
    return before + after.slice(0, length) + taken + after.slice(length);
  });

const mutated = fc
  .tuple(responses, fc.array(mutation, { minLength: 1, maxLength: 3 }))
  .map(([text, mutations]) => mutations.reduce((changed, mutate) => mutate(changed), text));

/** Bytes of any kind, alone or after what looks like the beginning of a response. */
const noise = fc
  .tuple(
    fc.constantFrom('', 'HTTP/1.1 ', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'),
    fc.string({ unit: tellingByte, maxLength: 120 }),
  )
  .map(([start, bytes]) => start + bytes);

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 6 });
const methods = rarely(fc.constant('GET' as const), fc.constant('HEAD' as const));

/** Responses with a few bytes changed, lost, put in or out of place: almost right. */
export const mutatedCases: fc.Arbitrary<ResponseCase> = fc.record({ text: mutated, sizes, method: methods });

/** Random bytes. */
export const noiseCases: fc.Arbitrary<ResponseCase> = fc.record({ text: noise, sizes, method: methods });

/** Random responses, most of them right, with odd status lines, headers, framing and ends strewn in. */
export const cases: fc.Arbitrary<ResponseCase> = fc.record({
  text: responses,
  sizes,
  method: methods,
});
