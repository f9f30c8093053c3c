// The form of result.json as a schema: what a reader of the file (a later report, comparison or gate) may rely on.

import { z } from 'zod';
import { findMetric } from './metrics.ts';
import { type Result, resultSchema } from './result.ts';

const metricName = z.string().refine((name) => findMetric(name) !== undefined, { error: 'no metric of the registry' });

const expectationForm = z.strictObject({
  text: z.string(),
  metric: metricName,
  actual: z.number().exactOptional(),
  limit: z.number(),
  unit: z.enum(['bytes', 'ms', 'bitsPerSecond', 'ratio', 'count', 'boolean']),
  op: z.enum(['==', '!=', '<=', '>=', '<', '>']),
  verdict: z.enum(['pass', 'fail', 'inconclusive', 'notJudged']),
  reason: z.string().exactOptional(),
  headroomRatio: z.number().exactOptional(),
});

const runForm = z.strictObject({
  world: z.enum(['live', 'virtual']),
  purpose: z.enum(['claim', 'measurement', 'prediction']),
  metrics: z.record(metricName, z.number()),
  unavailable: z.record(metricName, z.string().min(1)),
  series: z
    .strictObject({
      startSecond: z.number().int(),
      runStartSecond: z.number().exactOptional(),
      stepSeconds: z.number().positive().exactOptional(),
      steady: z.strictObject({ from: z.number().int(), to: z.number().int() }).exactOptional(),
      columns: z.record(z.string(), z.array(z.number())),
    })
    .refine(({ columns }) => new Set(Object.values(columns).map((column) => column.length)).size <= 1, {
      error: 'columns of one length',
    }),
  histograms: z.record(z.string(), z.string()),
  expectations: z.array(expectationForm),
  limits: z
    .array(
      z.strictObject({
        name: z.string(),
        capacity: z.number().exactOptional(),
        unit: z.enum(['bitsPerSecond', 'cores']),
        basis: z.enum(['given', 'measured', 'assumed']),
        boundRatio: z.number(),
      }),
    )
    .exactOptional(),
  generatorLimits: z.array(z.string().min(1)).exactOptional(),
  processes: z
    .array(
      z.strictObject({
        name: z.string(),
        cpuMs: z.number(),
        cpuRatio: z.number(),
        cpuWaitRatio: z.number().exactOptional(),
        devices: z.number().int().exactOptional(),
        latenessMsP99: z.number().exactOptional(),
        eventLoopDelayMsP99: z.number().exactOptional(),
        eventLoopDelayMsMax: z.number().exactOptional(),
      }),
    )
    .exactOptional(),
  timeline: z.array(z.strictObject({ atMs: z.number(), what: z.string() })),
  notes: z.array(z.string()),
  problems: z.array(z.string()),
  durationMs: z.number().nonnegative(),
});

/** Checks a parsed result.json. Unknown keys are errors: the form is versioned by `schema`. */
export const resultForm: z.ZodType<Result> = z.strictObject({
  schema: z.literal(resultSchema),
  tool: z.strictObject({ name: z.string(), version: z.string() }),
  scenario: z.strictObject({
    name: z.string(),
    path: z.string(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    text: z.string(),
    question: z.string().exactOptional(),
    expected: z.enum(['pass', 'fail']).exactOptional(),
  }),
  overrides: z.record(z.string(), z.string()),
  seed: z.number().int().nonnegative(),
  command: z.string(),
  startedAt: z.iso.datetime(),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.number().int().positive(),
    memoryBytes: z.number().int().positive(),
    os: z.string(),
    node: z.string(),
    openFilesMax: z.number().optional(),
  }),
  profiles: z.record(z.string(), z.unknown()).exactOptional(),
  verdict: z.enum(['pass', 'fail', 'inconclusive', 'interrupted']),
  reason: z.string(),
  runs: z.array(runForm),
  prediction: z
    .array(z.strictObject({ name: metricName, predicted: z.number(), measured: z.number(), lnRatio: z.number() }))
    .exactOptional(),
});
