// A sweep: its points are those of single runs, in whatever order they end; its journal survives whatever ends it.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { OperatorError } from '../../common/errors.ts';
import { countOf, placesOf } from '../../simulator/plan/grid.ts';
import { pointSets, type SweepTerms, sweep } from '../../simulator/plan/sweep.ts';
import { journalName, SweepJournal } from '../../simulator/plan/sweep-journal.ts';
import { virtualPoint } from '../../simulator/plan/sweep-point.ts';
import { checkAxes, identityOf, parseAxes, shownMetrics } from '../../simulator/plan/sweep-terms.ts';
import { sweepVerdict } from '../../simulator/plan/sweep-verdict.ts';
import { runVirtualJob } from '../../simulator/plan/virtual-job.ts';
import type { SweepPoint } from '../../simulator/result/sweep.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';

const root = mkdtempSync(join(tmpdir(), 'sweep-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
function newFolder(): string {
  folders += 1;
  const folder = join(root, String(folders));
  mkdirSync(folder);
  return folder;
}

const seeds = [7, 8];
const loaded = loadScenario(join(repositoryRoot, 'scenarios', 'branch-office.yaml'));

/** Two seeds of three by two, of which one column is impossible. */
function termsOf(...vary: readonly string[]): SweepTerms {
  const axes = parseAxes(vary.length > 0 ? vary : ['fleet.0.devices=5..15:3', 'nodes.0.egress=1 Gbit/s,none'], loaded);
  return { loaded, world: 'virtual', axes, places: placesOf(axes, seeds) };
}

type How = { readonly threads?: number; readonly signal?: AbortSignal; readonly onDone?: (point: SweepPoint) => void };

async function swept(folder: string, terms = termsOf(), { threads, signal, onDone }: How = {}) {
  const journal = await SweepJournal.open(folder, identityOf(terms, seeds, []));
  const ran: SweepPoint[] = [];
  const options = {
    journal,
    signal: signal ?? new AbortController().signal,
    threads,
    onDone: (point: SweepPoint) => {
      ran.push(point);
      onDone?.(point);
    },
    onLive: () => undefined,
  };
  try {
    return { points: await sweep(terms, options), ran };
  } finally {
    await journal.close();
  }
}

const inOrder = (points: ReadonlyMap<number, SweepPoint>): SweepPoint[] =>
  [...points.values()].sort((a, b) => a.index - b.index);

/** By two threads, once: its journal, and its points in order. */
let whole: { readonly journal: string; readonly points: readonly SweepPoint[] };
beforeAll(async () => {
  const folder = newFolder();
  const { points } = await swept(folder, termsOf(), { threads: 2 });
  whole = { journal: readFileSync(join(folder, journalName), 'utf8'), points: inOrder(points) };
});

/** A folder in which that sweep has ended; or what is said of its journal. */
function sweptFolder(journal: string | Buffer = whole.journal): string {
  const folder = newFolder();
  writeFileSync(join(folder, journalName), journal);
  return folder;
}

describe('a grid', () => {
  it('has every combination once, the last axis the fastest, seeds faster still', () => {
    const axes = parseAxes(['fleet.0.devices=1,2', 'nodes.0.egress=1 Gbit/s,2 Gbit/s,3 Gbit/s'], loaded);
    const places = placesOf(axes, seeds);
    expect(places).toHaveLength(countOf(axes, seeds.length));
    expect(places.map(({ index }) => index)).toEqual(places.map((_, index) => index));
    expect(places.slice(0, 4).map(({ places: at, seed }) => [...at, seed])).toEqual([
      [0, 0, 7],
      [0, 0, 8],
      [0, 1, 7],
      [0, 1, 8],
    ]);
    expect(new Set(places.map(({ places: at, seed }) => `${at} ${seed}`)).size).toBe(12);
    expect(pointSets({ ...termsOf(), axes }, places[11] ?? { index: 0, places: [], seed: 0 })).toEqual([
      'fleet.0.devices=2',
      'nodes.0.egress=3 Gbit/s',
      'seed=8',
    ]);
  });

  it('of a varied seed has that seed', () => {
    const axes = parseAxes(['seed=3..5:3'], loaded);
    expect(placesOf(axes, [7]).map(({ seed }) => seed)).toEqual([3, 4, 5]);
    expect(pointSets({ ...termsOf(), axes }, { index: 0, places: [0], seed: 3 })).toEqual(['seed=3']);
  });

  it('too large to be made is counted', () => {
    const axes = parseAxes(['fleet.0.devices=1..10000:10000', 'fleet.0.connectionsPerFile=1..10000:10000'], loaded);
    expect(countOf(axes, 1000)).toBe(1e11);
  });
});

describe('a sweep', () => {
  it('has the points of single runs, to the last bit; impossible ones with their reason', async () => {
    const terms = termsOf();
    const single: (SweepPoint | undefined)[] = [];
    for (const place of terms.places) {
      const job = { text: loaded.text, path: loaded.path, overrides: pointSets(terms, place) };
      single.push(virtualPoint(place.index, await runVirtualJob(job)));
    }
    expect(whole.points).toStrictEqual(single);
    expect(single.map((point) => point?.outcome === 'impossible')).toEqual(
      [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1].map(Boolean),
    );
    expect(single[2]?.reason).toMatch(
      /^--set nodes\.0\.egress=none {2}nodes\.0\.egress: expected a rate .* found "none"$/,
    );
  });

  it('goes on from any half of its journal, whatever order the points are in, and runs what is missing alone', async () => {
    const [head = '', ...lines] = whole.journal.trimEnd().split('\n');
    expect(lines).toHaveLength(12);
    for (const kept of [[...lines].reverse().slice(0, 7), [...lines].reverse()]) {
      const again = await swept(sweptFolder(`${[head, ...kept].join('\n')}\n`), termsOf(), { threads: 1 });
      expect(inOrder(again.points)).toStrictEqual(whole.points);
      expect(again.ran).toHaveLength(12 - kept.length);
    }
  });

  it('loses only what was under way when it is aborted', async () => {
    const folder = newFolder();
    const abort = new AbortController();
    const first = await swept(folder, termsOf(), {
      threads: 1,
      signal: abort.signal,
      onDone: ({ index }) => {
        if (index === 4) abort.abort();
      },
    });
    // While the disk kept point 4, the only thread may have ended the one after it, and no more.
    const all = whole.points.map(({ index }) => index);
    const ranFirst = first.ran.map(({ index }) => index);
    expect([5, 6]).toContain(ranFirst.length);
    expect(ranFirst).toEqual(all.slice(0, ranFirst.length));
    const second = await swept(folder, termsOf(), { threads: 1 });
    expect(second.ran.map(({ index }) => index)).toEqual(all.slice(ranFirst.length));
    expect(inOrder(second.points)).toStrictEqual(whole.points);
  });

  it('runs again what this machine did not carry out', async () => {
    const broken = { ...whole.points[3], outcome: 'broken', exitCode: 3 };
    const folder = sweptFolder(`${whole.journal}${JSON.stringify(broken)}\n`);
    const again = await swept(folder, termsOf(), { threads: 1 });
    expect(again.ran.map(({ index }) => index)).toEqual([3]);
    expect(inOrder(again.points)).toStrictEqual(whole.points);
  });
});

describe('the journal of a sweep', () => {
  async function errorOf(attempt: Promise<unknown>): Promise<string> {
    return await attempt.then(
      () => 'no error',
      (error: unknown) =>
        error instanceof OperatorError ? `${error.code} ${error.exitCode} ${error.message}` : 'another error',
    );
  }

  it('torn off at any byte of its last lines is read as far as it is whole', async () => {
    const bytes = Buffer.from(whole.journal);
    const folder = sweptFolder(bytes);
    const path = join(folder, journalName);
    const lineEnds = [...bytes.entries()].flatMap(([index, byte]) => (byte === 10 ? [index + 1] : []));
    const identity = identityOf(termsOf(), seeds, []);
    const lastTwo = lineEnds.at(-3) ?? 0;
    const step = Math.ceil((bytes.length - lastTwo) / 40);
    const cuts = [0, 1, (lineEnds[0] ?? 0) - 1, lineEnds[0] ?? 0];
    for (let cut = lastTwo; cut <= bytes.length; cut += step) cuts.push(cut);
    for (const cut of cuts) {
      writeFileSync(path, bytes);
      truncateSync(path, cut);
      const journal = await SweepJournal.open(folder, identity);
      const wholeLines = lineEnds.filter((end) => end <= cut).length;
      expect(journal.points.size).toBe(Math.max(0, wholeLines - 1));
      // What is written next is not glued to what was torn.
      const [point] = whole.points;
      if (point !== undefined) await journal.add(point);
      await journal.close();
      for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) JSON.parse(line);
    }
  });

  it('of another sweep is refused, with what differs', async () => {
    const folder = sweptFolder();
    const other = termsOf('fleet.0.devices=5..25:3', 'nodes.0.egress=1 Gbit/s,none');
    expect(await errorOf(swept(folder, other))).toMatch(
      /^OTHER_SWEEP 2 .*sweep\.jsonl: expected the journal of this sweep.*\n {2}axes: \["fleet\.0\.devices=5,10,15".* there, \["fleet\.0\.devices=5,15,25".* asked for\nChoose another folder by --out\.$/,
    );
    const changed = { ...termsOf(), loaded: { ...loaded, sha256: '0'.repeat(64) } };
    expect(await errorOf(swept(folder, changed))).toMatch(/^OTHER_SWEEP 2 .*\n {2}scenario file: not the same\n/);
  });

  it.each([
    { what: 'a line that is no JSON', line: 2, text: '{"index":0,' },
    { what: 'a line that is no point', line: 3, text: '[1]' },
    { what: 'a first line that is none', line: 1, text: 'index,outcome' },
  ])('changed by somebody is refused with its line: $what', async ({ line, text }) => {
    const lines = whole.journal.split('\n');
    lines[line - 1] = text;
    const folder = sweptFolder(lines.join('\n'));
    const path = join(folder, journalName);
    expect(await errorOf(swept(folder))).toContain(
      `BAD_JOURNAL 2 ${path}:${line}: expected a line that a sweep wrote, found something else`,
    );
  });

  it('that is no file is not read', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, journalName));
    expect(await errorOf(swept(folder))).toMatch(
      /^BAD_JOURNAL 2 .*found something that is no file\. Choose another folder/,
    );
  });
});

describe('what is varied', () => {
  const vm = (...sets: readonly string[]) => loadScenario(join(repositoryRoot, 'scenarios', 'vm.yaml'), sets);

  it.each([
    {
      what: 'a path that the file does not have',
      attempt: () => checkAxes(vm(), parseAxes(['nodes.0.egres=1 Gbit/s,2 Gbit/s'], vm())),
      says: /^No value of --vary nodes\.0\.egres gives a scenario:\n--vary nodes\.0\.egres=1 Gbit\/s {2}nodes\.0\.egres: .*did you mean egress\?/,
    },
    {
      what: 'a place that the list does not have',
      attempt: () => checkAxes(vm(), parseAxes(['nodes.7.egress=1 Gbit/s,2 Gbit/s'], vm())),
      says: /expected one of the list's indices 0 \(hq\), found "7"/,
    },
    {
      what: 'what --set has set',
      attempt: () => parseAxes(['fleet.0.devices=1,2'], vm('fleet.0.devices=5')),
      says: /expected what no other option sets, found --set for fleet\.0\.devices/,
    },
    {
      what: 'one thing twice',
      attempt: () => parseAxes(['devices=1,2', 'devices=3,4'], vm()),
      says: /^--vary devices=3,4: expected something else than before, found devices twice/,
    },
    {
      what: 'half a device',
      attempt: () => parseAxes(['devices=1,1.5'], vm()),
      says: /^--vary devices=1,1\.5: expected whole numbers of devices above zero; found "1\.5"/,
    },
    {
      what: 'seeds that are no numbers',
      attempt: () => parseAxes(['seed=one,two'], vm()),
      says: /^--vary seed=one,two: expected whole numbers/,
    },
    {
      what: 'a metric that there is not',
      attempt: () => shownMetrics(['fleet.finish'], vm().scenario, 'virtual'),
      says: /^--metric fleet\.finish: expected a metric .*; did you mean fleet\.finishMs\?/,
    },
    {
      what: 'a metric of another node',
      attempt: () => shownMetrics(['node.x.hitBytes'], vm().scenario, 'virtual'),
      says: /^--metric node\.x\.hitBytes: expected the id of a node of the scenario: hq\./,
    },
  ])('is refused: $what', ({ attempt, says }) => {
    expect(attempt).toThrow(OperatorError);
    expect(attempt).toThrow(says);
  });

  it('may depend on what else is varied, or have values that are impossible', () => {
    const text = ['fleet.0.policy.maxBackgroundRatio=0.5,0.9', 'fleet.0.downlink=10 Mbit/s,nothing'];
    const without = loadScenario(join(repositoryRoot, 'scenarios', 'smoke.yaml'));
    expect(() => checkAxes(without, parseAxes(text.slice(0, 1), without))).toThrow(/maxBackgroundRatio/);
    expect(checkAxes(without, parseAxes(text, without)).length).toBeGreaterThan(0);
  });

  it('as "devices" is those of all groups, in proportion', () => {
    const two = loadScenario(join(repositoryRoot, 'scenarios', 'nested-factory.yaml'));
    const [axis] = parseAxes(['devices=100,1000'], two);
    const total = (sets: readonly string[] = []) => sets.reduce((sum, set) => sum + Number(set.split('=')[1]), 0);
    expect(axis?.values.map(({ sets }) => total(sets))).toEqual([100, 1000]);
    expect(axis?.values[0]?.sets).toHaveLength(two.scenario.fleet.length);
  });

  it('shows what the scenario expects something of, without what is to be zero', () => {
    expect(shownMetrics([], vm().scenario, 'virtual')).toEqual([
      'devices.completedRatio',
      'fleet.finishMs',
      'cdn.egressBytes',
    ]);
    expect(shownMetrics(['cdn.requestCount', 'cdn.requestCount'], vm().scenario, 'virtual')).toEqual([
      'cdn.requestCount',
    ]);
  });
});

describe('the verdict of a sweep', () => {
  const point = (outcome: SweepPoint['outcome'], exitCode: SweepPoint['exitCode']) => ({ outcome, exitCode });
  const [pass, fail] = [point('pass', 0), point('fail', 1)];
  const [unsure, impossible, broken] = [point('inconclusive', 4), point('impossible', 2), point('broken', 3)];

  it.each([
    { points: [pass, pass], verdict: 'pass', exitCode: 0, reason: 'of 2 runs 2 pass' },
    { points: [pass, impossible], verdict: 'pass', exitCode: 0, reason: 'of 2 runs 1 passes, 1 is impossible' },
    { points: [impossible, impossible], verdict: 'impossible', exitCode: 2, reason: 'of 2 runs 2 are impossible' },
    { points: [pass, unsure], verdict: 'inconclusive', exitCode: 4, reason: 'of 2 runs 1 passes, 1 is inconclusive' },
    {
      points: [unsure, broken],
      verdict: 'notCarriedOut',
      exitCode: 3,
      reason: 'of 2 runs 1 is inconclusive, 1 was not carried out',
    },
    { points: [broken, fail, unsure, pass], verdict: 'fail', exitCode: 1 },
    {
      points: [point('fail', 0), impossible],
      verdict: 'fail',
      exitCode: 0,
      reason: 'of 2 runs 1 fails, 1 is impossible; the scenario expects to fail',
    },
    { points: [point('fail', 0), point('pass', 1)], verdict: 'fail', exitCode: 1 },
  ])('of $points is $verdict, exit code $exitCode', ({ points, ...wanted }) => {
    expect(sweepVerdict(points, points.length)).toMatchObject(wanted);
  });

  it('is "interrupted" while points are missing', () => {
    expect(sweepVerdict([fail], 3)).toEqual({
      verdict: 'interrupted',
      exitCode: 130,
      reason: 'of 1 of 3 runs 1 fails',
    });
    expect(sweepVerdict([], 3)).toMatchObject({ reason: 'of 0 of 3 runs none ended' });
  });
});
