import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  DownloadEffect,
  DownloadEvent,
  PolicySettings,
  SourceFailureCause,
} from '../../simulator/device/download-policy.ts';
import { windowsAssumptionList, windowsAssumptions, windowsPolicy } from '../../simulator/device/windows-policy.ts';
import { fallbackCauses } from '../../simulator/result/metrics.ts';

const failed = (cause: SourceFailureCause = 'reset', progressed = false): DownloadEvent => ({
  kind: 'sourceFailed',
  cause,
  progressed,
});

/** `host 0`, `cdn`, `timer 1000`, `done`, `failed reset`: what an effect says, for tables. */
function inWords(effect: DownloadEffect): string {
  switch (effect.kind) {
    case 'transfer':
      return effect.source.kind === 'cdn' ? 'cdn' : `host ${effect.source.index}`;
    case 'armTimer':
      return `timer ${effect.atMs}`;
    case 'done':
      return 'done';
    case 'failed':
      return `failed ${effect.cause}`;
  }
}

/** Runs a policy through events, each at its time; gives each step's effects in words. */
function run(settings: PolicySettings, events: readonly (readonly [number, DownloadEvent])[]): string[] {
  const state = windowsPolicy.initialState(windowsPolicy.newAgent(), 'files.test');
  return events.map(([nowMs, event]) => windowsPolicy.step(state, event, nowMs, settings).map(inWords).join(', '));
}

const started: DownloadEvent = { kind: 'started' };
const timer: DownloadEvent = { kind: 'timer' };
const finished: DownloadEvent = { kind: 'sourceFinished' };
const hosts = (cacheHostCount: number, fallbackDelayMs?: number): PolicySettings => ({
  cacheHostCount,
  fallbackDelayMs,
});

describe('the Windows policy', () => {
  it.each([
    {
      name: 'without a delay goes to the CDN at the first failure, though a second host is listed',
      settings: hosts(2),
      events: [
        [0, started],
        [10, failed()],
        [20, finished],
      ],
      effects: ['host 0', 'cdn', 'done'],
    },
    {
      name: 'without a delay goes to the CDN also after progress',
      settings: hosts(1),
      events: [
        [0, started],
        [10, failed('stall', true)],
      ],
      effects: ['host 0', 'cdn'],
    },
    {
      name: 'falls back also when the clock has not reached zero yet',
      settings: hosts(1),
      events: [
        [-500, started],
        [-400, failed()],
      ],
      effects: ['host 0', 'cdn'],
    },
    {
      name: 'goes straight to the CDN when there is no cache host',
      settings: hosts(0),
      events: [
        [5, started],
        [6, finished],
      ],
      effects: ['cdn', 'done'],
    },
    {
      name: 'takes a delay of zero for none',
      settings: hosts(1, 0),
      events: [
        [100, started],
        [100, failed()],
      ],
      effects: ['host 0', 'cdn'],
    },
    {
      name: 'with a delay goes round the hosts, waits after each round, and goes to the CDN once it has passed',
      settings: hosts(2, 10_000),
      events: [
        [1000, started],
        [1100, failed()], // host 0
        [1200, failed()], // host 1: the round is over
        [2200, timer],
        [2300, failed()],
        [2400, failed()], // second round: twice as long
        [4400, timer],
        [4500, failed()],
        [4600, failed()], // third: 4 s
        [8600, timer],
        [8700, failed()],
        [8800, failed()], // fourth: 8 s, but the delay ends before
        [11_000, timer],
        [11_100, finished],
      ],
      effects: [
        'host 0',
        'host 1',
        'timer 2200',
        'host 0',
        'host 1',
        'timer 4400',
        'host 0',
        'host 1',
        'timer 8600',
        'host 0',
        'host 1',
        'timer 11000',
        'cdn',
        'done',
      ],
    },
    {
      name: 'with a delay that passed while bytes came goes to the CDN at the next failure',
      settings: hosts(3, 1000),
      events: [
        [0, started],
        [1000, failed('reset', true)],
      ],
      effects: ['host 0', 'cdn'],
    },
    {
      name: 'with one host and a delay waits between the tries, from the first pause again after progress',
      settings: hosts(1, 60_000),
      events: [
        [0, started],
        [0, failed()],
        [1000, timer],
        [1000, failed()],
        [3000, timer],
        [9000, failed('stall', true)],
      ],
      effects: ['host 0', 'timer 1000', 'host 0', 'timer 3000', 'host 0', 'timer 10000'],
    },
  ] as const)('$name', ({ settings, events, effects }) => {
    expect(run(settings, events)).toEqual(effects);
  });

  it('at the CDN waits 1, 2, 4 … 30 s between failures, and gives up at the twelfth in a row', () => {
    const state = windowsPolicy.initialState(windowsPolicy.newAgent(), 'files.test');
    const settings = hosts(0);
    windowsPolicy.step(state, started, 0, settings);
    const waits: string[] = [];
    let nowMs = 0;
    for (;;) {
      const effect = windowsPolicy.step(state, failed('status5xx'), nowMs, settings)[0];
      if (effect?.kind !== 'armTimer') {
        waits.push(effect === undefined ? 'nothing' : inWords(effect));
        break;
      }
      waits.push(`${(effect.atMs - nowMs) / 1000} s`);
      nowMs = effect.atMs;
      expect(windowsPolicy.step(state, timer, nowMs, settings).map(inWords)).toEqual(['cdn']);
    }
    const tail = ['30 s', '30 s', '30 s', '30 s', '30 s', '30 s'];
    expect(waits).toEqual(['1 s', '2 s', '4 s', '8 s', '16 s', ...tail, 'failed status5xx']);
  });

  it('at the CDN counts failures from the last progress', () => {
    const progress = Array.from({ length: 30 }, (_, i) => [i, failed('reset', true)] as const);
    expect(new Set(run(hosts(0), [[0, started], ...progress]).slice(1, 2))).toEqual(new Set(['timer 1000']));
    expect(run(hosts(0), [[0, started], ...progress]).at(-1)).toBe('timer 1029');
  });

  it('counts the failures of the CDN apart from those of the cache hosts', () => {
    const failures = Array.from({ length: 20 }, (_, i) => [i, failed()] as const);
    const effects = run(hosts(2, 20), [[0, started], ...failures, [20, failed()], [21, failed()]]);
    expect(effects.slice(-2)).toEqual(['cdn', 'timer 1021']);
  });

  it('tries the cache hosts again with the next download', () => {
    expect(
      run(hosts(1), [
        [0, started],
        [1, failed()],
      ]).at(-1),
    ).toBe('cdn');
    expect(run(hosts(1), [[2, started]])).toEqual(['host 0']);
  });

  it.each(fallbackCauses)('treats a failure by %s like any other, and names it when it gives up', (cause) => {
    expect(
      run(hosts(1), [
        [0, started],
        [1, failed(cause)],
      ]),
    ).toEqual(['host 0', 'cdn']);
    const eleven = Array.from({ length: 12 }, (_, i) => [i, failed(cause)] as const);
    expect(run(hosts(0), [[0, started], ...eleven]).at(-1)).toBe(`failed ${cause}`);
  });

  it('in a world that obeys it: one transfer or one timer at a time, no host after the CDN, and an end', () => {
    const outcome = fc.record({
      afterMs: fc.integer({ min: 0, max: 40_000 }),
      kind: fc.constantFrom('fail', 'fail', 'fail', 'failLate', 'finish'),
      cause: fc.constantFrom(...fallbackCauses),
    });
    const delays = fc.option(fc.integer({ min: 0, max: 120_000 }), { nil: undefined });
    fc.assert(
      fc.property(fc.nat(4), delays, fc.array(outcome, { maxLength: 60 }), (count, delayMs, outcomes) => {
        const settings = hosts(count, delayMs);
        const state = windowsPolicy.initialState(windowsPolicy.newAgent(), 'files.test');
        let nowMs = 1000;
        let onCdn = count === 0;
        let event: DownloadEvent = started;
        let stepCount = 0;
        const script = [...outcomes];
        for (;;) {
          stepCount += 1;
          const effects = windowsPolicy.step(state, event, nowMs, settings);
          // Exactly one: so there is at most one timer, and never one beside a transfer.
          expect(effects).toHaveLength(1);
          const effect = effects[0];
          if (effect === undefined || effect.kind === 'done' || effect.kind === 'failed') break;
          if (effect.kind === 'armTimer') {
            expect(effect.atMs).toBeGreaterThanOrEqual(nowMs);
            expect(effect.atMs - nowMs).toBeLessThanOrEqual(windowsAssumptions.retryDelayMsMax);
            nowMs = effect.atMs;
            event = timer;
            continue;
          }
          if (effect.source.kind === 'cacheHost') {
            expect(onCdn).toBe(false);
            expect(effect.source.index).toBeLessThan(count);
            expect(delayMs === undefined || nowMs < 1000 + delayMs || event.kind === 'started').toBe(true);
          } else onCdn = true;
          // Without an outcome left, every source fails at once and for good.
          const next = script.shift() ?? { afterMs: 0, kind: 'fail', cause: 'refused' as const };
          nowMs += next.afterMs;
          event = next.kind === 'finish' ? finished : failed(next.cause, next.kind === 'failLate');
        }
        // 60 outcomes, 12 failures and at most 120 s of rounds with growing pauses.
        expect(stepCount).toBeLessThan(400);
      }),
      { numRuns: 300 },
    );
  });

  it('lists each assumed constant with its value, unit and ground', () => {
    for (const { name, value, basis } of windowsAssumptionList) {
      const key = name.replace('windows.', '') as keyof typeof windowsAssumptions;
      expect(value).toBe(windowsAssumptions[key]);
      expect(basis).toMatch(/\S/);
    }
  });
});
