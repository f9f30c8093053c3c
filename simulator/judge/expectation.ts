// Reads what a scenario expects, `metric operator value[unit]`, into the metric's own unit:
//
//     node.hq.egressBitsPerSecond.sustained >= 6.5 Gbit/s   →   limit 6.5e9 bitsPerSecond
//
// Pure, and free of the scenario: whether `hq` exists is the loader's business (it looks at `scope`).

import { parseQuantity, quantityExamples } from '../../common/units.ts';
import {
  findScopedMetric,
  type MetricScope,
  type MetricUnit,
  suggestMetric,
  type WorldName,
} from '../result/metrics.ts';

/** How an expectation compares the measured value (left) with the limit (right). */
export type Operator = '==' | '!=' | '<=' | '>=' | '<' | '>';

/** One thing that must hold. */
export type Expectation = {
  /** As written, without the world. */
  readonly text: string;
  /** The only world to judge it in; `undefined`: every run that can measure it. */
  readonly world: WorldName | undefined;
  /** The metric's concrete name. */
  readonly metric: string;
  readonly op: Operator;
  /** In the metric's own unit; a boolean is 0 or 1. */
  readonly limit: number;
  readonly unit: MetricUnit;
  /** The node or group that the metric speaks of. */
  readonly scope: MetricScope | undefined;
};

/** What is wrong with a text that is no expectation. */
export type ExpectationProblem = {
  readonly expected: string;
  readonly found: string;
  readonly didYouMean?: string | undefined;
};

/** The outcome of reading a text. */
export type ParsedExpectation =
  | { readonly kind: 'expectation'; readonly expectation: Expectation }
  | { readonly kind: 'problem'; readonly problem: ExpectationProblem };

/** Shown wherever an expectation is expected. */
export const expectationExample = 'an expectation, such as "devices.completedRatio == 1" or "fleet.finishMs <= 24 h"';

/** Reads one expectation; `world` is the world that it was limited to, if it was. */
export function parseExpectation(text: string, world?: WorldName | undefined): ParsedExpectation {
  const match = /^\s*([^\s=!<>]+)\s*(==|!=|<=|>=|=<|=>|=|<|>)\s*(.*?)\s*$/.exec(text);
  const metric = match?.[1];
  const written = match?.[2];
  const value = match?.[3];
  if (metric === undefined || written === undefined || value === undefined || value === '') {
    return problem(expectationExample, quote(text));
  }
  const op = operator(written);
  if (op === undefined) {
    const meant = { '=': '==', '=<': '<=', '=>': '>=' }[written];
    return problem('one of the operators == != <= >= < >', quote(written), meant);
  }
  const found = findScopedMetric(metric);
  if (found === undefined) {
    return problem('a metric ("sim metrics" lists them all)', quote(metric), suggestMetric(metric));
  }
  const { definition, scope } = found;
  if (world !== undefined && !definition.worlds.includes(world)) {
    return problem(`a metric that the ${world} world can measure`, `${metric}, which is ${definition.worlds[0]} only`);
  }
  const limit = parseLimit(value, definition.unit, metric);
  if (typeof limit !== 'number') return { kind: 'problem', problem: limit };
  return { kind: 'expectation', expectation: { text, world, metric, op, limit, unit: definition.unit, scope } };
}

function operator(text: string): Operator | undefined {
  switch (text) {
    case '==':
    case '!=':
    case '<=':
    case '>=':
    case '<':
    case '>':
      return text;
    default:
      return undefined;
  }
}

/** The limit in the metric's unit, or what is wrong with it. */
function parseLimit(text: string, unit: MetricUnit, metric: string): number | ExpectationProblem {
  switch (unit) {
    case 'bytes':
      // Nothing is nothing in every unit, and "corruptBytes == 0" is how people say it.
      return text === '0' ? 0 : quantityLimit(text, metric, 'bytes');
    case 'ms':
      return quantityLimit(text, metric, 'duration');
    case 'bitsPerSecond': {
      const bytesPerMs = quantityLimit(text, metric, 'rate');
      return typeof bytesPerMs === 'number' ? bytesPerMs * 8000 : bytesPerMs;
    }
    case 'count': {
      const count = bareNumber(text);
      if (count !== undefined && Number.isSafeInteger(count)) return count;
      const meant = bareNumber(text.replace(/[,\s]/g, ''));
      return {
        expected: `a whole number for ${metric}`,
        found: quote(text),
        didYouMean: meant !== undefined && Number.isSafeInteger(meant) ? String(meant) : undefined,
      };
    }
    case 'ratio': {
      const ratio = bareNumber(text);
      if (ratio !== undefined && ratio <= 1) return ratio;
      const percent = bareNumber(text.replace(/\s*%$/, ''));
      return {
        expected: `a ratio from 0 to 1 for ${metric}`,
        found: quote(text),
        didYouMean:
          percent !== undefined && percent <= 100 && (percent >= 2 || text.endsWith('%'))
            ? String(Number((percent / 100).toPrecision(12)))
            : undefined,
      };
    }
    case 'boolean': {
      if (text === '1' || text === 'true') return 1;
      if (text === '0' || text === 'false') return 0;
      return { expected: `0 or 1 for ${metric}`, found: quote(text) };
    }
  }
}

function quantityLimit(
  text: string,
  metric: string,
  quantity: 'bytes' | 'duration' | 'rate',
): number | ExpectationProblem {
  const value = parseQuantity(text, quantity);
  if (value !== undefined && value >= 0) return value;
  return {
    expected: `${quantityExamples[quantity]}, for ${metric}`,
    found: bareNumber(text) === undefined ? quote(text) : `the bare number ${text}`,
  };
}

/** A number of zero or more without a unit; digits may be grouped by underscores. */
function bareNumber(text: string): number | undefined {
  return /^[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(text) ? Number(text.replaceAll('_', '')) : undefined;
}

const quote = (text: string): string => `"${text}"`;

function problem(expected: string, found: string, didYouMean?: string | undefined): ParsedExpectation {
  return { kind: 'problem', problem: { expected, found, didYouMean } };
}
