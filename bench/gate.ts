// How far the verdicts of `sim gate` can be trusted. `gate-runs`: live runs of this build and of one that takes a tenth more
// processor time for everything its node does, in turns; kept as JSON. `gate-errors`: thousands of comparisons of ten and ten
// of those runs: how often equal builds fail (they must not), and how often the slower one is found.

import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../common/child-program.ts';
import { type RandomStream, randomStream } from '../common/random.ts';
import { ProgressLine } from '../simulator/commands/progress-line.ts';
import { compareSides } from '../simulator/compare/compare.ts';
import type { ComparisonVerdict, Rules } from '../simulator/compare/comparison.ts';
import { median } from '../simulator/compare/median-ratio.ts';
import { readSide, type Side } from '../simulator/compare/side.ts';
import { programFile } from '../simulator/gate/build-of-ref.ts';
import { interleaved, makeRuns } from '../simulator/gate/gate-runs.ts';
import type { Result } from '../simulator/result/result.ts';
import { writeWhole } from '../simulator/result/write-whole.ts';
import type { Benchmark, Measurement } from './measurement.ts';
import { inWorkspace } from './workspace.ts';

const runsFile = join('out', 'bench-gate', 'runs.json');
const slowdownRatio = 0.1;
const runsPerSide = 10;
/** Waking up takes time, too: seldom enough to be little of what is burnt. */
const burnIntervalMs = 50;

/** The same work in every run, some seconds of it, and room on two cores. */
const scenario = `# How much do equal builds differ?  Expected: little.
name: Runs of a gate
seed: 7
content: [{ id: update, size: 20 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 150, cacheHosts: [hq], wants: [update], arrive: { over: 3 s } }]
expect: [devices.completedRatio == 1]
`;

/** All that is needed to compare again. */
type KeptRuns = {
  readonly slowdownRatio: number;
  readonly equal: readonly Result[];
  readonly slowed: readonly Result[];
};

export const benchGateRuns: Benchmark = ({ quick }) =>
  inWorkspace(async ({ folder }) => {
    const rounds = quick ? 2 * runsPerSide : 60;
    const path = join(folder, 'scenario.yaml');
    writeFileSync(path, scenario);
    const base = { name: 'base', program: join(repositoryRoot, programFile), sets: [] } as const;
    const candidate = { name: 'candidate', program: slowedBuild(folder), sets: [] } as const;
    const progress = new ProgressLine(process.stderr);
    const sinceMs = performance.now();
    await makeRuns(interleaved(base, candidate, rounds), {
      scenario: path,
      world: 'live',
      seedOf: () => 7,
      folder,
      signal: new AbortController().signal,
      onProgress: ({ run, runCount }) => progress.showLine(`run ${run} of ${runCount}`, 'runs'),
    });
    const runMs = (performance.now() - sinceMs) / (2 * rounds);
    progress.end();
    const [equal, slowed] = [readSide(join(folder, 'base')), readSide(join(folder, 'candidate'))].map(({ results }) =>
      results.map(withoutCourse),
    ) as [Result[], Result[]];
    mkdirSync(join('out', 'bench-gate'), { recursive: true });
    writeWhole(runsFile, `${JSON.stringify({ slowdownRatio, equal, slowed } satisfies KeptRuns)}\n`);
    const cpuMs = (results: readonly Result[]): number[] =>
      results.flatMap(({ runs }) => runs[0]?.metrics['node.hq.cpuMs'] ?? []);
    return [
      { name: 'a run of the gate, s', values: [runMs / 1000] },
      { name: 'this build: processor time of the node, ms', values: cpuMs(equal) },
      { name: 'slowed build: processor time of the node, ms', values: cpuMs(slowed) },
      { name: 'slowed build ÷ this one, medians', values: [median(cpuMs(slowed)) / median(cpuMs(equal))] },
    ];
  });

/**
 * A copy of this build in which every process of the node burns a tenth of what processor time it has taken, twenty times a
 * second: more time for the same work, as a worse build has.
 */
function slowedBuild(folder: string): string {
  const copy = join(folder, 'slowed');
  cpSync(join(repositoryRoot, 'dist'), join(copy, 'dist'), { recursive: true });
  cpSync(join(repositoryRoot, 'package.json'), join(copy, 'package.json'));
  // Reports have their style from the sources.
  for (const folder of ['node_modules', 'reports']) {
    symlinkSync(join(repositoryRoot, folder), join(copy, folder), 'junction');
  }
  const main = join(copy, 'dist', 'cache', 'main.js');
  writeFileSync(join(copy, 'dist', 'cache', 'burn.js'), burn);
  writeFileSync(main, `import './burn.js';\n${readFileSync(main, 'utf8')}`);
  return join(copy, programFile);
}

const burn = `const takenUs = () => { const { user, system } = process.cpuUsage(); return user + system; };
let beforeUs = takenUs();
setInterval(() => {
  const untilUs = takenUs() + ${slowdownRatio} * (takenUs() - beforeUs);
  while (takenUs() < untilUs);
  beforeUs = takenUs();
}, ${burnIntervalMs}).unref();
`;

/** Without what no comparison reads. */
function withoutCourse(result: Result): Result {
  const runs = result.runs.map((run) => ({ ...run, series: { startSecond: 0, columns: {} }, histograms: {} }));
  return { ...result, runs };
}

export const benchGateErrors: Benchmark = async ({ quick }) => {
  const name = 'comparisons of runs';
  if (!existsSync(runsFile)) return [{ name, skipped: `no ${runsFile}: npm run bench -- gate-runs makes it` }];
  const kept = JSON.parse(readFileSync(runsFile, 'utf8')) as KeptRuns;
  if (Math.min(kept.equal.length / 2, kept.slowed.length) < runsPerSide) return [{ name, skipped: 'too few runs' }];
  const comparisons = quick ? 200 : 2000;
  const measurements: Measurement[] = [];
  for (const [title, metrics] of [
    ['by default', []],
    ['by node.hq.cpuMs alone', ['node.hq.cpuMs']],
  ] as const) {
    const rules = { marginRatio: 0.05, margins: [], metrics };
    const random = randomStream(7, 'comparisons');
    const ofEqual = counted(comparisons, rules, () => {
      const drawn = draw(kept.equal, 2 * runsPerSide, random);
      return [drawn.slice(0, runsPerSide), drawn.slice(runsPerSide)];
    });
    const ofSlowed = counted(comparisons, rules, () => [
      draw(kept.equal, runsPerSide, random),
      draw(kept.slowed, runsPerSide, random),
    ]);
    measurements.push(
      ...shares(`${title}, equal builds: share that`, ofEqual, comparisons),
      ...shares(`${title}, slowed by ${kept.slowdownRatio * 100} %: share that`, ofSlowed, comparisons),
    );
  }
  return measurements;
};

type Verdicts = Readonly<Record<ComparisonVerdict, number>>;

function counted(comparisons: number, rules: Rules, drawSides: () => readonly [Result[], Result[]]): Verdicts {
  const counts = { fail: 0, inconclusive: 0, pass: 0 };
  for (let k = 0; k < comparisons; k += 1) {
    const [base, candidate] = drawSides().map((results): Side => ({ label: 'runs', results, leftOut: [] })) as [
      Side,
      Side,
    ];
    counts[compareSides(base, [candidate], rules).verdict] += 1;
  }
  return counts;
}

/** `count` of them, each at most once. */
function draw(results: readonly Result[], count: number, random: RandomStream): Result[] {
  const rest = [...results];
  return Array.from({ length: count }, () => rest.splice(Math.floor(random() * rest.length), 1)[0] as Result);
}

/**
 * Each with its 95 % interval (E. B. Wilson, 1927), as minimum and maximum. It says how well the comparisons were counted, not
 * how well so many runs stand for all: all are drawn from the same ones.
 */
function shares(title: string, counts: Verdicts, of: number): Measurement[] {
  return Object.entries(counts).map(([verdict, count]) => {
    const share = count / of;
    const z2 = 1.96 ** 2;
    const centre = (share + z2 / (2 * of)) / (1 + z2 / of);
    const half = (1.96 / (1 + z2 / of)) * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of * of));
    return { name: `${title} ${verdict}`, values: [Math.max(0, centre - half), share, Math.min(1, centre + half)] };
  });
}
