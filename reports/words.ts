// How values and verdicts are said, the same in the console, in Markdown and in pages.

import { formatCount } from '../common/units.ts';
import type { ExpectationVerdict } from '../simulator/judge/judge.ts';
import type { PredictedMetric } from '../simulator/judge/prediction.ts';
import { findMetric, type MetricUnit } from '../simulator/result/metrics.ts';
import type { Result, Run } from '../simulator/result/result.ts';
import { differenceByLn, differenceByRatio, valueText } from './value-text.ts';

export { valueText };

/** `actual` of an expectation, or why there is none. */
export function actualText(verdict: ExpectationVerdict): string {
  return verdict.actual === undefined ? '–' : valueText(verdict.actual, verdict.unit);
}

/** `+7.7 %` of room to the limit; empty where that has no meaning. */
export function headroomText({ headroomRatio }: ExpectationVerdict): string {
  if (headroomRatio === undefined) return '';
  return differenceByRatio(headroomRatio);
}

/** Below this share a difference does not show in three digits. */
const hiddenRatio = 0.005;

/** `≤ 24 h`, as an expectation's limit; in the unit that the value is shown in. */
export function limitText({ op, limit, unit }: ExpectationVerdict): string {
  return `${operatorWords[op]} ${valueText(limit, unit)}`;
}

const operatorWords: Readonly<Record<ExpectationVerdict['op'], string>> = {
  '==': '=',
  '!=': '≠',
  '<=': '≤',
  '>=': '≥',
  '<': '<',
  '>': '>',
};

/** Why there is no verdict; or the value itself, where it failed by less than its few digits show. */
export function reasonText({ verdict, reason, actual, limit, unit }: ExpectationVerdict): string | undefined {
  if (reason !== undefined || verdict !== 'fail' || actual === undefined) return reason;
  const isHidden = Math.abs(actual - limit) < hiddenRatio * Math.abs(limit);
  return isHidden ? `it is ${formatCount(actual)} ${exactUnitWords[unit]}`.trimEnd() : undefined;
}

const exactUnitWords: Readonly<Record<MetricUnit, string>> = {
  bytes: 'bytes',
  ms: 'ms',
  bitsPerSecond: 'bit/s',
  ratio: '',
  count: '',
  boolean: '',
};

export const verdictWords: Readonly<Record<ExpectationVerdict['verdict'], string>> = {
  pass: 'pass',
  fail: 'FAIL',
  inconclusive: 'inconclusive',
  notJudged: 'not judged',
};

export const resultWords: Readonly<Record<Result['verdict'], string>> = {
  pass: 'PASS',
  fail: 'FAIL',
  inconclusive: 'INCONCLUSIVE',
  interrupted: 'INTERRUPTED',
};

/** What a run was for, as a heading. */
export const purposeWords: Readonly<Record<Run['purpose'], string>> = {
  claim: 'Virtual world: the claim, with the modelled machines',
  measurement: 'Live world: the measurement, on this machine',
  prediction: 'Virtual world: what this machine was predicted to do',
};

/** The same in two words, for a column of a table. */
export const purposeNames: Readonly<Record<Run['purpose'], string>> = {
  claim: 'claim, virtual',
  measurement: 'measured, live',
  prediction: 'predicted, virtual',
};

/** Limits that bound something, most first: an answer that repeats an input is bound by what was given. */
export function limitLines({ limits, generatorLimits = [] }: Run): string[] {
  // Of a live run only this is known, and it comes before all that the run measured.
  if (generatorLimits.length > 0) return generatorLimits.map((limit) => `the load generator: ${limit}`);
  const bound = (limits ?? []).filter(({ boundRatio }) => boundRatio >= 0.0005);
  return bound
    .sort((a, b) => b.boundRatio - a.boundRatio)
    .map(({ name, capacity, unit, basis, boundRatio }) => {
      const share = `${(boundRatio * 100).toFixed(1)} % of the bytes: ${name}`;
      const kind = name.split('.').at(-1) ?? '';
      if (capacity === undefined) return `${share}, ${limitKindWords[kind] ?? basis}`;
      return `${share}, ${valueText(capacity, unit)}, ${basis}`;
    });
}

/** Limits that have no one number. */
const limitKindWords: Readonly<Record<string, string>> = {
  requests: 'one request at a time on a connection',
};

/** Notes of a run that no run before it has. */
export function shownNotes(run: Run, runs: readonly Run[]): readonly string[] {
  const before = runs.slice(0, runs.indexOf(run));
  return run.notes.filter((note) => !before.some(({ notes }) => notes.includes(note)));
}

/** Verdicts to show of a run: without those that it cannot give and another run gave. */
export function shownVerdicts(run: Run, runs: readonly Run[]): readonly ExpectationVerdict[] {
  return run.expectations.filter((verdict, index) => {
    if (verdict.verdict !== 'notJudged') return true;
    const others = runs.filter((other) => other !== run).map((other) => other.expectations[index]);
    if (others.some((other) => other !== undefined && other.verdict !== 'notJudged')) return false;
    // Nobody judged it: the first run says so.
    return runs[0] === run;
  });
}

/** `+1.2 %`: predicted by measured; `× 6,700` and `÷ 68` where they are an order of magnitude apart. */
export const differenceText = ({ lnRatio }: PredictedMetric): string => differenceByLn(lnRatio);

/** A value of a metric by its name. */
export function metricText(name: string, value: number): string {
  const unit = findMetric(name)?.unit;
  return unit === undefined ? formatCount(value) : valueText(value, unit);
}

export function machineText({ cpu, cores, os, node }: Result['machine']): string {
  return `${cpu}, ${valueText(cores, 'cores')}, ${os}, Node ${node}`;
}

/** By what, when and on which machine it was made. */
export function originText({ tool, startedAt, machine }: Pick<Result, 'tool' | 'startedAt' | 'machine'>): string {
  return `${tool.name} ${tool.version}, ${startedAt}; ${machineText(machine)}`;
}

/** Heads of the columns of {@link processRows}. */
export const processColumns = [
  'process',
  'devices',
  'of a core',
  'waiting for one',
  'late, 99 %',
  'loop, 99 %',
  'loop, max',
];

/** A row for each process of a live run: what it took of the machine, and how late it was. */
export function processRows({ processes = [] }: Run): string[][] {
  const text = (value: number | undefined, unit: MetricUnit): string =>
    value === undefined ? '' : valueText(value, unit);
  return processes.map((each) => [
    each.name,
    text(each.devices, 'count'),
    text(each.cpuRatio, 'ratio'),
    text(each.cpuWaitRatio, 'ratio'),
    text(each.latenessMsP99, 'ms'),
    text(each.eventLoopDelayMsP99, 'ms'),
    text(each.eventLoopDelayMsMax, 'ms'),
  ]);
}

/** A line of the summary: what, and its value. */
export type Fact = readonly [what: string, value: string];

/** What a manager asks first, from the metrics that there are. */
export function keyFacts(metrics: Readonly<Record<string, number>>): Fact[] {
  const facts: Fact[] = [];
  const value = (name: string, unit: MetricUnit): string | undefined => {
    const number = metrics[name];
    return number === undefined ? undefined : valueText(number, unit);
  };
  const add = (what: string, text: string | undefined): void => {
    if (text !== undefined) facts.push([what, text]);
  };
  const completed = value('devices.completedCount', 'count');
  add('devices completed', completed === undefined ? undefined : `${completed} of ${value('devices.count', 'count')}`);
  add('most devices connected', value('devices.connectedCountMax', 'count'));
  add('time to complete, median', value('devices.completionMs.p50', 'ms'));
  add('time to complete, slowest', value('devices.completionMs.max', 'ms'));
  add('whole fleet finished after', value('fleet.finishMs', 'ms'));
  add('bytes from cache nodes', value('fleet.bytesFromCacheServer', 'bytes'));
  add('bytes from the CDN directly', value('fleet.bytesFromCdn', 'bytes'));
  add('bytes that the CDN sent in all', value('cdn.egressBytes', 'bytes'));
  const ids = Object.keys(metrics).flatMap((name) => /^node\.([^.]+)\./.exec(name)?.[1] ?? []);
  for (const id of new Set(ids)) {
    const rates = (['sustained', 'mean', 'peak'] as const).flatMap((which) => {
      const rate = value(`node.${id}.egressBitsPerSecond.${which}`, 'bitsPerSecond');
      return rate === undefined ? [] : [`${rate} ${which}`];
    });
    add(`node ${id}, egress`, rates.length === 0 ? undefined : rates.join(', '));
    const ratios = [value(`node.${id}.hitRatioBytes`, 'ratio'), value(`node.${id}.hitRatioRequests`, 'ratio')];
    if (ratios[0] !== undefined) {
      const ofRequests = ratios[1] === undefined ? '' : `, ${ratios[1]} of the requests`;
      add(`node ${id}, from cache`, `${ratios[0]} of the bytes${ofRequests}`);
    }
  }
  const p99 = value('range.latencyMs.p99', 'ms');
  add('a range, median and 99 %', p99 === undefined ? undefined : `${value('range.latencyMs.p50', 'ms')}, ${p99}`);
  const fellBack = metrics['fallback.deviceCount'] ?? 0;
  if (fellBack > 0) {
    add('devices that fell back to the CDN', value('fallback.deviceCount', 'count'));
    add(
      'time to fall back, median and most',
      `${value('fallback.timeMs.p50', 'ms')}, ${value('fallback.timeMs.max', 'ms')}`,
    );
    add('share of bytes from the CDN', value('fallback.cdnByteRatio', 'ratio'));
  }
  const isDiscarded = metrics['integrity.verifiedBytes'] === 0 && (metrics['integrity.uncheckedBytes'] ?? 0) > 0;
  if (isDiscarded) add('bytes discarded, not checked', value('integrity.uncheckedBytes', 'bytes'));
  else add('bytes checked', value('integrity.verifiedBytes', 'bytes'));
  add('load generator, busiest process', value('generator.cpuRatio', 'ratio'));
  add('load generator, share of all CPU', value('generator.cpuShareRatio', 'ratio'));
  return facts;
}
