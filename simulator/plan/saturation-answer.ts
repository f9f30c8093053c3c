// From the runs of a search to its answer: where the knee is, how sure that is, and what was full there.

import { exitCodes } from '../../common/errors.ts';
import type { SaturationAnswer, SaturationStep } from '../result/saturation.ts';
import { curveKnee } from './curve-knee.ts';
import { type Searched, trialsOf } from './saturate.ts';
import { bracketOf, type Outcome, outcomeOf, sideOf, violation } from './search.ts';
import type { Variable } from './variable.ts';

/** Others used so many cores that the machine was not this search's alone. */
const disturbedCores = 0.3;
/** Below this share of hits the cache was still filling while it was measured. */
const warmRatio = 0.95;

export function answerOf({ steps, ended }: Searched, variable: Variable): SaturationAnswer {
  const trials = trialsOf(steps.filter(({ purpose }) => purpose === 'search'));
  const { low, high } = bracketOf(trials);
  const limiting = high === undefined ? undefined : stepAt(steps, high, outcomeOf(trials, high));
  const bend = curveKnee(
    steps.flatMap(({ value, load }) => {
      return load.receivedBitsPerSecond === undefined ? [] : [{ x: value, y: load.receivedBitsPerSecond }];
    }),
  );
  const named = (value: number) => ({ value, text: variable.text(value) });
  return {
    how: howOf(ended, low, limiting?.outcome),
    ...(low === undefined ? {} : { held: named(low) }),
    ...(limiting === undefined ? {} : { failed: { ...named(limiting.value), reason: limiting.reason ?? '' } }),
    ...(limiting?.bottleneck === undefined ? {} : { bottleneck: limiting.bottleneck }),
    isResolved: ended === 'bracketed' || ended === 'ceiling' || ended === 'nothing',
    ...(bend === undefined ? {} : { curveKnee: named(bend.x) }),
    notes: [
      ...orderNotes(steps, variable),
      ...warmthNotes(steps, low, variable),
      ...disturbanceNotes(steps, low, high),
    ],
  };
}

/** The exit code that the contract has for an answer. */
export function exitCodeOf({ how }: SaturationAnswer, steps: readonly SaturationStep[]): number {
  switch (how) {
    case 'knee':
    case 'ceiling':
      return exitCodes.pass;
    case 'generator':
    case 'budget':
      return exitCodes.inconclusive;
    case 'machine':
      return exitCodes.cannotRun;
    case 'interrupted':
      return exitCodes.interrupted;
    case 'nothing':
      return exitCodeOfNothing(steps);
  }
}

function exitCodeOfNothing(steps: readonly SaturationStep[]): number {
  const outcomes = new Set(steps.map(({ outcome }) => outcome));
  if (outcomes.has('fails')) return exitCodes.failed;
  return outcomes.has('inconclusive') ? exitCodes.inconclusive : exitCodes.cannotRun;
}

function howOf(
  ended: Searched['ended'],
  low: number | undefined,
  outcome: Outcome | undefined,
): SaturationAnswer['how'] {
  if (ended === 'interrupted' || ended === 'ceiling' || ended === 'nothing') return ended;
  if (low === undefined || outcome === undefined) return 'budget';
  if (outcome === 'fails') return 'knee';
  return outcome === 'inconclusive' ? 'generator' : 'machine';
}

/** The last run at a value that had this outcome: it tells why. */
function stepAt(steps: readonly SaturationStep[], value: number, outcome: Outcome): SaturationStep | undefined {
  return steps.findLast((step) => step.value === value && step.outcome === outcome);
}

/** Where runs contradict each other, or the order of their values. */
function orderNotes(steps: readonly SaturationStep[], { text }: Variable): string[] {
  const trials = trialsOf(steps);
  const notes: string[] = [];
  const broken = violation(trials);
  if (broken !== undefined) {
    notes.push(
      `${text(broken.failed)} did not hold although ${text(broken.held)} did: what holds is no matter of more or less here, ` +
        'and the search finds one such border of several',
    );
  }
  for (const value of [...new Set(trials.map((trial) => trial.value))].sort((a, b) => a - b)) {
    const here = trials.filter((trial) => trial.value === value);
    const held = here.filter(({ outcome }) => outcome === 'holds').length;
    if (held === 0 || held === here.length) continue;
    const counts = sideOf(trials, value) === 'draw' ? 'counts for neither' : 'the majority counts';
    notes.push(`at ${text(value)} ${held} of ${here.length} runs held: ${counts}`);
  }
  return notes;
}

function warmthNotes(steps: readonly SaturationStep[], low: number | undefined, { text }: Variable): string[] {
  const step = low === undefined ? undefined : stepAt(steps, low, 'holds');
  const { hitRatioBytes, askedBitsPerSecond } = step?.load ?? {};
  if (step === undefined || askedBitsPerSecond === undefined || hitRatioBytes === undefined) return [];
  if (hitRatioBytes >= warmRatio) return [];
  const share = (hitRatioBytes * 100).toFixed(0);
  return [
    `at ${text(step.value)} only ${share} % of the bytes came from the cache while it was measured: it was still filling, ` +
      'and the knee is that of a cold cache (--warm-up makes it warmer)',
  ];
}

function disturbanceNotes(
  steps: readonly SaturationStep[],
  low: number | undefined,
  high: number | undefined,
): string[] {
  const around = steps.flatMap(({ value, load }) => (value === low || value === high ? (load.otherCores ?? []) : []));
  const most = Math.max(0, ...around);
  if (most < disturbedCores) return [];
  return [`other programs used up to ${most.toFixed(2)} cores around the knee: on a quiet machine it may be higher`];
}
