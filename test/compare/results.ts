// Results for comparisons: whole ones, of few metrics.

import { createHash } from 'node:crypto';
import type { Side } from '../../simulator/compare/side.ts';
import type { ExpectationVerdict } from '../../simulator/judge/judge.ts';
import type { Result, Run } from '../../simulator/result/result.ts';

const text = 'name: A test\n';
const sha256 = (of: string): string => createHash('sha256').update(of).digest('hex');

export type ResultChanges = Partial<Omit<Result, 'runs' | 'scenario'>> & {
  readonly world?: Run['world'];
  readonly metrics?: Readonly<Record<string, number>>;
  readonly unavailable?: Readonly<Record<string, string>>;
  readonly expectations?: readonly ExpectationVerdict[];
  readonly scenarioText?: string;
};

/** A result of one live run; `changes` of its parts. */
export function resultWith(changes: ResultChanges): Result {
  const { world = 'live', metrics = {}, unavailable = {}, expectations = [], scenarioText = text, ...more } = changes;
  return {
    schema: 1,
    tool: { name: 'delivery-optimization-simulator', version: '0.1.0' },
    scenario: { name: 'A test', path: 'a-test.yaml', sha256: sha256(scenarioText), text: scenarioText },
    overrides: {},
    seed: 7,
    command: 'sim run a-test.yaml',
    startedAt: '2026-11-28T00:00:00.000Z',
    machine: { cpu: 'A processor', cores: 2, memoryBytes: 4e9, os: 'Linux', node: 'v20.20.2' },
    verdict: 'pass',
    reason: '1 judged expectation holds',
    ...more,
    runs: [
      {
        world,
        purpose: world === 'live' ? 'measurement' : 'claim',
        metrics,
        unavailable,
        series: { startSecond: 0, columns: {} },
        histograms: {},
        expectations,
        timeline: [],
        notes: [],
        problems: [],
        durationMs: 1000,
      },
    ],
  };
}

/** A side whose runs have these values of one metric. */
export function sideOf(name: string, values: readonly number[], changes: ResultChanges = {}): Side {
  const { metrics } = changes;
  return {
    label: 'a side',
    results: values.map((value) => resultWith({ ...changes, metrics: { ...metrics, [name]: value } })),
    leftOut: [],
  };
}
