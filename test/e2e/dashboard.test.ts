// `sim run --ui`, as its user has it: a real run that is watched in a real browser, and by a plain client, to its end or to Ctrl-C.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { StreamReader } from '../dashboard/course.ts';
import { canLookUp, eventually, SimRun } from './sim-run.ts';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (program === undefined)
  process.stderr.write('skipped: a run watched in a browser (Chromium is not installed here)\n');

/** Runs a command in a terminal of its own (util-linux). */
const script = '/usr/bin/script';

const watched = `
name: Watched
question: Does the page grow with its run?
seed: 7
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq, limit: { egress: 160 Mbit/s } }]
fleet: [{ id: office, devices: 24, cacheHosts: [hq], wants: [update], arrive: { over: 6 s } }]
events: [{ at: 1500 ms, version: update }]
expect: [devices.completedRatio == 1, cdn.requestCount >= 1]
`;

async function urlOf(run: SimRun): Promise<string> {
  await run.says(/Watch it at \S+/);
  return /Watch it at (\S+)/.exec(run.stderr)?.[1] ?? '';
}

describe.concurrent('sim run --ui', () => {
  test.skipIf(program === undefined)(
    'in a browser: values come, the event appears, the last page is the report; it stays until it is closed',
    { timeout: 60_000 },
    async () => {
      const run = new SimRun(watched, { options: ['--ui', '0'], world: 'both' });
      const browser = await chromium.launch({
        ...(program === undefined ? {} : { executablePath: program }),
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      });
      try {
        const page = await browser.newPage();
        await page.goto(await urlOf(run));
        const ask = <Value>(expression: string): Promise<Value> => page.evaluate<Value>(expression);
        const until = async (expression: string): Promise<void> => {
          while (!(await ask<boolean>(expression))) await new Promise((resolve) => setTimeout(resolve, 20));
        };
        const table = `document.querySelector('[data-plot="measurement-egress"]')?.closest('figure').querySelectorAll('tbody tr').length`;
        const isPreliminary = `/so far|not yet/.test(document.getElementById('answer').textContent)`;
        await until(`document.title === 'Running: Watched' && ${table} > 0 && ${isPreliminary}`);
        const first = await ask<number>(table);
        await until(`${table} > ${first}`);
        await until(`document.querySelectorAll('#measurement .events li').length === 1`);

        await page.getByText('judged expectations').waitFor();
        const { verdict, reason } = run.result();
        expect(await page.title()).toBe(`${verdict.toUpperCase()}: Watched`);
        expect(await page.locator('#answer .reason').textContent()).toBe(reason);
        expect(await ask(isPreliminary)).toBe(false);
        await run.says(/The report stays at \S+ as long as it is open there/);
        expect(run.child.exitCode).toBeNull();
        await page.close();
        expect(await run.exitCode()).toBe(0);
      } finally {
        await browser.close();
      }
    },
  );

  test('read by a plain client, which comes late: it has everything; Ctrl-C ends the run with what was measured', async () => {
    const run = new SimRun(watched, { options: ['--ui', '0'], set: { 'fleet.0.arrive.over': '60 s' } });
    const url = await urlOf(run);
    await run.isDownloading(4e6);
    const reader = new StreamReader(url);
    const page = await reader.until(({ plots }) => plots['measurement-egress'] !== undefined);
    expect(page).toMatchObject({ title: 'Running: Watched' });
    run.signal('SIGINT');
    const last = await reader.until(({ ended }) => ended !== undefined);
    expect(last.title).toBe('INTERRUPTED: Watched');
    await reader.untilEnded();
    expect(await run.exitCode()).toBe(130);
    expect(run.result().verdict).toBe('interrupted');
  });

  test('in the virtual world: the report is there at the end, when it is still read', async () => {
    // Of a second: a shorter run may be over before its reader comes.
    const run = new SimRun('scenarios/enterprise.yaml', { world: 'virtual', options: ['--ui', '0'] });
    const reader = new StreamReader(await urlOf(run));
    const last = await reader.until(({ ended }) => ended !== undefined);
    expect(last.title).toBe('PASS: Large enterprise, 35,000 devices');
    run.signal('SIGINT');
    expect(await run.exitCode()).toBe(0);
  });

  test('with nobody at the page and no terminal, and in CI, it does not wait', async () => {
    const alone = new SimRun('scenarios/smoke.yaml', { world: 'virtual', options: ['--ui', '0'] });
    expect(await alone.exitCode()).toBe(0);
    expect(alone.stderr).toContain('The page ends with the run: nobody has it open, and there is no terminal.');
    const ci = new SimRun('scenarios/enterprise.yaml', {
      world: 'virtual',
      options: ['--ui', '0'],
      prefix: ['env', 'CI=true'],
    });
    const reader = new StreamReader(await urlOf(ci));
    const last = await reader.until(({ ended }) => ended !== undefined);
    expect(last.title).toContain('PASS');
    expect(await ci.exitCode()).toBe(0);
    expect(ci.stderr).toContain('The page ends with the run: this is CI.');
  });

  test.skipIf(!canLookUp || !existsSync(script))(
    'in a terminal it stays until Ctrl-C, and the exit code is that of the run',
    async () => {
      const run = new SimRun('scenarios/smoke.yaml', {
        world: 'virtual',
        options: ['--ui', '0'],
        set: { 'expect.0': 'devices.completedRatio == 0' },
        prefix: ['bash', '-c', `exec ${script} -qec "$(printf '%q ' "$@")" /dev/null`, '-'],
      });
      const stays = /The report stays at \S+ until Ctrl-C/;
      await eventually('the end of the run', () => (stays.test(run.stdout) ? true : undefined), 20_000);
      const own = run.processes('sim.js').at(-1);
      process.kill(own?.pid ?? 0, 'SIGINT');
      expect(await run.ended).toBe(1);
      await run.leavesNothing();
    },
  );

  test('an address that is none, and a run in shards, are refused before anything runs', async () => {
    const none = new SimRun('scenarios/smoke.yaml', { world: 'virtual', options: ['--ui', 'nowhere'] });
    expect(await none.exitCode()).toBe(2);
    expect(none.stderr).toContain('Expected a port or host:port, such as 7080; found "nowhere".');
    const shard = new SimRun('scenarios/smoke.yaml', { options: ['--ui', '0', '--shard', '0/2'] });
    expect(await shard.exitCode()).toBe(2);
    expect(shard.stderr).toContain('--ui: a run in shards cannot be watched on a page');
    expect(none.wroteResult()).toBe(false);
  });
});
