// A user's `sim saturate`: the real node against a limit that is known, an interrupt, and what is refused.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Saturation } from '../../simulator/result/saturation.ts';
import { runsLongTests } from '../long-tests.ts';
import { SimRun } from './sim-run.ts';

/** Many small ranges: in a short window one more or less of them is no matter. */
const files = Array.from({ length: 60 }, (_, i) => `f${i}`);
const limited = `name: Limited
content: [${files.map((id) => `{ id: ${id}, size: 100 kB }`).join(', ')}]
nodes: [{ id: hq, limit: { egress: 200 Mbit/s } }]
fleet: [{ id: office, devices: 40, cacheHosts: [hq], wants: [${files.join(', ')}] }]
live: { window: 60 s, demand: 110 Mbit/s }
expect: [range.failedCount == 0]
`;
const short = ['--window', '3 s', '--warm-up', '1 s', '--repeats', '1', '--curve', '0'];

const saturationOf = (run: SimRun): Saturation => JSON.parse(run.file('saturation.json')) as Saturation;

describe.concurrent('sim saturate', () => {
  test.skipIf(!runsLongTests)('finds the egress limit of a real node, and calls it given', async () => {
    const options = [...short, '--growth', '2', '--resolution', '1'];
    const run = new SimRun(limited, { command: 'saturate', world: 'default', options });
    expect(await run.exitCode(), run.stderr).toBe(0);
    const saturation = saturationOf(run);
    expect(saturation).toMatchObject({ schema: 1, kind: 'saturation', world: 'live', varied: { name: 'demand' } });
    const { answer, steps } = saturation;
    expect(answer).toMatchObject({
      how: 'knee',
      held: { text: '110 Mbit/s' },
      failed: { text: '220 Mbit/s', reason: 'received >= 98 % of the demand' },
      bottleneck: { name: 'node.hq.limit', basis: 'given' },
    });
    expect(steps[1]?.load.receivedBitsPerSecond).toBeGreaterThan(0.9 * 200e6);
    expect(steps[1]?.load.receivedBitsPerSecond).toBeLessThan(1.1 * 200e6);
    expect(steps[0]?.command).toMatch(
      /^sim run .* --world live --set "live.window=4 s" --set .*"live.demand=110 Mbit\/s"$/,
    );
    expect(run.stdout).toContain('The knee is at 110 Mbit/s: that held, and 220 Mbit/s did not');
    expect(run.stdout).toContain('the egress limit of node hq, 200 Mbit/s (given)');
    expect(run.said()).toMatch(/^step 1 of about 2 {2}110 Mbit\/s$/m);
    expect(run.file('saturation.md')).toContain(
      '![What devices received, and the 99th percentile of a range](saturation.svg)',
    );
    expect(run.file('saturation.html')).toContain('The knee is at 110 Mbit/s: that held, and 220 Mbit/s did not');
    expect(run.file('saturation.svg')).toMatch(/^<svg .*110 Mbit\/s/s);
  });

  test.skipIf(!runsLongTests)('Ctrl-C keeps the steps that are done, says so, and leaves nothing behind', async () => {
    const run = new SimRun(limited, { command: 'saturate', world: 'default', options: short });
    await run.says(/step 2 of/);
    await run.isServing();
    run.signal('SIGINT');
    expect(await run.exitCode()).toBe(130);
    const { answer, steps } = saturationOf(run);
    expect(steps.map(({ text }) => text)).toEqual(['110 Mbit/s']);
    expect(answer.how).toBe('interrupted');
    expect(run.stdout).toContain('Interrupted. So far: ');
  });

  const saturate = (...words: readonly string[]) => {
    const sim = join(repositoryRoot, 'simulator/sim.js');
    return spawnSync(process.execPath, [sim, 'saturate', ...words], { cwd: repositoryRoot, encoding: 'utf8' });
  };
  const enterprise = 'scenarios/enterprise.yaml';

  test.each([
    {
      what: 'an expectation of one number of devices',
      words: [enterprise, '--world', 'live', '--vary', 'devices'],
      says: 'scenarios/enterprise.yaml: expect.2: "devices.connectedCountMax == 35000" holds for one number of devices only',
    },
    {
      what: 'a demand in the virtual world',
      words: [enterprise, '--world', 'virtual', '--vary', 'demand'],
      says: '--vary demand: expected the live world, which asks for it, found --world virtual. Vary devices there.',
    },
    {
      what: 'a range that is empty',
      words: [enterprise, '--from', '8 Gbit/s', '--to', '7 Gbit/s'],
      says: '--to 7 Gbit/s: expected no less than --from 8 Gbit/s.',
    },
    {
      what: 'an even number of repeats',
      words: [enterprise, '--repeats', '2'],
      says: 'Expected an odd number from 1 to 15, so that there is a majority; found "2".',
    },
    {
      what: 'a window without length',
      words: [enterprise, '--window', '0 s'],
      says: 'Expected a duration above zero; found "0 s".',
    },
    {
      what: 'the devices of a log',
      words: ['scenarios/replay.yaml'],
      says: '--vary devices: expected a number that scenarios/replay.yaml gives, found that its devices are those of a log.',
    },
  ])('refuses $what before anything runs', ({ words, says }) => {
    const { status, stdout, stderr } = saturate(...words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(says);
  });
});
