// What a runner does by itself: a transfer's request leaves when its policy says, or not at all. (How a world carries
// out the rest is in its contract.)

import { describe, expect, it } from 'vitest';
import type { DownloadEffect, DownloadPolicy } from '../../simulator/device/download-policy.ts';
import { windowsPolicy } from '../../simulator/device/windows-policy.ts';
import { DownloadRunner } from '../../simulator/world/world.ts';
import { type Outcome, ScriptedDownload, ScriptedWorld } from '../device/scripted-world.ts';

/** Gives these effects, one a step. */
const policyOf = (effects: readonly DownloadEffect[]): DownloadPolicy<{ step: number }, { origins: string[] }> => ({
  transport: windowsPolicy.transport,
  assumptions: [],
  newAgent: () => ({ origins: [] }),
  initialState: (agent, origin) => {
    agent.origins.push(origin);
    return { step: 0 };
  },
  step: (state) => {
    const effect = effects[state.step];
    state.step += 1;
    return effect === undefined ? [] : [effect];
  },
});

const settings = { cacheHostCount: 1, fallbackDelayMs: undefined };
const host = { kind: 'cacheHost', index: 0 } as const;
const cdn = { kind: 'cdn' } as const;
const finishes: Outcome = { kind: 'finishes', afterMs: 1000 };

function runnerOf(effects: readonly DownloadEffect[], startMs = 0) {
  const world = new ScriptedWorld(startMs);
  const download = new ScriptedDownload(() => finishes);
  const policy = policyOf(effects);
  const agent = policy.newAgent();
  const runner = new DownloadRunner(world, download, { policy, settings, agent, origin: 'files.test' });
  download.runner = runner;
  return { world, download, runner, agent };
}

describe('a download runner', () => {
  it('lets a request leave so long after the step, and names the source then', () => {
    const { world, download, runner } = runnerOf(
      [{ kind: 'transfer', source: host, afterMs: 100 }, { kind: 'done' }],
      5000,
    );
    runner.start();
    world.runUntil(5099);
    expect(download.observations).toEqual([]);
    world.runUntil();
    expect(download.requests).toEqual([{ source: host, atMs: 5100 }]);
    expect(download.observations).toEqual([{ kind: 'source', source: host, because: undefined }, { kind: 'done' }]);
  });

  it('lets a request leave within the step without a time', () => {
    const { download, runner } = runnerOf([{ kind: 'transfer', source: host }]);
    runner.start();
    expect(download.requests).toEqual([{ source: host, atMs: 0 }]);
  });

  it('forgets a request that has not left when it is stopped', () => {
    const { world, download, runner } = runnerOf([{ kind: 'transfer', source: host, afterMs: 100 }]);
    runner.start();
    world.runUntil(50);
    runner.stop();
    world.runUntil();
    expect(download.requests).toEqual([]);
  });

  it('forgets a request that has not left when the policy names another', () => {
    const { world, download, runner } = runnerOf([
      { kind: 'transfer', source: host, afterMs: 100 },
      { kind: 'transfer', source: cdn, afterMs: 200 },
    ]);
    runner.start();
    world.schedule(50, () => runner.sourceFailed('reset', false));
    world.runUntil(900);
    expect(download.requests).toEqual([{ source: cdn, atMs: 250 }]);
  });

  it('gives the policy the agent and the origin that it was made with', () => {
    expect(runnerOf([]).agent.origins).toEqual(['files.test']);
  });
});
