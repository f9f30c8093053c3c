// The search against knees that have a closed form, in the virtual world.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Searched, saturate } from '../../simulator/plan/saturate.ts';
import { answerOf } from '../../simulator/plan/saturation-answer.ts';
import type { SearchSpace } from '../../simulator/plan/search.ts';
import { type Variable, variableOf } from '../../simulator/plan/variable.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-saturate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 1 Gbit/s of 100 MB in 361 s are 451.25 devices. */
const limited = `
name: Limited
worlds: [virtual]
content: [{ id: update, size: 100 MB }]
nodes: [{ id: hq, limit: { egress: 1 Gbit/s } }]
fleet: [{ id: office, devices: 100, cacheHosts: [hq], wants: [update] }]
expect: [fleet.finishMs <= 361 s]`;

type How = {
  readonly name?: string;
  readonly space?: Partial<SearchSpace>;
  readonly budgetMs?: number;
  curve?: number;
};

async function search(text: string, how: How = {}): Promise<{ searched: Searched; variable: Variable }> {
  const path = join(folder, 'scenario.yaml');
  writeFileSync(path, text);
  const loaded = loadScenario(path);
  const variable = variableOf(how.name ?? 'devices', loaded);
  const { isWhole, quantize } = variable;
  const start = variable.start ?? Number.NaN;
  const space: SearchSpace = {
    start,
    floor: quantize(start / 64),
    ceiling: Number.POSITIVE_INFINITY,
    growth: 1.5,
    resolutionRatio: 0.002,
    repeats: 1,
    isWhole,
    quantize,
    ...how.space,
  };
  const { budgetMs = 60_000, curve: curveCount = 0 } = how;
  const terms = {
    loaded,
    world: 'virtual',
    variable,
    isDemandVaried: false,
    space,
    curveCount,
    budgetMs,
    sets: [],
  } as const;
  const quiet = () => undefined;
  const options = { onStep: quiet, onStepDone: quiet, onLive: quiet, onVirtual: quiet };
  return { searched: await saturate(terms, { ...options, signal: new AbortController().signal }), variable };
}

describe('a search in the virtual world', () => {
  it('finds the last device that still fits, and names the limit as given', async () => {
    const { searched, variable } = await search(limited);
    expect(answerOf(searched, variable)).toMatchObject({
      how: 'knee',
      isResolved: true,
      held: { value: 451, text: '451' },
      failed: { value: 452, text: '452', reason: 'fleet.finishMs <= 361 s' },
      bottleneck: { name: 'node.hq.limit', basis: 'given' },
      notes: [],
    });
    for (const { value, metrics, load } of searched.steps) {
      expect(metrics['fleet.finishMs']).toBeCloseTo((value * 100e6) / 125_000, 3);
      expect(load.receivedBitsPerSecond).toBeCloseTo(1e9, -3);
    }
  });

  it('finds it from above too, by any path, and is the same each time', async () => {
    const large = limited.replace('size: 100 MB', 'size: 2 GB');
    const how: How = { name: 'content.0.size', space: { resolutionRatio: 0.01 }, curve: 4 };
    const { searched, variable } = await search(large, how);
    const { held, failed } = answerOf(searched, variable);
    // 100 devices: 451.25 MB each.
    expect(held?.value).toBeLessThanOrEqual(451.25e6);
    expect(failed?.value).toBeGreaterThan(451.25e6);
    expect((failed?.value ?? 0) / (held?.value ?? 1)).toBeLessThanOrEqual(1.01);
    const timeless = ({ steps }: Searched) => steps.map((step) => ({ ...step, durationMs: 0 }));
    expect(timeless((await search(large, how)).searched)).toEqual(timeless(searched));
  });

  it('ends at its upper end when all holds, and says when nothing does', async () => {
    const ceiling = await search(limited, { space: { ceiling: 300 } });
    expect(answerOf(ceiling.searched, ceiling.variable)).toMatchObject({ how: 'ceiling', held: { value: 300 } });
    const none = await search(limited.replace('<= 361 s', '<= 100 ms'));
    expect(answerOf(none.searched, none.variable)).toMatchObject({ how: 'nothing', failed: { value: 2 } });
  });

  it('takes a value that the scenario cannot have for the end of the way', async () => {
    const text = limited.replace('wants: [update]', 'wants: [update], connectionsPerFile: 4');
    const { searched, variable } = await search(text, { name: 'fleet.0.connectionsPerFile' });
    expect(answerOf(searched, variable)).toMatchObject({ how: 'machine', held: { value: 16 }, failed: { value: 17 } });
  });

  it('stops when its time is up, and keeps what it has', async () => {
    const { searched, variable } = await search(limited, { budgetMs: 0.001 });
    expect(searched).toEqual({ steps: [expect.objectContaining({ value: 100, outcome: 'holds' })], ended: 'budget' });
    expect(answerOf(searched, variable)).toMatchObject({ how: 'budget', isResolved: false, held: { value: 100 } });
  });

  it('says when a value failed below one that held', async () => {
    // Between 4 and 6 minutes: too few devices are too fast.
    const text = limited
      .replace('expect: [', 'expect: [fleet.finishMs >= 240 s, ')
      .replace('devices: 100', 'devices: 400');
    const { searched, variable } = await search(text, { curve: 4 });
    const { held, notes } = answerOf(searched, variable);
    expect(held?.value).toBe(451);
    expect(notes).toEqual([
      expect.stringMatching(/^\d+ did not hold although 451 did: what holds is no matter of more/),
    ]);
  });
});
