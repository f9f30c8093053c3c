// The page's server, asked by plain clients: what it serves, to whom, and that a reader who does not read costs nothing.

import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OperatorError } from '../../common/errors.ts';
import { Dashboard } from '../../simulator/dashboard/dashboard.ts';
import { isOwnName } from '../../simulator/dashboard/page-server.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { resultOf, withMeasurement } from '../reports/some-results.ts';
import { addressOf, ask, openDashboard, portOf, progressAt, runUntil, StreamReader } from './course.ts';

let result: Result;
let claim: Run;
let measurement: Run;
beforeAll(async () => {
  result = withMeasurement(await resultOf('failover'));
  const [first, second] = result.runs;
  if (first === undefined || second === undefined) throw new Error('a claim and a measurement');
  [claim, measurement] = [first, second];
});

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function open(): Promise<Dashboard> {
  const dashboard = await openDashboard(result);
  opened.push(dashboard);
  return dashboard;
}

function read({ url }: Dashboard): StreamReader {
  const reader = new StreamReader(url);
  opened.push(reader);
  return reader;
}

describe('a reader of the stream', () => {
  it('gets all that is known at once, then what comes, at last the report, and the end of the stream', async () => {
    const dashboard = await open();
    dashboard.add(claim);
    const reader = read(dashboard);
    const first = await reader.until(() => true);
    expect(first.title).toBe('Starting: Failover, 2,000 devices');
    expect(Object.keys(first.plots)).toContain('claim-egress');
    expect(first).not.toHaveProperty('ended');

    dashboard.show(progressAt(4, 41));
    dashboard.take(runUntil(measurement, 6));
    const six = await reader.until(({ plots }) => plots['measurement-egress'] !== undefined);
    expect(six.title).toBe('Running: Failover, 2,000 devices');
    expect(six.main).toContain('for 0:04 min; what stands below is preliminary');
    expect(six.main).toMatch(/<dt>completed<\/dt><dd>41<\/dd>/);
    dashboard.take(runUntil(measurement, 9));
    const pointsOf = (page: typeof six): number => page.plots['measurement-egress']?.lines[0]?.points.length ?? 0;
    expect(pointsOf(six)).toBe(6);
    expect(pointsOf(await reader.until((page) => pointsOf(page) > 6))).toBe(9);

    dashboard.end(result, 'out/failover');
    const last = await reader.until(({ ended }) => ended !== undefined);
    expect(last).toMatchObject({
      title: `${result.verdict.toUpperCase()}: Failover, 2,000 devices`,
      ended: 'The run has ended; its report is in out/failover.',
    });
    expect(last.main).toContain(result.reason);
    await dashboard.close();
    await reader.untilEnded();
  });

  it('sees verdicts of a run that goes on as preliminary, those of one that has ended as they are', async () => {
    const dashboard = await open();
    dashboard.add(claim);
    dashboard.take(runUntil(measurement, 5));
    const { main } = await read(dashboard).until(() => true);
    const rows = [...main.matchAll(/<tr role="row"><th role="rowheader".*?<\/tr>/gs)].map(([row]) => row);
    const live = rows.filter((row) => row.includes('>live<'));
    const virtual = rows.filter((row) => row.includes('>virtual<'));
    expect(live.length).toBeGreaterThan(2);
    expect(live.filter((row) => !/class="verdict (note|doubt)".*(so far|not yet)/s.test(row))).toEqual([]);
    expect(virtual.filter((row) => row.includes('so far'))).toEqual([]);
    expect(main).toContain('What is said of the measurement is preliminary');
  });

  it('sees a wrong byte as what it is at once: nothing makes it good again', async () => {
    const [judged] = measurement.expectations;
    if (judged === undefined) throw new Error('something that is expected');
    const failed = (metric: string) => ({ ...judged, metric, text: `${metric} == 0`, verdict: 'fail' as const });
    const expectations = ['integrity.corruptBytes', 'range.failedCount'].map(failed);
    const dashboard = await openDashboard({ ...result, runs: [{ ...measurement, expectations }] });
    opened.push(dashboard);
    dashboard.take(runUntil(measurement, 5));
    const { main } = await read(dashboard).until(() => true);
    const looks = [...main.matchAll(/class="verdict ([a-z]+)"><span aria-hidden="true">.<\/span> ([a-z ]+)/gi)];
    expect(looks.map(([, ground, words]) => [ground, words])).toEqual([
      ['fail', 'FAIL'],
      ['doubt', 'not so far'],
    ]);
  });

  it('of a run that could not be carried out is told why', async () => {
    const dashboard = await open();
    dashboard.fail('node hq: expected a free port, found <EADDRINUSE>');
    const page = await read(dashboard).until(({ ended }) => ended !== undefined);
    expect(page.title).toBe('Could not run: Failover, 2,000 devices');
    expect(page.main).toContain('expected a free port, found &lt;EADDRINUSE&gt;');
  });

  it('that does not read holds nothing up, and when it reads again it gets the newest page, not all it has missed', async () => {
    const dashboard = await open();
    dashboard.add(claim);
    const lazy = net.connect(portOf(dashboard.url), '127.0.0.1');
    opened.push({ close: () => lazy.destroy() });
    lazy.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(lazy, 'readable');
    lazy.pause();
    const eager = read(dashboard);
    await eager.until(() => true);
    expect(dashboard.readerCount).toBe(2);
    // Each of these is shown at once: far more than sockets buffer, if anybody kept them.
    for (let count = 1; count <= 80; count += 1) {
      dashboard.fail(`attempt ${count} ${'x'.repeat(400_000)}`);
      if (count % 20 === 0) await eager.until(({ main }) => main.includes(`attempt ${count} `));
    }
    expect(dashboard.unreadBytes).toBeLessThan(2_000_000);
    let got = '';
    lazy.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
    });
    lazy.resume();
    while (!got.includes('attempt 80 ')) await once(lazy, 'data');
    expect(got.split('event: page').length).toBeLessThan(60);
  });

  it('is one of 64 at most: the next one is told so, and the others go on', async () => {
    const dashboard = await open();
    const readers = Array.from({ length: 64 }, () => read(dashboard));
    for (const reader of readers) await reader.until(() => true);
    const { status, text } = await ask(dashboard.url, '/events');
    expect({ status, text }).toEqual({ status: 503, text: '64 pages are open already.\n' });
    dashboard.end(result, 'out');
    for (const reader of readers) await reader.until(({ ended }) => ended !== undefined);
  });
});

describe('without a reader', () => {
  it('no page is made of what happens', async () => {
    let concluded = 0;
    const dashboard = await Dashboard.open({
      listen: { host: '127.0.0.1', port: 0 },
      expected: [],
      conclude: () => {
        concluded += 1;
        return result;
      },
    });
    opened.push(dashboard);
    for (let second = 1; second <= 20; second += 1) dashboard.take(runUntil(measurement, second));
    expect(concluded).toBe(0);
    await ask(dashboard.url, '/');
    expect(concluded).toBe(1);
  });

  it('it does not stay; with one, until that one has gone and not come back', async () => {
    const dashboard = await open();
    const reader = read(dashboard);
    await reader.until(() => true);
    const never = new AbortController().signal;
    let isOver = false;
    const over = dashboard.untilUnread(never).then(() => {
      isOver = true;
    });
    reader.close();
    const again = read(dashboard);
    await again.until(() => true);
    expect(isOver).toBe(false);
    again.close();
    await over;
    await dashboard.untilUnread(AbortSignal.abort());
  });
});

describe('the server', () => {
  it('serves one page with a strict policy, which asks nobody else for anything', async () => {
    const dashboard = await open();
    dashboard.add(claim);
    const { status, headers, text } = await ask(dashboard.url, '/');
    expect(status).toBe(200);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[^']+'; connect-src 'self'; /);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(text).toContain('<h1 id="question">What happens when the node dies');
    const outside = [...text.replace(/<script>.*?<\/script>/gs, '').matchAll(/(?:src|href)="(?!#|data:)[^"]*"/g)];
    expect(outside.map(([found]) => found)).toEqual([]);
    expect((await ask(dashboard.url, '/', { method: 'HEAD' })).text).toBe('');
  });

  it.each([
    { path: '/x', options: {}, status: 404 },
    { path: '/', options: { method: 'POST' }, status: 405 },
    { path: '/', options: { headers: { host: 'evil.example' } }, status: 421 },
    { path: '/events', options: { headers: { host: 'evil.example:7080' } }, status: 421 },
    { path: '/events', options: { headers: { 'sec-fetch-site': 'cross-site' } }, status: 403 },
  ])('answers $path with $options by $status and a sentence', async ({ path, options, status }) => {
    const dashboard = await open();
    const answer = await ask(dashboard.url, path, options);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(/^[A-Z].+\.\n$/);
  });

  it.each([
    ['127.0.0.1:7080', '127.0.0.1', true],
    ['localhost:9999', '127.0.0.1', true],
    ['[::1]:7080', '127.0.0.1', true],
    ['192.0.2.7:7080', '0.0.0.0', true],
    ['LAB-7:7080', 'lab-7', true],
    ['lab-7', '127.0.0.1', false],
    ['localhost.evil.example', '127.0.0.1', false],
    ['127.0.0.1.evil.example', '127.0.0.1', false],
    ['evil.example@127.0.0.1', '127.0.0.1', false],
    ['', '127.0.0.1', false],
  ])('takes a reader who asks for %j (listening at %s): %s', (header, listens, isTaken) => {
    expect(isOwnName(header, listens)).toBe(isTaken);
  });

  it('listens on this machine alone, and says when its port is taken', async () => {
    const dashboard = await open();
    expect(dashboard.isOpenToOthers).toBe(false);
    const taken = Dashboard.open({
      listen: { host: '127.0.0.1', port: portOf(dashboard.url) },
      expected: [],
      conclude: () => result,
    });
    const error = await taken.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OperatorError);
    expect(error).toMatchObject({
      code: 'PORT_TAKEN',
      exitCode: 3,
      message: `--ui ${addressOf(dashboard.url)}: expected an address of this machine that is free, found EADDRINUSE. Choose another one; port 0 takes any.`,
    });
  });
});
