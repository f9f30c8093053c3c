// How a search for the highest load is said: its answer in a few sentences, its steps as rows. Shared by console and Markdown.

import { formatBitsPerSecond, formatCount, formatDuration } from '../common/units.ts';
import type { Saturation, SaturationStep } from '../simulator/result/saturation.ts';
import { actualText } from './words.ts';

export const outcomeWords: Readonly<Record<SaturationStep['outcome'], string>> = {
  holds: 'held',
  fails: 'FAIL',
  inconclusive: 'unsure',
  impossible: 'not run',
};

/** Steps in the order of their values; those at one value in the order in which they ran. */
export function stepsByValue({ steps }: Saturation): readonly SaturationStep[] {
  return [...steps].sort((a, b) => a.value - b.value);
}

/** What was varied, and over what. */
export function titleOf({ scenario, varied, world }: Saturation): string {
  const what = varied.name === 'devices' ? 'many devices' : `much ${varied.name}`;
  return `${scenario.name}: how ${what} does it bear? (${world} world)`;
}

/** The answer first, then what was the limit, then what the curve says. */
export function answerLines(saturation: Saturation): string[] {
  const { answer } = saturation;
  const lines = [mainLine(saturation)];
  if (answer.failed !== undefined && answer.how !== 'machine') {
    const { bottleneck } = answer;
    const where = `What was full at ${answer.failed.text}:`;
    lines.push(
      bottleneck === undefined ? `${where} ${nothingFull}` : `${where} ${bottleneck.text} (${bottleneck.basis})`,
    );
  }
  if (answer.curveKnee !== undefined) {
    lines.push(`By the curve alone the bend is at ${answer.curveKnee.text}: beyond it more brings little more`);
  }
  return lines;
}

const nothingFull = 'nothing that this machine shows';

function mainLine({ answer, varied, steps }: Saturation): string {
  const { held, failed } = answer;
  const coarse = answer.isResolved ? '' : '. The time was up before this was as narrow as asked for (--budget)';
  const why =
    failed === undefined
      ? ''
      : reasonOf(steps.findLast(({ value, outcome }) => value === failed.value && outcome !== 'holds'));
  const atLeast = held === undefined ? 'Nothing is known to hold' : `At least ${held.text}`;
  switch (answer.how) {
    case 'knee':
      return `The knee is at ${held?.text}: that held, and ${failed?.text} did not (${why})${coarse}`;
    case 'ceiling':
      return `No knee up to ${held?.text}: all of the range holds`;
    case 'generator':
      return `${atLeast}. What is beyond cannot be told: at ${failed?.text} the load generator was the limit, not the node (${why})${coarse}`;
    case 'machine':
      return `${atLeast}. ${failed?.text} could not be run: ${why}`;
    case 'nothing':
      return `Nothing held, down to ${failed?.text ?? `the lowest ${varied.name}`}: ${why}`;
    case 'budget':
      return held === undefined
        ? `The time was up before a step held (--budget)${failed === undefined ? '' : `; ${failed.text} did not (${why})`}`
        : `${atLeast}: the time was up before one failed (--budget)`;
    case 'interrupted':
      return `Interrupted. So far: ${held === undefined ? 'nothing held' : `${held.text} held`}${failed === undefined ? '' : `, ${failed.text} did not`}`;
  }
}

/** What did not hold, with its value; or why it could not be judged or run. */
export function reasonOf(step: SaturationStep | undefined): string {
  if (step === undefined) return '';
  const wanted = step.outcome === 'fails' ? 'fail' : 'inconclusive';
  const texts = step.expectations
    .filter(({ verdict }) => verdict === wanted)
    .map((verdict) => `${verdict.text}: ${actualText(verdict)}`);
  return texts.length === 0 ? (step.reason ?? '') : texts.join('; ');
}

/** One column of the table of steps. */
export type StepColumn = {
  readonly head: string;
  readonly text: (step: SaturationStep) => string;
};

/** Columns that say something of this search. */
export function stepColumns(saturation: Saturation): readonly StepColumn[] {
  const { world, varied } = saturation;
  const value: StepColumn = { head: varied.name.split('.').at(-1) ?? '', text: ({ text }) => text };
  const received: StepColumn = {
    head: 'received',
    text: ({ load }) => shown(load.receivedBitsPerSecond, formatBitsPerSecond),
  };
  const late: StepColumn = {
    head: 'p99',
    text: ({ metrics }) => shown(metrics['range.latencyMs.p99'], formatDuration),
  };
  const hit: StepColumn = {
    head: 'hit',
    text: ({ load }) => shown(load.hitRatioBytes, (ratio) => `${(ratio * 100).toFixed(1)} %`),
  };
  const outcome: StepColumn = { head: '', text: (step) => outcomeWords[step.outcome] };
  if (world === 'live') {
    const errors: StepColumn = {
      head: 'errors',
      text: ({ metrics }) => shown(metrics['range.failedCount'], formatCount),
    };
    const cores: StepColumn = { head: 'cores n+c+d', text: coresText };
    return [value, received, late, errors, hit, cores, outcome];
  }
  const finish: StepColumn = {
    head: 'finished',
    text: ({ metrics }) => shown(metrics['fleet.finishMs'], formatDuration),
  };
  const limit: StepColumn = { head: 'limit', text: ({ bottleneck }) => bottleneck?.name ?? '' };
  // Where it is one and the same, the answer says it.
  const limits = new Set(saturation.steps.map(limit.text));
  return [value, received, finish, late, hit, ...(limits.size > 1 ? [limit] : []), outcome];
}

/** What the heads of the table do not say. */
export function columnNote({ world }: Saturation): string | undefined {
  return world === 'live' ? 'cores n+c+d: in use by the nodes, the CDN and the devices' : undefined;
}

function coresText({ load: { nodeCores, cdnCores, generatorCores } }: SaturationStep): string {
  if (generatorCores === undefined) return '';
  return [nodeCores ?? 0, cdnCores ?? 0, generatorCores].map((cores) => cores.toFixed(2)).join('+');
}

const shown = (value: number | undefined, format: (value: number) => string): string =>
  value === undefined ? '–' : format(value);
