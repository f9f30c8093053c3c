import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { glanceAtLog } from '../../simulator/replay/choose-format.ts';
import { PartRequests, readAheadCountMax, type TimedRequest } from '../../simulator/replay/part-requests.ts';
import { ReorderBuffer } from '../../simulator/replay/reorder.ts';
import { surveyLog } from '../../simulator/replay/survey.ts';
import type { SurveyedLog } from '../../simulator/scenario/replay-spec.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { combinedLine, scenarioOfLog, type WrittenRequest, writtenLog } from './written-log.ts';

const numRuns = Number(process.env['ORACLE_RUNS'] ?? 60);
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

const surveyOf = (path: string, more = ''): Promise<Scenario> =>
  surveyLog(scenarioOfLog(path, more), new AbortController().signal, () => undefined);
const found = (scenario: Scenario): SurveyedLog => {
  if (scenario.replay?.surveyed === undefined) throw new Error('not surveyed');
  return scenario.replay.surveyed;
};
async function requestsOf(
  scenario: Scenario,
  part = { index: 0, count: 1 },
  countMax?: number,
): Promise<TimedRequest[]> {
  const requests: TimedRequest[] = [];
  for await (const request of new PartRequests(scenario, part, countMax).read()) requests.push(request);
  return requests;
}

describe('the survey of a log', () => {
  it('finds its objects with their sizes, its devices, and what is of no use', async () => {
    const lines: WrittenRequest[] = [
      { client: '10.0.0.1', request: 'GET /a HTTP/1.1', bytes: 1000 },
      { client: '10.0.0.1', request: 'GET /a HTTP/1.1', bytes: 700, second: 1 },
      { client: '2001:db8::1', request: 'GET /b?cacheHostOrigin=b.test HTTP/1.1', status: 200, bytes: 5000, second: 2 },
      { client: '2001:db8::1', request: 'GET /b?cacheHostOrigin=b.test HTTP/1.1', status: 206, bytes: 4000, second: 3 },
      { client: '2001:db8::1', request: 'GET /b?cacheHostOrigin=b.test HTTP/1.1', status: 206, bytes: 4000, second: 4 },
      { client: '10.0.0.1', request: 'HEAD /a HTTP/1.1', second: 5 },
      { client: '10.0.0.1', request: 'GET /none HTTP/1.1', status: 404, second: 6 },
    ];
    const path = writtenLog(`${lines.map(combinedLine).join('')}garbage\n`);
    const scenario = await surveyOf(path, 'unusableRatioMax: 0.2');
    expect(scenario.content).toEqual([
      { id: 'log-1', host: 'au.download.windowsupdate.com', path: '/a', sizeBytes: 1700 },
      { id: 'log-2', host: 'b.test', path: '/b', sizeBytes: 5000 },
    ]);
    expect(scenario.fleet[0]?.devices).toBe(2);
    expect(found(scenario)).toMatchObject({
      formatName: 'nginx combined',
      lineCount: 8,
      requestCount: 5,
      requestedBytes: 14_700,
      deviceCount: 2,
      activeDeviceCountMax: 2,
      leftOut: { method: 1, status: 1 },
      unusable: { format: 1 },
      unusableExamples: ['line 8, not of the format: "garbage"'],
      assumedPositionCount: 4,
      assumedHostCount: 2,
      spreadCount: 5,
      minimumSizeCount: 1,
      hitRatioBytes: undefined,
    });
    const requests = await requestsOf(scenario);
    expect(requests.map(({ content, start, bytes, isWhole }) => [content.id, start, bytes, isWhole])).toEqual([
      ['log-1', 0, 1000, false],
      ['log-1', 1000, 700, false],
      ['log-2', 0, 5000, true],
      // It begins again past the end, which the 200 told.
      ['log-2', 0, 4000, false],
      ['log-2', 0, 4000, false],
    ]);
    expect(requests[0]?.atMs).toBe(0);
  });

  it('says what of the log came from its cache, where all of its lines do', async () => {
    const line = { time: '2026-11-20T08:00:00.000Z', client: 'a', method: 'GET', target: '/a', status: 200 };
    const lines = [
      { ...line, bodyBytes: 100, hitBytes: 100 },
      { ...line, bodyBytes: 300, hitBytes: 0 },
    ];
    const path = writtenLog(lines.map((each) => `${JSON.stringify(each)}\r\n`).join(''));
    expect(found(await surveyOf(path))).toMatchObject({ hitRatioBytes: 0.25, hitRatioRequests: 0.5 });
  });

  it('takes a part by its time, and speed makes it shorter', async () => {
    const path = writtenLog(Array.from({ length: 100 }, (_, second) => combinedLine({ second })).join(''));
    const scenario = await surveyOf(path, 'from: "2026-11-20T09:00:20+01:00", for: 30 s, speed: 10');
    expect(found(scenario)).toMatchObject({ requestCount: 30, outsideCount: 70 });
    const requests = await requestsOf(scenario);
    expect(requests).toHaveLength(30);
    expect(requests.at(-1)?.atMs).toBeCloseTo(found(scenario).durationMs / 10, 6);
    const first = await surveyOf(path, 'for: 30 s');
    expect(await requestsOf(first)).toHaveLength(found(first).requestCount);
  });

  it('reads no further than the part that is replayed', async () => {
    const hours = [0, 0, 1, 3, 30].map((hour, i) => combinedLine({ second: hour * 3600 + i }));
    const path = writtenLog(hours.map((line) => line + line.repeat(400)).join(''));
    const { lineCount, requestCount } = found(await surveyOf(path, 'for: 10 min'));
    expect(requestCount).toBe(802);
    expect(lineCount).toBeLessThan(2005);
  });

  it.each([
    ['an empty file', '', /access\.log: expected at least one line, found an empty file/],
    ['lines without text', '\n\r\n\n', /expected a line with a request, found none/],
    [
      'another format',
      'one\ntwo\n',
      /:1: expected a line of nginx combined, found "one" \(not of the format\)\. Name its log_format/,
    ],
    [
      'binary garbage',
      Buffer.from([0, 1, 2, 255, 10, 0, 200]),
      /:1: expected a line of nginx combined, found "\.\.\.\." \(not of/,
    ],
    [
      'nothing to replay',
      combinedLine({ status: 500 }),
      /expected a GET that was answered by 200 or 206, found 1 lines, of which 1/,
    ],
    [
      'too many lines of another format',
      `${combinedLine({}).repeat(9)}{"time":1}\n`,
      /at most 5 % .* found 1 of 10:\n {2}line 10, not of the format/,
    ],
    [
      'a last line that is cut',
      combinedLine({}).repeat(9) + combinedLine({}).trimEnd(),
      /line 10, no line end: cut short/,
    ],
  ])('of %s is an error that says so', async (_what, content, message) => {
    await expect(surveyOf(writtenLog(content))).rejects.toThrow(message);
  });

  it('can be interrupted', async () => {
    const interrupted = surveyLog(scenarioOfLog(writtenLog(combinedLine({}))), AbortSignal.abort(), () => undefined);
    await expect(interrupted).rejects.toMatchObject({ exitCode: 130 });
  });
});

describe('a glance at a log', () => {
  it('finds its format and the time of its first request', async () => {
    const { replay } = scenarioOfLog(writtenLog(gzipSync(combinedLine({})), 'a.gz'));
    if (replay === undefined) throw new Error('a replay');
    expect(await glanceAtLog(replay)).toEqual({
      formatName: 'nginx combined',
      firstTimeMs: Date.parse('2026-11-20T08:00:00Z'),
    });
  });
});

describe('the requests of a part', () => {
  it('are all of the log, each in one part, in order, within their objects', async () => {
    const entry = fc.record({
      client: fc.integer({ min: 0, max: 8 }).map((n) => `10.0.0.${n}`),
      second: fc.nat(40),
      object: fc.nat(3),
      bytes: fc.integer({ min: 1, max: 5000 }),
      status: fc.constantFrom(200, 206, 206, 206),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        async (entries, count) => {
          const lines = entries.map(({ object, ...rest }) =>
            combinedLine({ ...rest, request: `GET /${object} HTTP/1.1` }),
          );
          const scenario = await surveyOf(writtenLog(lines.join('')));
          const parts = await Promise.all(
            Array.from({ length: count }, (_, index) => requestsOf(scenario, { index, count })),
          );
          for (const part of parts) {
            expect(part.map(({ atMs }) => atMs)).toEqual(part.map(({ atMs }) => atMs).sort((a, b) => a - b));
            for (const { start, bytes, content } of part) expect(start + bytes).toBeLessThanOrEqual(content.sizeBytes);
          }
          const all = parts.flat();
          const bytesByObject = (of: readonly (readonly [string, number])[]): Record<string, number> => {
            const sums: Record<string, number> = {};
            for (const [path, bytes] of of) sums[path] = (sums[path] ?? 0) + bytes;
            return sums;
          };
          expect(all).toHaveLength(entries.length);
          expect(bytesByObject(all.map(({ content, bytes }) => [content.path, bytes]))).toEqual(
            bytesByObject(entries.map(({ object, bytes }) => [`/${object}`, bytes])),
          );
          const devices = parts.map((part) => new Set(part.map(({ device }) => device)));
          expect(devices.reduce((sum, { size }) => sum + size, 0)).toBe(found(scenario).deviceCount);
        },
      ),
      { numRuns, ...seed },
    );
  });

  it('hold a bounded number of 300,000 lines, and so does the gz file that they are in', async () => {
    const block = Array.from({ length: 1000 }, (_, i) => {
      const request = `GET /filestreamingservice/files/${i % 97}?P1=1&P2=2 HTTP/1.1`;
      return combinedLine({ client: `10.1.0.${i % 250}`, second: i / 500, request });
    });
    const path = writtenLog(Buffer.concat(new Array<Buffer>(300).fill(gzipSync(block.join('')))), 'access.log.gz');
    const scenario = await surveyOf(path);
    expect(found(scenario)).toMatchObject({ lineCount: 3e5, requestCount: 3e5, deviceCount: 250 });
    expect(scenario.content).toHaveLength(97);
    const part = new PartRequests(scenario, { index: 1, count: 3 });
    let count = 0;
    for await (const _ of part.read()) count += 1;
    expect(count % 1200).toBe(0);
    expect(count).toBeGreaterThan(60_000);
    expect(part.heldCountMax).toBe(readAheadCountMax);
  });
});

describe('what comes almost in order', () => {
  it('is put in order by a buffer as large as the furthest displacement', () => {
    const items = fc.array(fc.nat(50), { maxLength: 100 });
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 100 }), (times, countMax) => {
        const buffer = new ReorderBuffer<{ atMs: number; number: number }>(countMax);
        const out = times.flatMap((atMs, number) => buffer.push({ atMs, number }, atMs) ?? []);
        for (let next = buffer.shift(); next !== undefined; next = buffer.shift()) out.push(next);
        // Nothing is lost, times never run back, and equal times stay in the order of the log.
        expect(out.map(({ item }) => item.number).sort((a, b) => a - b)).toEqual(times.map((_, number) => number));
        expect(out.map(({ atMs }) => atMs)).toEqual(out.map(({ atMs }) => atMs).sort((a, b) => a - b));
        expect(buffer.heldCountMax).toBeLessThanOrEqual(countMax);
        const moved = out.filter(({ item, atMs }) => item.atMs !== atMs).length;
        expect(buffer.lateCount).toBe(moved);
        if (countMax >= times.length) {
          expect(moved).toBe(0);
          const sorted = [...times.entries()].sort(([a, x], [b, y]) => x - y || a - b).map(([number]) => number);
          expect(out.map(({ item }) => item.number)).toEqual(sorted);
        }
      }),
      { numRuns, ...seed },
    );
  });
});
