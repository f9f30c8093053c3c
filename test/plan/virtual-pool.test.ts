// The pool of virtual runs: in a thread a run gives what it gives here, to the last bit; whatever ends, nobody waits for it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { runVirtualJob, type VirtualJob, type VirtualOutcome } from '../../simulator/plan/virtual-job.ts';
import { VirtualPool, type VirtualPoolOptions } from '../../simulator/plan/virtual-pool.ts';
import { small } from '../scenario/scenario-text.ts';

const pools: VirtualPool[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function poolOf(options: VirtualPoolOptions): VirtualPool {
  const pool = new VirtualPool(options);
  pools.push(pool);
  return pool;
}

function jobOf(name: string, overrides: readonly string[] = []): VirtualJob {
  const path = join(repositoryRoot, 'scenarios', `${name}.yaml`);
  return { text: readFileSync(path, 'utf8'), path, overrides, keepsSeries: true };
}

const smallJob = (devices: number): VirtualJob => ({
  text: small,
  path: 'a.yaml',
  overrides: [`fleet.0.devices=${devices}`],
});
/** Long work in one turn of its thread, and more memory than a small heap has. */
const large: VirtualJob = {
  text: `${small}events: [${'{ at: 1 s, version: update }, '.repeat(50_000)}]\n`,
  path: 'a.yaml',
  overrides: [],
};

const withoutTime = (outcome: VirtualOutcome): unknown => ({ ...outcome, elapsedMs: 0 });

describe('a pool of virtual runs', () => {
  it('gives what the same run gives in this thread, to the last bit', async () => {
    const jobs = [
      jobOf('failover'),
      jobOf('working-day', ['seed=9']),
      jobOf('nested-factory'),
      jobOf('vm', ['fleet.0.devices=777']),
      jobOf('freeze', ['fleet.0.devices=0']),
      jobOf('linux-outage'),
    ];
    const pool = poolOf({ size: 2 });
    const inThreads = await Promise.all(jobs.map((job) => pool.run(job)));
    for (const [index, job] of jobs.entries()) {
      const here = await runVirtualJob(job);
      expect(withoutTime(inThreads[index] as VirtualOutcome)).toStrictEqual(withoutTime(here));
    }
    expect(inThreads.map(({ kind }) => kind)).toEqual(['ran', 'ran', 'ran', 'ran', 'refused', 'ran']);
  });

  it('gives a mistake in the words that the loader has for it', async () => {
    const outcome = await poolOf({ size: 1 }).run({ text: small, path: 'a.yaml', overrides: ['fleet.0.device=3'] });
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BAD_SCENARIO', exitCode: 2 });
    expect(outcome.kind === 'refused' && outcome.message).toContain('did you mean devices');
  });

  it('sends two messages a job, and keeps its threads', async () => {
    const sent = vi.spyOn(Worker.prototype, 'postMessage');
    const heard = vi.spyOn(Worker.prototype, 'emit');
    const pool = poolOf({ size: 2 });
    const outcomes = await Promise.all(Array.from({ length: 500 }, (_, index) => pool.run(smallJob(1 + (index % 5)))));
    expect(outcomes.every(({ kind }) => kind === 'ran')).toBe(true);
    expect(sent).toHaveBeenCalledTimes(500);
    const events = heard.mock.calls.map(([name]) => name);
    expect(events.filter((name) => name === 'message')).toHaveLength(500);
    expect(events.filter((name) => name === 'online').length).toBeLessThanOrEqual(2);
  });

  it('starts no more threads than it has work', async () => {
    const heard = vi.spyOn(Worker.prototype, 'emit');
    const pool = poolOf({ size: 64 });
    await pool.run(smallJob(1));
    await pool.run(smallJob(2));
    expect(heard.mock.calls.filter(([name]) => name === 'online')).toHaveLength(1);
  });

  it('fails the job of a thread that dies, in words, and goes on with a new one', async () => {
    const pool = poolOf({ size: 1, heapMbMax: 24 });
    const [first, second] = await Promise.all([pool.run(large), pool.run(smallJob(3))]);
    expect(first).toMatchObject({ kind: 'broken' });
    expect(first.kind === 'broken' && first.message).toMatch(/^the thread of this run died: .*memory/);
    expect(second).toMatchObject({ kind: 'ran', verdict: expect.any(String) });
  });

  it('ends at once when it is aborted, in the middle of a run, and runs nothing any more', async () => {
    const abort = new AbortController();
    const pool = poolOf({ size: 1, signal: abort.signal });
    expect((await pool.run(smallJob(1))).kind).toBe('ran');
    const underWay = [pool.run(large), pool.run(smallJob(2))];
    abort.abort();
    expect(await Promise.all(underWay)).toEqual([{ kind: 'interrupted' }, { kind: 'interrupted' }]);
    expect(await pool.run(smallJob(1))).toEqual({ kind: 'interrupted' });
  });
});
