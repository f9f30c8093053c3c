// The console with colours is the console without them: what a terminal shows is the same text, in the same columns.

import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { printComparison } from '../../reports/comparison-console.ts';
import { printSummary } from '../../reports/console.ts';
import { printSaturation } from '../../reports/saturation-console.ts';
import { compareSides } from '../../simulator/compare/compare.ts';
import type { SaturationStep } from '../../simulator/result/saturation.ts';
import { sideOf } from '../compare/results.ts';
import { resultOf } from './some-results.ts';

/** What is printed on a terminal, or elsewhere. */
function printed(print: (stream: NodeJS.WriteStream) => void, isTerminal: boolean): string {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  print(Object.assign(stream, { isTTY: isTerminal, hasColors: () => isTerminal }) as unknown as NodeJS.WriteStream);
  return text;
}

function expectSameText(print: (stream: NodeJS.WriteStream) => void): void {
  const coloured = printed(print, true);
  const plain = printed(print, false);
  expect(coloured).not.toBe(plain);
  expect(stripVTControlCharacters(coloured)).toBe(plain);
  expect(plain.split('\n').filter((line) => line.length > 80)).toEqual([]);
}

it('the summary of a run: verdicts that hold, fail and are not judged', async () => {
  const result = await resultOf('smoke', ['expect.0=devices.completedRatio > 1']);
  expect(new Set(result.runs[0]?.expectations.map(({ verdict }) => verdict))).toEqual(
    new Set(['pass', 'fail', 'notJudged']),
  );
  expectSameText((stream) => printSummary(result, stream, 'out/smoke'));
});

it('a comparison: metrics that are worse, and that are not told', () => {
  const about = (centre: number, width: number) =>
    Array.from({ length: 10 }, (_, i) => centre * (1 + (width * i) / 10));
  const [name, other] = ['range.latencyMs.p50', 'range.latencyMs.p99'];
  const side = (centre: number) => {
    const { results, ...rest } = sideOf(name, about(centre, 0.01));
    const values = about(5, 3);
    const withOther = results.map((result, i) => ({
      ...result,
      runs: result.runs.map((run) => ({ ...run, metrics: { ...run.metrics, [other]: values[i] ?? 0 } })),
    }));
    return { ...rest, results: withOther };
  };
  const comparison = compareSides(side(10), [side(20)], { marginRatio: 0.05, margins: [], metrics: [] });
  expect(new Set(comparison.candidates[0]?.metrics.map(({ verdict }) => verdict))).toEqual(
    new Set(['fail', 'inconclusive']),
  );
  expectSameText((stream) => printComparison(comparison, stream));
});

it('a search: steps that hold, fail, and are inconclusive', async () => {
  const { scenario, overrides, seed, machine, tool, startedAt } = await resultOf('smoke');
  const step = (value: number, outcome: SaturationStep['outcome']): SaturationStep => ({
    ...{ value, text: `${value} Gbit/s`, purpose: 'search', outcome, command: 'sim run', durationMs: 1 },
    ...{ load: { devices: 1 }, metrics: {}, expectations: [] },
    ...(outcome === 'holds'
      ? {}
      : { reason: 'a long reason that goes on below, since there is no room for it beside' }),
  });
  const steps = [step(1, 'holds'), step(2, 'fails'), step(3, 'inconclusive')];
  const how = { start: 1, floor: 1, growth: 2, resolutionRatio: 0.05, repeats: 1, budgetMs: 1000 };
  const varied = { name: 'demand', paths: ['live.demand'], unit: 'bitsPerSecond' } as const;
  const answer = { how: 'knee', isResolved: true, notes: [] } as const;
  const source = { schema: 1, kind: 'saturation', tool, scenario, overrides, seed, machine, startedAt } as const;
  const saturation = { ...source, world: 'live', command: 'sim saturate', varied, search: how, steps, answer } as const;
  expectSameText((stream) => printSaturation(saturation, stream, 'out/saturate'));
});
