// The recorded reference of the Linux client, fault by fault (facts on the Linux client, measured in 222 cases): whom it asks
// when, in seconds after the start, with which ranges, whom it bans, and how it ends.

import {
  halfBytes,
  halfThen,
  hang,
  headFor,
  healthy,
  redirect,
  reset,
  type Script,
  scaled,
  sizeBytes,
  status,
  trickle,
} from './linux-servers.ts';
import { contentOf, type RawRequest, updateId } from './raw-server.ts';

/** What the servers do; by default without a delay of the fallback, and on a clock 20 times as fast. */
export type LinuxCase = {
  readonly atC: Script | 'refused' | 'SYN dropped';
  readonly atA?: Script | undefined;
  readonly delay?: string | undefined;
  readonly scale?: number;
};

export type Ban = 'none' | 'origin' | 'all';

export type LinuxRow = LinuxCase & {
  readonly title: string;
  readonly requests: string;
  readonly ban?: Ban;
  /** Default completed. */
  readonly state?: 'failed';
};

export const rest = `${halfBytes}-${sizeBytes - 1}`;
export const s500 = status('500 Internal Server Error');
export const noLength = (request: RawRequest): string => headFor(request, { 'Content-Length': undefined });

export const linuxRows: readonly LinuxRow[] = [
  { title: 'healthy', atC: healthy, requests: 'C 0.1' },
  ...[400, 403, 404, 408, 410, 416, 429, 451].map(
    (code): LinuxRow => ({ title: `${code}`, atC: status(`${code} No`), requests: 'C 0.1, A 0.2', ban: 'origin' }),
  ),
  { title: '404 with a body', atC: status('404 Not Found', 'nothing'), requests: 'C 0.1, A 0.2', ban: 'origin' },
  ...[500, 502, 503, 504].map(
    (code): LinuxRow => ({ title: `${code}`, atC: status(`${code} No`), requests: 'C 0.1, A 0.2' }),
  ),
  { title: '503 with a body', atC: status('503 Busy', 'busy'), requests: 'C 0.1, A 0.2' },
  { title: '302 without a target', atC: status('302 Found'), requests: 'C 0.1, A 0.2' },
  { title: '304', atC: (_, socket) => socket.write('HTTP/1.1 304 Not Modified\r\n\r\n'), requests: 'C 0.1, A 0.2' },
  { title: 'reset before the head', atC: reset, requests: 'C 0.1, A 0.2' },
  { title: 'close before the head', atC: (_, socket) => void socket.end(), requests: 'C 0.1, A 0.2' },
  { title: 'garbage', atC: (_, socket) => socket.write('this is not HTTP at all\r\n\r\n'), requests: 'C 0.1, A 0.2' },
  {
    title: 'reset in mid-body',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    requests: `C 0.1, A 0.2 ${rest}`,
  },
  { title: 'close in mid-body', atC: halfThen((socket) => void socket.end()), requests: `C 0.1, A 0.2 ${rest}` },
  { title: 'refused', atC: 'refused', requests: 'A 0.2', ban: 'all' },
  { title: 'SYN dropped', atC: 'SYN dropped', requests: 'A 3.2', ban: 'all' },
  { title: 'no answer', atC: hang, requests: 'C 0.1, A 20.2', ban: 'all' },
  {
    title: 'a head and no body',
    atC: (request, socket) => socket.write(headFor(request)),
    requests: 'C 0.1, A 20.2',
    ban: 'all',
  },
  { title: 'stall in mid-body', atC: halfThen(() => undefined), requests: `C 0.1, A 25.2 ${rest}`, ban: 'all' },
  { title: '4,400 B/s', atC: trickle(4400), requests: 'C 0.1' },
  ...[301, 302, 303, 307, 308].map(
    (code): LinuxRow => ({
      title: `${code} to the CDN`,
      atC: scaled(redirect(code, () => `http://au.download.windowsupdate.com/filestreamingservice/files/${updateId}`)),
      requests: 'C 0.1, A 0.1',
    }),
  ),
  {
    title: '302 to the CDN by address',
    atC: scaled(redirect(302, ({ host, port }) => `http://${host}:${port}/there`)),
    requests: 'C 0.1, A 0.1',
  },
  {
    title: '302 to where nobody is',
    atC: scaled(redirect(302, () => 'http://nobody.test/there')),
    requests: 'C 0.1, A 0.2',
    ban: 'all',
  },
  {
    title: '302 to a target that fails with 404',
    atC: scaled(redirect(302, ({ host, port }) => `http://${host}:${port}/there`)),
    atA: [status('404 Not Found'), healthy],
    requests: 'C 0.1, A 0.1, A 0.2',
    ban: 'origin',
  },
  {
    title: '302 round in a circle',
    atC: status('302 Found\r\nLocation: /again'),
    requests: `${Array.from({ length: 11 }, () => 'C 0.1').join(', ')}, A 0.2`,
  },
  { title: 'C anything, A 404', atC: s500, atA: status('404 Not Found'), requests: 'C 0.1, A 0.2', state: 'failed' },
  {
    title: 'C 404, A 403',
    atC: status('404 Not Found'),
    atA: status('403 No'),
    requests: 'C 0.1, A 0.2',
    ban: 'origin',
    state: 'failed',
  },
  { title: 'delay 30 s, 500', atC: s500, delay: '30 s', requests: 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5' },
  { title: 'delay 30 s, reset', atC: reset, delay: '30 s', requests: 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5' },
  { title: 'delay 30 s, 404', atC: status('404 Not Found'), delay: '30 s', requests: 'C 0.1, A 0.2', ban: 'origin' },
  { title: 'delay 30 s, refused', atC: 'refused', delay: '30 s', requests: 'A 2.2', ban: 'all' },
  { title: 'delay 30 s, no answer', atC: hang, delay: '30 s', requests: 'C 0.1, A 22.2', ban: 'all' },
  { title: 'delay 10 s, 500', atC: s500, delay: '10 s', requests: 'C 0.1, C 2.2, C 6.3, A 14.4' },
  {
    title: 'delay never, 404',
    atC: status('404 Not Found'),
    delay: 'never',
    requests: 'C 0.1',
    ban: 'origin',
    state: 'failed',
  },
  { title: 'delay never, refused', atC: 'refused', delay: 'never', requests: 'A 2.2', ban: 'all' },
  {
    title: 'range lines that pile up',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: [s500, s500, healthy],
    requests: `C 0.1, A 0.2 ${rest}, A 2.3 ${rest} ${rest}, C 6.4 ${rest} ${rest} ${rest}, C 14.5 ${[rest, rest, rest, rest].join(' ')}, A 30.6 ${[rest, rest, rest, rest, rest].join(' ')}`,
  },
  {
    title: 'a 206 without Content-Range',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: (request, socket) => socket.write(headFor(request, { 'Content-Range': undefined })),
    requests: `C 0.1, A 0.2 ${rest}`,
    state: 'failed',
  },
  {
    title: 'a 206 with a total of *',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: (request, socket) => socket.write(headFor(request, { 'Content-Range': `bytes ${rest}/*` })),
    requests: `C 0.1, A 0.2 ${rest}`,
    state: 'failed',
  },
  {
    title: 'a 206 with a lower-case content-range',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: (request, socket) =>
      socket.write(headFor(request, { 'Content-Range': undefined, 'content-range': `bytes ${rest}/${sizeBytes}` })),
    requests: `C 0.1, A 0.2 ${rest}`,
    state: 'failed',
  },
  {
    title: 'no Content-Length, and then an interruption: the agent aborts',
    atC: (request, socket, sent) => {
      socket.write(headFor(request, { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }));
      socket.write('100\r\n');
      socket.write(contentOf({ start: 0, end: 256 }), () => setTimeout(() => socket.resetAndDestroy(), 5));
      sent(256);
    },
    requests: 'C 0.1',
    state: 'failed',
  },
  {
    title: 'a lower-case content-length, and then an interruption: the agent aborts',
    atC: (request, socket, sent) => {
      socket.write(headFor(request, { 'Content-Length': undefined, 'content-length': String(sizeBytes) }));
      socket.write(contentOf({ start: 0, end: 256 }), () => setTimeout(() => socket.resetAndDestroy(), 5));
      sent(256);
    },
    requests: 'C 0.1',
    state: 'failed',
  },
  {
    title: 'a lower-case content-length, and no interruption',
    atC: (request, socket, sent) => {
      socket.write(headFor(request, { 'Content-Length': undefined, 'content-length': String(sizeBytes) }));
      socket.write(contentOf({ start: 0, end: sizeBytes }));
      sent(sizeBytes);
    },
    requests: 'C 0.1',
  },
  {
    title: 'no length, and a close at the end',
    atC: (request, socket, sent) => {
      socket.write(noLength(request));
      socket.end(contentOf({ start: 0, end: sizeBytes }));
      sent(sizeBytes);
    },
    requests: 'C 0.1',
  },
];
