// The virtual world beside SimGrid, on the same arrivals: when each device finishes, and how long either takes.
//
//   scenario ──▶ flows ──▶ bench/simgrid/flows.cpp ──▶ finish times ─┐
//       └──────▶ engine ─▶ durations ────────────────────────────────┴─▶ largest difference

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { type Effort, type Measurement, ratios } from '../measurement.ts';
import { missing } from '../peers.ts';
import { inWorkspace } from '../workspace.ts';
import type { EngineReport } from './engine.ts';
import { type FlowProblem, flowsOf, flowsText } from './flows.ts';
import { runOwn, runPeer, TooSlow } from './fresh-process.ts';
import { coupledFourClasses, oneLink } from './scenarios.ts';

type Case = {
  readonly name: string;
  readonly text: string;
  readonly rounds: number;
  readonly limitSeconds: number;
};

export async function benchSimGrid({ quick, full }: Effort): Promise<Measurement[]> {
  const version = simGridVersion();
  if ('skipped' in version) return [{ name: 'beside SimGrid', ...version }];
  const rounds = quick ? 1 : 3;
  const cases: Case[] = [
    { name: '8,000 on one link', text: oneLink(8000), rounds, limitSeconds: 600 },
    { name: '35,000 on 120 sites and a core link', text: coupledFourClasses(35_000), rounds, limitSeconds: 900 },
  ];
  if (full) cases.push({ name: '35,000 on one link', text: oneLink(35_000), rounds: 1, limitSeconds: 3600 });
  return await inWorkspace(async ({ folder }) => {
    const program = compile(folder);
    const results: Measurement[] = [];
    for (const each of quick ? cases.slice(0, 1) : cases) {
      const name = `SimGrid ${version.text}, ${each.name}`;
      try {
        results.push(...(await compare(name, each, program, folder)));
      } catch (error) {
        if (!(error instanceof TooSlow)) throw error;
        results.push({ name, skipped: error.message });
      }
    }
    return results;
  });
}

type Skipped = { readonly skipped: string };

/** The version that its headers tell. */
function simGridVersion(): { readonly text: string } | Skipped {
  const absent = missing('g++');
  if (absent !== undefined) return { skipped: absent };
  const asked = spawnSync('g++', ['-E', '-P', '-x', 'c++', '-'], {
    input: '#include <simgrid/version.h>\nversion SIMGRID_VERSION_MAJOR.SIMGRID_VERSION_MINOR\n',
  });
  if (asked.status !== 0) return { skipped: 'not installed: libsimgrid-dev' };
  const version = asked.stdout.toString().split('version ').at(-1) ?? '';
  return { text: version.replaceAll(/\s/g, '') };
}

function compile(folder: string): string {
  const program = join(folder, 'simgrid-flows');
  const source = join(repositoryRoot, 'bench', 'simgrid', 'flows.cpp');
  const { status, stderr } = spawnSync('g++', ['-O2', '-std=c++17', source, '-lsimgrid', '-o', program]);
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr.toString()}`);
  return program;
}

/** CPU seconds, wall seconds. */
type Sample = { readonly simulation: number; readonly process: number; readonly peakMB: number };

async function compare(name: string, of: Case, program: string, folder: string): Promise<Measurement[]> {
  const file = join(folder, 'scenario.yaml');
  const flowsFile = join(folder, 'flows.txt');
  const durationsFile = join(folder, 'durations');
  writeFileSync(file, of.text);
  const problem = flowsOf(loadScenario(file).scenario);
  writeFileSync(flowsFile, flowsText(problem));
  await runOwn('bench/virtual/engine', [file, durationsFile], of.limitSeconds);
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  let difference = 0;
  for (let round = 0; round < of.rounds; round += 1) {
    ours.push(await ourSample(file, of.limitSeconds));
    const run = await runPeer(program, ['--log=root.threshold:error', flowsFile], of.limitSeconds);
    const lines = run.stdout.trim().split('\n');
    const [simulation, peakKiB] = (lines.pop() as string).split(' ').map(Number) as [number, number];
    theirs.push({ simulation, process: run.wallSeconds, peakMB: (peakKiB * 1024) / 1e6 });
    difference = Math.max(difference, largestDifference(problem, durationsOf(durationsFile), lines.map(Number)));
  }
  const pick = (samples: readonly Sample[], key: keyof Sample): number[] => samples.map((sample) => sample[key]);
  return [
    { name: `${name}: largest relative difference of a finish time`, values: [difference] },
    {
      name: `${name}: CPU time of the simulation, ours ÷ SimGrid`,
      values: ratios(pick(ours, 'simulation'), pick(theirs, 'simulation')),
    },
    {
      name: `${name}: time of the whole process, ours ÷ SimGrid`,
      values: ratios(pick(ours, 'process'), pick(theirs, 'process')),
    },
    { name: `${name}: CPU time of the simulation, ours, s`, values: pick(ours, 'simulation') },
    { name: `${name}: CPU time of the simulation, SimGrid, s`, values: pick(theirs, 'simulation') },
    { name: `${name}: peak memory, ours, MB`, values: pick(ours, 'peakMB') },
    { name: `${name}: peak memory, SimGrid, MB`, values: pick(theirs, 'peakMB') },
  ];
}

/** The whole process is the whole command, reports included. */
async function ourSample(file: string, limitSeconds: number): Promise<Sample> {
  const { stdout } = await runOwn('bench/virtual/engine', [file], limitSeconds);
  const { cpuSeconds } = JSON.parse(stdout) as EngineReport;
  const out = `${file}-out`;
  const args = ['run', file, '--world', 'virtual', '--quiet', '--devices', '--out', out];
  const { wallSeconds, peakBytes } = await runOwn('simulator/main', args, limitSeconds);
  return { simulation: cpuSeconds, process: wallSeconds, peakMB: peakBytes / 1e6 };
}

function durationsOf(file: string): Float64Array {
  const bytes = readFileSync(file);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Relative to the finish time since the start of the run, over all flows. */
function largestDifference({ flows }: FlowProblem, durations: Float64Array, theirs: readonly number[]): number {
  if (durations.length !== flows.length || theirs.length !== flows.length)
    throw new Error(`expected ${flows.length} finish times, found ${durations.length} and ${theirs.length}`);
  return flows.reduce((largest, { device, arriveAtMs }, index) => {
    const ours = arriveAtMs / 1000 + (durations[device] as number);
    const other = theirs[index] as number;
    const difference = Math.abs(ours - other) / other;
    // One that did not finish counts as infinitely wrong.
    return Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }, 0);
}
