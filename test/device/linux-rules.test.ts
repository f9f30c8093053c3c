// Rules that the Linux policy keeps whatever happens to its downloads.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DownloadPolicy, PolicySettings, SourceFailureCause } from '../../simulator/device/download-policy.ts';
import { banMs, departureWindowMs } from '../../simulator/device/linux-agent.ts';
import { linuxConstants, linuxPolicy } from '../../simulator/device/linux-policy.ts';
import { fallbackCauses } from '../../simulator/result/metrics.ts';
import { LinuxDevice, withDelay } from './linux-device.ts';
import type { Outcome, ScriptedDownload, SentRequest } from './scripted-world.ts';

const minuteMs = 60_000;

/** What a device may never do, held against every step of its downloads. Keeps its own account of the bans. */
class Rules {
  readonly #bannedUntilMs = new Map<string, number>();
  /** Requests of one download in a row without a byte. */
  requestsWithoutProgressMax = 0;

  /** The same policy, watched. */
  watch(origin: string, settings: PolicySettings): DownloadPolicy<unknown, unknown> {
    let atCacheHost = false;
    let leftForGood = false;
    let startedMs = 0;
    let requestsWithoutProgress = 0;
    const policy: DownloadPolicy<unknown, unknown> = linuxPolicy;
    return {
      ...policy,
      step: (state, event, nowMs) => {
        if (event.kind === 'started') startedMs = nowMs;
        if (event.kind === 'sourceFailed') {
          if (atCacheHost) this.#ban(origin, event.cause, nowMs);
          if (event.progressed) requestsWithoutProgress = 0;
        }
        const isDelayOver = settings.fallbackDelayMs !== undefined && nowMs >= startedMs + settings.fallbackDelayMs;
        if (isDelayOver && event.kind !== 'started') leftForGood = true;
        const effects = policy.step(state, event, nowMs, settings);
        // One at a time: a transfer, a timer, or the end.
        expect(effects).toHaveLength(1);
        const effect = effects[0];
        if (effect?.kind === 'armTimer') {
          expect(effect.atMs).toBeGreaterThanOrEqual(nowMs);
          expect(effect.atMs - nowMs).toBeLessThanOrEqual(linuxConstants.retryDelayMsMax);
        }
        if (effect?.kind !== 'transfer') return effects;
        expect(effect.afterMs).toBeGreaterThan(0);
        expect(effect.afterMs).toBeLessThanOrEqual(departureWindowMs);
        atCacheHost = effect.source.kind === 'cacheHost';
        if (atCacheHost) {
          expect(this.#isBanned(origin, nowMs)).toBe(false);
          expect(settings.cacheHostCount).toBeGreaterThan(0);
          expect(leftForGood && event.kind !== 'started').toBe(false);
        }
        requestsWithoutProgress += 1;
        this.requestsWithoutProgressMax = Math.max(this.requestsWithoutProgressMax, requestsWithoutProgress);
        return effects;
      },
    };
  }

  #ban(origin: string, cause: SourceFailureCause, nowMs: number): void {
    const scope = cause === 'status4xx' ? origin : ['refused', 'timeout', 'stall'].includes(cause) ? '*' : undefined;
    if (scope !== undefined) this.#bannedUntilMs.set(scope, nowMs + banMs);
  }

  #isBanned(origin: string, nowMs: number): boolean {
    return ['*', origin].some((scope) => nowMs < (this.#bannedUntilMs.get(scope) ?? 0));
  }
}

describe('Linux devices in any trouble', () => {
  const outcome = fc.record({
    afterMs: fc.integer({ min: 0, max: 40_000 }),
    kind: fc.constantFrom('fail', 'fail', 'fail', 'failLate', 'finish'),
    cause: fc.constantFrom(...fallbackCauses),
  });
  const plans = fc.array(
    fc.record({
      startMs: fc.nat(30 * minuteMs),
      origin: fc.constantFrom('a.test', 'b.test'),
      outcomes: fc.array(outcome, { maxLength: 30 }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  const delays = fc.oneof(
    fc.constant(undefined),
    fc.constant(Number.POSITIVE_INFINITY),
    fc.integer({ min: 0, max: 120_000 }),
  );

  it('end each download, ask no banned host, never return after the delay, and ask seldom', () => {
    fc.assert(
      fc.property(fc.nat(2), delays, plans, (cacheHostCount, delayMs, downloads) => {
        const settings = withDelay(delayMs, cacheHostCount);
        const device = new LinuxDevice(settings);
        const rules = new Rules();
        const started: { readonly download: ScriptedDownload; readonly lastProgressMs: () => number }[] = [];
        for (const { startMs, origin, outcomes } of downloads) {
          device.world.schedule(startMs, () => {
            const script = [...outcomes];
            let lastProgressMs = startMs;
            const answer = ({ atMs }: SentRequest): Outcome => {
              // Without an outcome left, every source fails at once and for good.
              const next = script.shift() ?? { afterMs: 0, kind: 'fail', cause: 'refused' as const };
              if (next.kind === 'finish') return { kind: 'finishes', afterMs: next.afterMs };
              const progressed = next.kind === 'failLate';
              if (progressed) lastProgressMs = atMs + next.afterMs;
              return { kind: 'fails', afterMs: next.afterMs, cause: next.cause, progressed };
            };
            const download = device.startAnswered(answer, origin, rules.watch(origin, settings));
            started.push({ download, lastProgressMs: () => lastProgressMs });
          });
        }
        device.world.runUntil();
        for (const { download, lastProgressMs } of started) {
          expect(download.end).toMatch(/^(done|failed)/);
          // Up to 10 s to the check that saw the last byte, 300 s, and what was under way then.
          const { noProgressMs, progressCheckMs } = linuxConstants;
          const latestMs = lastProgressMs() + progressCheckMs + noProgressMs + 42_000;
          if (download.end !== 'done') expect(download.endedAtMs).toBeLessThanOrEqual(latestMs);
        }
        // The delays 2, 4, 8, 16, 30 … s fill 310 s with 13 of them; leaving the cache host twice starts them again.
        expect(rules.requestsWithoutProgressMax).toBeLessThanOrEqual(22);
      }),
      { numRuns: 300 },
    );
  });
});
