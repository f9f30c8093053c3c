// What fetches hold in memory while their drive is slow: bounded over all of them, not only one by one.

import { expect, it } from 'vitest';
import { Fetch } from '../../cache/owner/fetch.ts';
import { parseResponseHead } from '../../common/http-response-head.ts';

const mebibyte = 2 ** 20;
const fetchCount = 200;

it('two hundred fetches whose drive does not write stop reading at 128 MiB together, and go on when it does', async () => {
  const length = 4 * mebibyte;
  const head = parseResponseHead(['HTTP/1.1 200 OK', `Content-Length: ${length}`, 'ETag: "a"', '', ''].join('\r\n'));
  if (typeof head === 'string') throw new Error(head);
  const part = Buffer.alloc(64 * 1024);
  const writes: (() => void)[] = [];
  let endedCount = 0;
  const upstreams = Array.from({ length: fetchCount }, () => {
    const upstream = { left: length, isPaused: false };
    const fetch = new Fetch(
      {
        answered: () => 'store',
        write: () => new Promise((resolve) => writes.push(resolve)),
        ended: (failure) => {
          if (failure === undefined) endedCount += 1;
        },
      },
      undefined,
    );
    fetch.exchange = {
      abort: () => undefined,
      pause: () => {
        upstream.isPaused = true;
      },
      resume: () => {
        upstream.isPaused = false;
      },
    };
    fetch.onHead(head);
    return { upstream, fetch };
  });
  const readAll = (): number => {
    let readBytes = 0;
    for (let isMore = true; isMore; ) {
      isMore = false;
      for (const { upstream, fetch } of upstreams) {
        if (upstream.left === 0 || upstream.isPaused) continue;
        upstream.left -= part.length;
        readBytes += part.length;
        fetch.onBody(part, 0, part.length);
        if (upstream.left === 0) fetch.onEnd();
        isMore = true;
      }
    }
    return readBytes;
  };
  expect(readAll()).toBeLessThanOrEqual(128 * mebibyte + fetchCount * 2 * part.length);
  while (endedCount < fetchCount) {
    for (const written of writes.splice(0)) written();
    await new Promise(setImmediate);
    readAll();
  }
  expect(upstreams.every(({ upstream }) => upstream.left === 0)).toBe(true);
});
