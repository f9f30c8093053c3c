// Plans against closed forms: what a sum on paper says of nodes, end, disk and WAN; and what holds of all plans.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { percentile95 } from '../../simulator/capacity/figures.ts';
import { chooseCandidate, fewestNodes, findNodes } from '../../simulator/capacity/find-nodes.ts';
import { failureScenario, makePlan, solutionScenario } from '../../simulator/capacity/make-plan.ts';
import type { PlanSpec } from '../../simulator/capacity/plan-spec.ts';
import { runProgram } from '../../simulator/program.ts';
import type { NodeFailure, SitePlan } from '../../simulator/result/capacity-plan.ts';
import type { Result } from '../../simulator/result/result.ts';
import { made, madeOfRuns, runner, siteOf, specOf, trialsOf } from './plans.ts';

const vmBitsPerSecond = 1.1e9;
const folder = mkdtempSync(join(tmpdir(), 'capacity-plan-'));
afterAll(() => rmSync(folder, { recursive: true }));

const first = ({ sites }: { readonly sites: readonly SitePlan[] }): SitePlan => sites[0] as SitePlan;

async function nodesOf(spec: PlanSpec): Promise<number | undefined> {
  return chooseCandidate(await findNodes(spec, siteOf(spec), trialsOf()))?.nodes;
}

describe('a plan of one site where cards bind', () => {
  // 400 devices of 2.75 GB: 8,800 Gbit. One node of 1.1 Gbit/s takes 8,000 s; within an hour it takes 3.
  const spec = specOf('payload: 2.75 GB\ndeadline: 1 h', 'devices: 400');
  let site: SitePlan;
  beforeAll(async () => {
    site = first(await made(spec));
  });

  it('takes all bytes by the deadline and what a node sends, rounded up; the end is all bytes by what they send', () => {
    expect(site.chosen?.nodes).toBe(3);
    // 134 devices at the node that has most.
    expect(site.chosen?.figures.finishMs).toBeCloseTo((134 * 2.75e9 * 8000) / vmBitsPerSecond, -1);
    expect(site.chosen?.figures.binds[0]).toMatchObject({ kind: 'egress', capacity: vmBitsPerSecond, basis: 'given' });
    expect(site.oneFewer).toMatchObject({ holds: false });
    expect(site.oneFewer?.finishMs).toBeCloseTo((200 * 2.75e9 * 8000) / vmBitsPerSecond, -1);
  });

  it('has each node fetch and store the payload once, and saves the rest', () => {
    expect(site.chosen?.figures).toMatchObject({ storedBytes: 2.75e9, cdnBytes: 3 * 2.75e9, wantedBytes: 1.1e12 });
  });

  it('needs a card for all bytes of a node by the deadline, to 1 %', () => {
    const { rate } = site;
    const least = (134 * 2.75e9 * 8000) / 3_600_000;
    expect((rate?.egressBitsPerSecond ?? 0) / least).toBeGreaterThan(0.999);
    expect((rate?.egressBitsPerSecond ?? 0) / least).toBeLessThan(1.011);
    expect(rate?.cardBitsPerSecond).toBe(1e9);
  });

  it('takes one node more for one that fails at the start', () => {
    const failure = site.failure as NodeFailure;
    // From the start on, n - 1 of n nodes have to do it: 4, of which 3 are left.
    expect(failure).toMatchObject({ nodes: 4, holds: true });
    expect(failure.tooFew.map(({ nodes }) => nodes)).toEqual([3]);
    const ends = failure.moments.map(({ figures }) => figures.finishMs ?? Number.POSITIVE_INFINITY);
    expect(failure.figures.finishMs).toBe(Math.max(...ends));
    expect(failure.moments.length).toBeGreaterThan(9);
  });
});

describe('a plan of one site where the WAN binds', () => {
  it('has a rectangle over it: peak and 95th percentile are its height', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 1 h', 'devices: 1, link: 100 Mbit/s');
    const { chosen } = first(await made(spec));
    expect(chosen?.nodes).toBe(1);
    expect(chosen?.figures.finishMs).toBeCloseTo(80_000, -1);
    expect(chosen?.figures.wanPeakBitsPerSecond).toBeCloseTo(1e8, -2);
    expect(chosen?.figures.wanP95BitsPerSecond).toBeCloseTo(1e8, -2);
    expect(chosen?.figures.binds[0]?.kind).toBe('link');
  });

  it('carries nothing for 95 % of the time when the fill takes less than 5 % of it', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 1 h', 'devices: 300, link: 1 Gbit/s');
    const { chosen, withoutNodes } = first(await made(spec));
    expect(chosen?.figures).toMatchObject({ cdnBytes: 1e9, wanP95BitsPerSecond: 0 });
    expect(chosen?.figures.wanPeakBitsPerSecond).toBeGreaterThan(1e8);
    expect(withoutNodes?.wanP95BitsPerSecond).toBeCloseTo(1e9, -3);
    expect(withoutNodes?.finishMs).toBeCloseTo(300 * 8000, -1);
  });

  it('has no solution when the payload alone takes longer over it; it says what binds, and what would help', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 79 s', 'devices: 2, link: 100 Mbit/s');
    const plan = await made(spec);
    expect(plan.verdict).toBe('none');
    const site = first(plan);
    expect(site.chosen).toBeUndefined();
    expect(site.candidates[0]?.figures.binds[0]?.kind).toBe('link');
    const remedies = new Map(site.remedies.map(({ key, value }) => [key, value]));
    expect(remedies.get('deadline')).toBeGreaterThanOrEqual(80_000);
    expect(remedies.get('devices')).toBeUndefined();
    expect(remedies.get('link')).toBeGreaterThanOrEqual(1e8);
    const wider = specOf('payload: 1 GB\ndeadline: 79 s', `devices: 2, link: ${remedies.get('link')} bit/s`);
    expect(await nodesOf(wider)).toBe(1);
    const later = specOf(`payload: 1 GB\ndeadline: ${remedies.get('deadline')} ms`, 'devices: 2, link: 100 Mbit/s');
    expect(await nodesOf(later)).toBe(1);
  });

  it('needs fewer devices when no node more is allowed', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 100 s\nnodesMax: 1', 'devices: 50');
    const devices = first(await made(spec)).remedies.find(({ key }) => key === 'devices')?.value ?? 0;
    // 1.1 Gbit/s for 100 s are 13.75 GB.
    expect(devices).toBe(13);
  });
});

describe('a node that fails', () => {
  const nodesTried = (texts: readonly string[], isFailure: boolean): number =>
    Math.max(
      ...texts
        .filter((text) => text.includes('kill:') === isFailure)
        .map((text) => text.match(/profile: vm/g)?.length ?? 0),
    );

  it('does so at the moment of the latest end, which need not be the first', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 200 s', 'devices: 40, link: 1 Gbit/s');
    const failure = first(await made(spec)).failure as NodeFailure;
    const [atStart] = failure.moments;
    expect(failure.worstAtMs).toBeGreaterThan(0);
    expect(failure.figures.finishMs).toBeGreaterThan(atStart?.figures.finishMs ?? Number.POSITIVE_INFINITY);
    expect(failure.figures.finishMs).toBe(Math.max(...failure.moments.map(({ figures }) => figures.finishMs ?? 0)));
    // Between even parts of the course: around the worst of them it was looked at more closely.
    expect(failure.moments.length).toBeGreaterThan(11);
  });

  it('is no matter of more nodes where each has to be filled over the same WAN: a few are tried, not all', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 170 s\nnodesMax: 12', 'devices: 10, link: 100 Mbit/s');
    const { plan, texts } = await madeOfRuns(spec);
    expect(first(plan).failure).toMatchObject({ holds: false });
    expect(nodesTried(texts, true)).toBeLessThan(6);
  });

  it('apart, a number of nodes is given up when two more bring no earlier end', async () => {
    const { plan, texts } = await madeOfRuns(specOf('payload: 1 GB\ndeadline: 79 s', 'devices: 2, link: 100 Mbit/s'));
    expect(plan.verdict).toBe('none');
    expect(nodesTried(texts, false)).toBe(3);
  });
});

describe('several sites', () => {
  it('that meet the deadline alone, but not with what they share, have no plan', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 100 s', 'count: 10, devices: 1');
    const shared = { ...spec, cdnEgressBytesPerMs: 1e8 / 8000 };
    const plan = await made(shared);
    expect(first(plan).chosen?.nodes).toBe(1);
    expect(plan).toMatchObject({ verdict: 'none', whole: { holds: false } });
    expect(plan.whole?.binds[0]?.kind).toBe('cdn');
    expect(plan.notes.join(' ')).toContain('What they share is the CDN');
  });
});

describe('every plan', () => {
  const numRuns = Number(process.env['ORACLE_RUNS'] ?? 15);
  const cases = fc.record({
    devices: fc.integer({ min: 1, max: 60 }),
    megabytes: fc.integer({ min: 10, max: 2000 }),
    deadlineS: fc.integer({ min: 20, max: 600 }),
    linkMbit: fc.constantFrom(50, 200, 1000, undefined),
  });
  type Case = typeof cases extends fc.Arbitrary<infer Value> ? Value : never;
  const specFor = ({ devices, megabytes, deadlineS, linkMbit }: Case): PlanSpec =>
    specOf(
      `payload: ${megabytes} MB\ndeadline: ${deadlineS} s\nnodesMax: 8`,
      `devices: ${devices}${linkMbit === undefined ? '' : `, link: ${linkMbit} Mbit/s`}`,
    );
  const countOf = async (spec: PlanSpec): Promise<number> => (await nodesOf(spec)) ?? Number.POSITIVE_INFINITY;

  it('needs no fewer nodes for more devices, and no more for a later deadline', async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.integer({ min: 1, max: 30 }), async (each, more) => {
        const spec = specFor(each);
        const nodes = await countOf(spec);
        expect(await countOf(specFor({ ...each, devices: each.devices + more }))).toBeGreaterThanOrEqual(nodes);
        expect(await countOf({ ...spec, deadlineMs: spec.deadlineMs * 1.5 })).toBeLessThanOrEqual(nodes);
      }),
      { numRuns, seed: 7 },
    );
  });

  it('is the least: one node fewer was tried, or cannot send so much', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        const spec = specFor(each);
        const nodes = await nodesOf(spec);
        if (nodes === undefined || nodes === 1) return;
        const { figures } = await trialsOf().ofSite(spec, { site: siteOf(spec), classId: 'vm', nodes: nodes - 1 });
        expect(figures.holds).toBe(false);
        const [hardware] = spec.classes;
        expect(nodes).toBeGreaterThanOrEqual(fewestNodes(spec, siteOf(spec), hardware as NonNullable<typeof hardware>));
      }),
      { numRuns, seed: 8 },
    );
  });
});

describe('what a plan writes', () => {
  it('is confirmed by sim run, to the last digit', async () => {
    const spec = specOf(
      'payload: [5 GB, 40 MB]\ndeadline: 2 h\narrive: 5 min',
      'count: 2, devices: 200, link: 1 Gbit/s',
    );
    const plan = await made(spec);
    expect(plan.verdict).toBe('found');
    const solution = join(folder, 'scenario.yaml');
    writeFileSync(solution, solutionScenario({ spec, text: '', path: '' }, plan) ?? '');
    const run = await runOf(solution);
    expect(run.metrics['fleet.finishMs']).toBe(plan.whole?.finishMs);
    expect(run.metrics['cdn.egressBytes']).toBe(plan.whole?.cdnBytes);
    expect(run.metrics['cdn.egressBitsPerSecond.peak']).toBe(plan.whole?.wanPeakBitsPerSecond);
    const { columns, stepSeconds = 1 } = run.series;
    const steps = Math.ceil((plan.whole?.finishMs ?? 0) / 1000 / stepSeconds);
    expect(percentile95(columns['cdn.egressBitsPerSecond']?.slice(0, steps) ?? [])).toBe(
      plan.whole?.wanP95BitsPerSecond,
    );
    const failing = join(folder, 'failure.yaml');
    writeFileSync(failing, failureScenario({ spec, text: '', path: '' }, first(plan)) ?? '');
    const failed = await runOf(failing);
    expect(failed.metrics['fleet.finishMs']).toBe(first(plan).failure?.figures.finishMs);
    expect(failed.metrics['cdn.egressBytes']).toBe(first(plan).failure?.figures.cdnBytes);
    expect(failed.timeline).toHaveLength(1);
  });

  async function runOf(scenario: string): Promise<Result['runs'][number]> {
    const out = `${scenario}-out`;
    expect(await runProgram(['run', scenario, '--world', 'virtual', '--quiet', '--out', out])).toBe(0);
    const result = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as Result;
    return result.runs[0] as Result['runs'][number];
  }

  it('is of runs of which none is made twice', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 1 h', 'devices: 200, link: 1 Gbit/s');
    const { plan, texts } = await madeOfRuns(spec);
    expect(plan.verdict).toBe('found');
    expect(plan.runCount).toBe(texts.length);
    expect(texts).toHaveLength(new Set(texts).size);
  });

  it('is what is known by then, when it is interrupted', async () => {
    const spec = specOf('payload: 1 GB\ndeadline: 1 h', 'devices: 10');
    let runs = 0;
    const plan = await makePlan(
      { spec, text: '', path: 'plan.yaml' },
      {
        runner: {
          run: (job) => {
            runs += 1;
            return runs > 5 ? Promise.resolve({ kind: 'interrupted' }) : runner.run(job);
          },
        },
      },
    );
    expect(plan).toMatchObject({ verdict: 'interrupted', interruptedAt: 's: what each node has to send' });
    expect(first(plan).chosen?.nodes).toBe(1);
    expect(first(plan).failure).toBeUndefined();
  });
});

it('the 95th percentile is the least value that 95 % of the values do not exceed', () => {
  expect(percentile95([])).toBe(0);
  expect(percentile95([5])).toBe(5);
  expect(percentile95([...Array(95).fill(0), ...Array(5).fill(9)])).toBe(0);
  expect(percentile95([...Array(94).fill(0), ...Array(6).fill(9)])).toBe(9);
});
