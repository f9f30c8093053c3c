// The runs of a gate: base and candidate in turns (ABBA …), so that what the machine does meanwhile, warming up or somebody
// else's work, falls on both alike.

import { join } from 'node:path';
import { errorCode, exitCodes, OperatorError } from '../../common/errors.ts';
import { lastLines, startSim } from './sim-process.ts';

/** One build with its settings. */
export type GateSide = {
  readonly name: 'base' | 'candidate';
  /** `main.js` of the build. */
  readonly program: string;
  /** `path=value` each. */
  readonly sets: readonly string[];
};

/** A run that is to be made. */
export type PlannedRun = { readonly side: GateSide; readonly round: number };

export type GateOptions = {
  readonly scenario: string;
  readonly world: 'live' | 'virtual';
  /** Seed of a round, from 0. */
  readonly seedOf: (round: number) => number;
  /** Where results go: `base/01/`, `candidate/01/` … */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (state: GateProgress) => void;
};

export type GateProgress = {
  readonly run: number;
  readonly runCount: number;
  readonly side: GateSide['name'];
  /** By the runs so far; absent before the first has ended. */
  readonly leftMs?: number;
};

const progressMs = 1000;

/** `rounds` runs a side: A B, B A, A B … */
export function interleaved(base: GateSide, candidate: GateSide, rounds: number): PlannedRun[] {
  return Array.from({ length: rounds }, (_, round) =>
    (round % 2 === 0 ? [base, candidate] : [candidate, base]).map((side) => ({ side, round })),
  ).flat();
}

/**
 * Makes the runs, one after the other, each once; returns how many came to their end, fewer when interrupted. Throws an
 * OperatorError (exit code 3) when one cannot be carried out.
 */
export async function makeRuns(planned: readonly PlannedRun[], options: GateOptions): Promise<number> {
  const startedMs = performance.now();
  for (const [index, each] of planned.entries()) {
    if (options.signal.aborted) return index;
    const runMs = index === 0 ? undefined : (performance.now() - startedMs) / index;
    const thisStartedMs = performance.now();
    const show = (): void => {
      const leftMs =
        runMs === undefined ? undefined : runMs * (planned.length - index) - (performance.now() - thisStartedMs);
      const state = { run: index + 1, runCount: planned.length, side: each.side.name };
      options.onProgress(leftMs === undefined ? state : { ...state, leftMs: Math.max(0, leftMs) });
    };
    show();
    const timer = setInterval(show, progressMs);
    try {
      if (!(await makeRun(each, options))) return index;
    } finally {
      clearInterval(timer);
    }
  }
  return planned.length;
}

/** Exit codes of runs that came to their end: whether what they expect holds is a matter of the comparison. */
const ended: readonly (number | null)[] = [exitCodes.pass, exitCodes.failed, exitCodes.inconclusive];

/** False when it was interrupted. */
async function makeRun({ side, round }: PlannedRun, options: GateOptions): Promise<boolean> {
  const { scenario, world, seedOf, folder, signal } = options;
  const out = join(folder, side.name, String(round + 1).padStart(2, '0'));
  const sets = side.sets.flatMap((set) => ['--set', set]);
  const words = ['run', scenario, '--world', world, '--seed', String(seedOf(round)), '--quiet', '--out', out, ...sets];
  const { child, stop } = startSim(side.program, words);
  // A terminal's Ctrl-C reaches it anyhow.
  signal.addEventListener('abort', stop);
  const said = lastLines(child.stderr);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(notCarriedOut(side, errorCode(error), said))).once('close', resolve);
  }).finally(() => signal.removeEventListener('abort', stop));
  if (signal.aborted || code === exitCodes.interrupted) return false;
  if (!ended.includes(code)) throw notCarriedOut(side, `exit code ${code}`, said);
  return true;
}

function notCarriedOut({ name, program }: GateSide, found: string, said: readonly string[]): OperatorError {
  return new OperatorError(
    'RUN_NOT_CARRIED_OUT',
    [`The ${name} (${program}): expected sim run to carry the scenario out, found ${found}.`, ...said].join('\n'),
    3,
  );
}
