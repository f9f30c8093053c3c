// The Linux policy against the measurements of the real client, row by row: when it asks whom, whom it bans, how it
// ends. Times to 0.15 s.

import { describe, expect, it } from 'vitest';
import { linuxAssumptionList, linuxPolicy } from '../../simulator/device/linux-policy.ts';
import { policyOf } from '../../simulator/device/policies.ts';
import { windowsPolicy } from '../../simulator/device/windows-policy.ts';
import { LinuxDevice, withDelay } from './linux-device.ts';
import type { Fault, Outcome, ScriptedDownload } from './scripted-world.ts';

const minuteMs = 60_000;
const never = Number.POSITIVE_INFINITY;
const toleranceS = 0.15;
/** As measured. */
const banMs = 900_000;

/** `C 0.1, A 2.3` as measured against what was sent: the same servers, each within the tolerance. */
function expectRequests(download: ScriptedDownload, measured: string): void {
  const wanted = measured.split(', ').map((each) => each.split(' '));
  const sent = download.requestsInWords.map((each) => each.split(' '));
  const isAlike =
    sent.length === wanted.length &&
    wanted.every(([server, seconds], i) => {
      const [sentTo, sentSeconds] = sent[i] ?? [];
      return sentTo === server && Math.abs(Number(sentSeconds) - Number(seconds)) <= toleranceS + 1e-9;
    });
  if (!isAlike) expect(download.requestsInWords.join(', ')).toBe(measured);
}

type Row = {
  readonly atC: Fault | readonly Fault[];
  readonly atA?: Fault;
  readonly delayMs?: number;
  /** Server and seconds after the start. */
  readonly requests: string;
  readonly ban: 'none' | 'origin' | 'all';
  /** Default: done. */
  readonly end?: string;
};

const rows: readonly Row[] = [
  // Fault by fault at C, CDN healthy, no delay.
  { atC: 'healthy', requests: 'C 0.1', ban: 'none' },
  { atC: '4xx', requests: 'C 0.1, A 0.2', ban: 'origin' },
  { atC: '5xx', requests: 'C 0.1, A 0.2', ban: 'none' },
  { atC: 'reset', requests: 'C 0.1, A 0.2', ban: 'none' },
  { atC: 'reset in mid-body', requests: 'C 0.1, A 0.2', ban: 'none' },
  { atC: 'garbage', requests: 'C 0.1, A 0.2', ban: 'none' },
  { atC: 'refused', requests: 'C 0.1, A 0.2', ban: 'all' },
  { atC: 'SYN dropped', requests: 'C 0.1, A 3.2', ban: 'all' },
  { atC: 'no first byte', requests: 'C 0.1, A 20.2', ban: 'all' },
  { atC: 'stall in mid-body', requests: 'C 0.1, A 20.2', ban: 'all' },
  // Both fail.
  {
    atC: '5xx',
    atA: '5xx',
    requests:
      'C 0.1, A 0.2, A 2.3, C 6.4, C 14.5, A 30.6, A 60.7, C 90.8, C 120.9, A 151.0, A 181.1, C 211.2, C 241.3, A 271.4',
    ban: 'none',
    end: 'failed status5xx at 300',
  },
  { atC: '5xx', atA: '4xx', requests: 'C 0.1, A 0.2', ban: 'none', end: 'failed status4xx at 0.2' },
  { atC: '4xx', atA: '4xx', requests: 'C 0.1, A 0.2', ban: 'origin', end: 'failed status4xx at 0.2' },
  { atC: 'refused', atA: '4xx', requests: 'C 0.1, A 0.2', ban: 'all', end: 'failed status4xx at 0.2' },
  // A delay of 30 s.
  { atC: '5xx', delayMs: 30_000, requests: 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5', ban: 'none' },
  { atC: 'reset', delayMs: 30_000, requests: 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5', ban: 'none' },
  { atC: '4xx', delayMs: 30_000, requests: 'C 0.1, A 0.2', ban: 'origin' },
  { atC: 'refused', delayMs: 30_000, requests: 'C 0.1, A 2.2', ban: 'all' },
  { atC: 'no first byte', delayMs: 30_000, requests: 'C 0.1, A 22.2', ban: 'all' },
  // It acts only when a request fails or a retry is due.
  { atC: '5xx', delayMs: 10_000, requests: 'C 0.1, C 2.2, C 6.3, A 14.4', ban: 'none' },
  { atC: ['reset in mid-body', 'healthy'], delayMs: 10_000, requests: 'C 0.1, C 2.3', ban: 'none' },
  { atC: '5xx', delayMs: 0, requests: 'C 0.1, A 0.2', ban: 'none' },
  // A delay of "never".
  { atC: '4xx', delayMs: never, requests: 'C 0.1', ban: 'origin', end: 'failed status4xx at 0.1' },
  { atC: 'refused', delayMs: never, requests: 'C 0.1, A 2.2', ban: 'all' },
  {
    atC: '5xx',
    delayMs: never,
    requests:
      'C 0.1, C 2.2, C 6.3, C 14.4, C 30.5, C 60.6, C 90.7, C 120.8, C 150.9, C 181.0, C 211.1, C 241.2, C 271.3',
    ban: 'none',
    end: 'failed status5xx at 300',
  },
];

const inWords = ({ atC, atA = 'healthy', delayMs }: Row): string => {
  const delay = delayMs === undefined ? '' : `, delay ${delayMs === never ? 'never' : `${delayMs / 1000} s`}`;
  return `C ${typeof atC === 'string' ? atC : atC.join(' then ')}, CDN ${atA}${delay}`;
};

describe('the Linux policy, as measured', () => {
  it.each(rows.map((row) => [inWords(row), row] as const))('%s', (_, row) => {
    const device = new LinuxDevice(withDelay(row.delayMs));
    const download = device.start(row.atC, row.atA ?? 'healthy');
    device.world.runUntil();
    expectRequests(download, row.requests);
    const { end = '', endedAtMs = Number.NaN } = download;
    const endWithTime = end === 'done' ? end : `${end} at ${Number((endedAtMs / 1000).toFixed(1))}`;
    expect(endWithTime).toBe(row.end ?? 'done');
    expect(device.ban()).toBe(row.ban);
  });

  it('asks only the CDN without a cache host, and waits between the tries', () => {
    const device = new LinuxDevice(withDelay(undefined, 0));
    const download = device.start('healthy', ['5xx', '5xx', 'refused', 'healthy']);
    device.world.runUntil();
    expectRequests(download, 'A 0.1, A 2.2, A 6.3, A 14.4');
    expect(download.end).toBe('done');
  });

  it('uses the first of several cache hosts only, and says so', () => {
    const device = new LinuxDevice(withDelay(30_000, 3));
    const download = device.start('5xx', 'healthy');
    device.world.runUntil();
    expectRequests(download, 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5');
    const hosts = download.requests.flatMap(({ source }) => (source.kind === 'cacheHost' ? [source.index] : []));
    expect(new Set(hosts)).toEqual(new Set([0]));
    expect(linuxAssumptionList).toContainEqual(expect.objectContaining({ name: 'linux.cacheHostCountMax', value: 1 }));
  });

  it('does not wait less after progress', () => {
    const device = new LinuxDevice(withDelay(undefined, 0));
    const download = device.start('healthy', ['5xx', '5xx', 'reset in mid-body', '5xx', 'healthy']);
    device.world.runUntil();
    expectRequests(download, 'A 0.1, A 2.2, A 6.3, A 14.5, A 30.6');
  });

  it('waits from 2 s on again when a failure makes it leave its cache host, but not when a retry does', () => {
    const byFailure = new LinuxDevice(withDelay(20_000));
    const first = byFailure.start(['5xx', '5xx', 'stall in mid-body'], ['5xx', '5xx', 'healthy']);
    byFailure.world.runUntil();
    expectRequests(first, 'C 0.1, C 2.2, C 6.3, A 26.5, A 28.6, A 32.7');
    const byRetry = new LinuxDevice(withDelay(10_000));
    const second = byRetry.start('5xx', ['5xx', '5xx', 'healthy']);
    byRetry.world.runUntil();
    expectRequests(second, 'C 0.1, C 2.2, C 6.3, A 14.4, A 30.5, A 60.6');
  });

  it('stays where bytes come from, and changes sides at the second try on one without a byte', () => {
    const device = new LinuxDevice(withDelay());
    const download = device.start('5xx', ['reset in mid-body', 'reset in mid-body', '5xx', 'healthy']);
    device.world.runUntil();
    expectRequests(download, 'C 0.1, A 0.2, A 2.4, A 6.5, C 14.6, C 30.7, A 60.8');
  });

  it('asks the CDN instead of a banned host when the turn of the host comes', () => {
    const device = new LinuxDevice(withDelay());
    device.start('refused', 'healthy');
    device.world.runUntil(1000);
    const later = device.start('healthy', '5xx');
    device.world.runUntil();
    expect(new Set(later.requests.map(({ source }) => source.kind))).toEqual(new Set(['cdn']));
    expect(later.end).toBe('failed status5xx');
  });

  it('does not leave a CDN that gives bytes, though the ban of its host is over', () => {
    const device = new LinuxDevice(withDelay());
    const slow = Array.from({ length: 60 }, () => 'reset in mid-body' as const);
    const download = device.start('refused', [...slow, 'healthy']);
    device.world.runUntil();
    expect(download.end).toBe('done');
    expect(download.endedAtMs).toBeGreaterThan(banMs);
    expect(download.requests.filter(({ source }) => source.kind === 'cacheHost')).toHaveLength(1);
  });

  it('gives up 300 s after the first check at which bytes had come', () => {
    const device = new LinuxDevice(withDelay(never));
    const download = device.start(['5xx', '5xx', '5xx', 'reset in mid-body', '5xx'], 'healthy');
    device.world.runUntil();
    // The last byte came at 14.5 s, which the check at 20 s sees.
    expect(download.end).toBe('failed status5xx');
    expect(download.endedAtMs).toBe(320_000);
  });
});

describe('downloads of one Linux device', () => {
  it('leave together at the end of a window while another is open: 20 downloads, 1 at 0.1 s, 19 at 1.9 to 2.0 s', () => {
    const device = new LinuxDevice(withDelay());
    const long: Outcome = { kind: 'finishes', afterMs: minuteMs };
    const downloads = Array.from({ length: 20 }, () => device.startAnswered(() => long, 'files.test'));
    device.world.runUntil();
    const [first, ...others] = downloads.map((download) => (download.requests[0]?.atMs ?? Number.NaN) / 1000);
    expect(first).toBeCloseTo(0.1, 5);
    expect(new Set(others)).toEqual(new Set([2]));
  });

  it('count windows from the first request that was due, for starts and for retries', () => {
    const device = new LinuxDevice(withDelay());
    device.world.runUntil(500);
    device.startAnswered(() => ({ kind: 'finishes', afterMs: minuteMs }), 'files.test');
    device.world.runUntil(5200);
    const second = device.start('5xx', '5xx');
    device.world.runUntil(30_000);
    // Windows end at 2.5, 4.5, 6.5 … s.
    expect(second.requestsInWords.slice(0, 4)).toEqual(['C 6.5', 'A 8.5', 'A 12.5', 'C 18.5']);
  });

  it('wait 0.1 s again when all have ended', () => {
    const device = new LinuxDevice(withDelay());
    device.start('healthy', 'healthy');
    device.world.runUntil(1300);
    const second = device.start('healthy', 'healthy');
    device.world.runUntil();
    expect(second.requestsInWords).toEqual(['C 1.4']);
  });

  it.each([
    { fault: 'refused', other: 'cdn' },
    { fault: 'SYN dropped', other: 'cdn' },
    { fault: '4xx', other: 'cacheHost' },
  ] as const)('share a ban by $fault for 900 s, for other origins $other', ({ fault, other }) => {
    const device = new LinuxDevice(withDelay());
    const first = device.start(fault, 'healthy');
    device.world.runUntil(100);
    device.world.runUntil(10_000);
    const bannedAtMs = (first.requests[1]?.atMs ?? Number.NaN) - 100;
    const ask = (atMs: number, origin: string): string | undefined => {
      device.world.runUntil(atMs);
      const download = device.start('healthy', 'healthy', origin);
      device.world.runUntil(atMs + 500);
      return download.requests[0]?.source.kind;
    };
    expect(ask(bannedAtMs + banMs - 2000, 'files.test')).toBe('cdn');
    expect(ask(bannedAtMs + banMs - 1000, 'other.test')).toBe(other);
    expect(ask(bannedAtMs + banMs, 'files.test')).toBe('cacheHost');
  });

  it('share a ban also with a download that is under way, and against a delay', () => {
    const device = new LinuxDevice(withDelay(10 * minuteMs));
    const first = device.start('5xx', 'healthy');
    device.world.runUntil(3000);
    expectRequests(first, 'C 0.1, C 2.2');
    device.start('refused', 'healthy');
    device.world.runUntil();
    expect(first.requestsInWords[2]).toMatch(/^A/);
  });

  it('share nothing with another device', () => {
    const banned = new LinuxDevice(withDelay());
    banned.start('refused', 'healthy');
    banned.world.runUntil();
    const other = new LinuxDevice(withDelay());
    const download = other.start('healthy', 'healthy');
    other.world.runUntil();
    expectRequests(download, 'C 0.1');
  });
});

describe('the Linux client', () => {
  it('waits 3 s for a connection with a cache host configured, else 15 s; 20 s at 4 bytes per ms; asks for the rest', () => {
    const { transport } = linuxPolicy;
    expect(transport.connectTimeoutMs(withDelay())).toBe(3000);
    expect(transport.connectTimeoutMs(withDelay(undefined, 0))).toBe(15_000);
    expect(transport).toMatchObject({ stallBytesPerMs: 4, stallTimeMs: 20_000, ranges: 'rest' });
  });

  it('is found by its name', () => {
    expect(policyOf('linux')).toBe(linuxPolicy);
    expect(policyOf('windows')).toBe(windowsPolicy);
  });
});
