// What both worlds owe to a download's policy (simulator/world/world.ts), as one suite. A world that cannot show a case
// (the wall's clock is too slow for it, say) skips it with a reason.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cancel } from '../../simulator/world/world.ts';

/** What a source does with one transfer: `breaks` answers 503. */
export type Behaviour = 'serves' | 'breaks' | 'hangs';

/** One download of a small file: what its sources do with the first, second … transfer; the last one goes on. */
export type DownloadSetup = {
  /** Empty: the device has no cache host. */
  readonly cacheHosts: readonly (readonly Behaviour[])[];
  readonly cdn: readonly Behaviour[];
  readonly fallbackDelayMs?: number | undefined;
};

/** A world under test. */
export interface ContractWorld {
  now(): number;
  schedule(atMs: number, run: () => void): Cancel;
  /**
   * What the world was told and told of the download, in order: `source host 0`, `source cdn because status5xx`,
   * `transfer cdn`, `done`, `failed status5xx`.
   */
  readonly log: readonly string[];
  /** Starts the download. */
  start(): void;
  /** Lets time pass, until the condition holds. */
  until(condition: () => boolean): Promise<void>;
  /** Stops the downloads: their timers and transfers say nothing any more. */
  stop(): Promise<void>;
  /** Gives back what the world holds. */
  end(): Promise<void>;
}

export type NewWorld = (setup: DownloadSetup) => Promise<ContractWorld>;

/** A case by its name, and why this world skips it. */
export type Skipped = { readonly test: string; readonly reason: string };

const served: DownloadSetup = { cacheHosts: [['serves']], cdn: ['serves'] };

export function runWorldContract(name: string, newWorld: NewWorld, skipped: readonly Skipped[] = []): void {
  const known = new Set<string>();
  const test = (title: string, run: () => Promise<void>): void => {
    known.add(title);
    const reason = skipped.find((each) => each.test === title)?.reason;
    if (reason === undefined) it(title, run);
    else it.skip(`${title} (skipped: ${reason})`, run);
  };
  let world: ContractWorld | undefined;
  const open = async (setup: DownloadSetup): Promise<ContractWorld> => {
    world = await newWorld(setup);
    return world;
  };

  describe(`the contract of a world: ${name}`, () => {
    beforeEach(() => {
      world = undefined;
    });
    afterEach(() => world?.end());

    describe('time', () => {
      test('never runs back', async () => {
        const { now, until } = bound(await open(served));
        const seen = [now()];
        await until(() => {
          seen.push(now());
          return (seen.at(-1) ?? 0) > (seen[0] ?? 0) + 5;
        });
        expect(seen).toEqual([...seen].sort((a, b) => a - b));
      });

      test('timers run in the order of their times, never before', async () => {
        const { now, schedule, until } = bound(await open(served));
        const startMs = now();
        const ran: { afterMs: number; lateMs: number }[] = [];
        for (const afterMs of [61.5, 1, 40.25, 20, 80.75]) {
          schedule(startMs + afterMs, () => ran.push({ afterMs, lateMs: now() - startMs - afterMs }));
        }
        await until(() => ran.length === 5);
        expect(ran.map((each) => each.afterMs)).toEqual([1, 20, 40.25, 61.5, 80.75]);
        for (const { lateMs } of ran) expect(lateMs).toBeGreaterThanOrEqual(0);
      });

      test('timers of the same time run in the order in which they were set', async () => {
        const { now, schedule, until } = bound(await open(served));
        const atMs = now() + 5;
        const ran: number[] = [];
        for (let i = 0; i < 20; i += 1) schedule(atMs, () => ran.push(i));
        await until(() => ran.length === 20);
        expect(ran).toEqual(Array.from({ length: 20 }, (_, i) => i));
      });

      test('a timer in the past runs at once, but not within the call', async () => {
        const { now, schedule, until } = bound(await open(served));
        const ran: string[] = [];
        schedule(now() + 1000, () => ran.push('later'));
        schedule(now() - 1000, () => ran.push('past'));
        expect(ran).toEqual([]);
        await until(() => ran.length > 0);
        expect(ran).toEqual(['past']);
      });

      test('a timer that is taken back does not run; taking it back again, or after it ran, does nothing', async () => {
        const { now, schedule, until } = bound(await open(served));
        const ran: string[] = [];
        const first = schedule(now() + 5, () => ran.push('first'));
        const second = schedule(now() + 5, () => ran.push('second'));
        first();
        first();
        schedule(now() + 15, () => ran.push('third'));
        await until(() => ran.length === 2);
        second();
        expect(ran).toEqual(['second', 'third']);
      });

      test('a timer may set and take back timers', async () => {
        const { now, schedule, until } = bound(await open(served));
        const ran: string[] = [];
        const never = schedule(now() + 30, () => ran.push('never'));
        schedule(now() + 5, () => {
          never();
          schedule(now() + 40, () => ran.push('inner'));
        });
        await until(() => ran.length > 0);
        expect(ran).toEqual(['inner']);
      });

      test('a timer may be set for a time beyond 24 days', async () => {
        const { now, schedule, until } = bound(await open(served));
        const ran: string[] = [];
        const far = schedule(now() + 30 * 86_400_000, () => ran.push('far'));
        schedule(now() + 10, () => ran.push('near'));
        await until(() => ran.length > 0);
        far();
        expect(ran).toEqual(['near']);
      });
    });

    describe('a download', () => {
      test('names its source before the transfer, and ends done', async () => {
        const subject = await open(served);
        subject.start();
        await subject.until(() => subject.log.includes('done'));
        expect(subject.log).toEqual(['source host 0', 'transfer host 0', 'done']);
      });

      test('goes straight to the CDN without a cache host', async () => {
        const subject = await open({ cacheHosts: [], cdn: ['serves'] });
        subject.start();
        await subject.until(() => subject.log.includes('done'));
        expect(subject.log).toEqual(['source cdn', 'transfer cdn', 'done']);
      });

      test('leaves a cache host that fails for the CDN, with the cause', async () => {
        const subject = await open({ cacheHosts: [['breaks']], cdn: ['serves'] });
        subject.start();
        await subject.until(() => subject.log.includes('done'));
        expect(subject.log).toEqual([
          'source host 0',
          'transfer host 0',
          'source cdn because status5xx',
          'transfer cdn',
          'done',
        ]);
      });

      test('tries the CDN again after a pause, which is no change of the source', async () => {
        const subject = await open({ cacheHosts: [], cdn: ['breaks', 'serves'] });
        const startMs = subject.now();
        subject.start();
        await subject.until(() => subject.log.includes('done'));
        expect(subject.log).toEqual(['source cdn', 'transfer cdn', 'transfer cdn', 'done']);
        expect(subject.now() - startMs).toBeGreaterThanOrEqual(1000);
      });

      test('goes round its cache hosts until the delay has passed, then to the CDN', async () => {
        const subject = await open({ cacheHosts: [['breaks'], ['breaks']], cdn: ['serves'], fallbackDelayMs: 300 });
        const startMs = subject.now();
        subject.start();
        await subject.until(() => subject.log.includes('done'));
        expect(subject.log).toEqual([
          'source host 0',
          'transfer host 0',
          'source host 1 because status5xx',
          'transfer host 1',
          'source cdn because status5xx',
          'transfer cdn',
          'done',
        ]);
        expect(subject.now() - startMs).toBeGreaterThanOrEqual(300);
      });

      test('fails after twelve failures in a row, 211 s of pauses later', async () => {
        const subject = await open({ cacheHosts: [], cdn: ['breaks'] });
        const startMs = subject.now();
        subject.start();
        await subject.until(() => subject.log.at(-1)?.startsWith('failed') === true);
        const tries = subject.log.filter((line) => line === 'transfer cdn');
        expect(tries).toHaveLength(12);
        expect(subject.log.at(-1)).toBe('failed status5xx');
        expect(subject.now() - startMs).toBeGreaterThanOrEqual(211_000);
      });
    });

    describe('stop', () => {
      test('silences a download that waits for bytes', async () => {
        const subject = await open({ cacheHosts: [['hangs']], cdn: ['serves'] });
        subject.start();
        await subject.until(() => subject.log.length === 2);
        await subject.stop();
        const startMs = subject.now();
        await subject.until(() => subject.now() > startMs + 50);
        expect(subject.log).toEqual(['source host 0', 'transfer host 0']);
      });

      test('silences a download that waits for a timer', async () => {
        const subject = await open({ cacheHosts: [['breaks']], cdn: ['serves'], fallbackDelayMs: 100 });
        subject.start();
        await subject.until(() => subject.log.length === 2);
        const startMs = subject.now();
        // The host has failed by now, and the pause goes on until the delay has passed.
        await subject.until(() => subject.now() > startMs + 20);
        await subject.stop();
        await subject.until(() => subject.now() > startMs + 200);
        expect(subject.log).toEqual(['source host 0', 'transfer host 0']);
      });
    });

    it('skips only cases that exist', () => {
      expect(skipped.map((each) => each.test).filter((title) => !known.has(title))).toEqual([]);
    });
  });
}

/** Methods as functions of their own. */
const bound = (world: ContractWorld): Pick<ContractWorld, 'now' | 'schedule' | 'until'> => ({
  now: () => world.now(),
  schedule: (atMs, run) => world.schedule(atMs, run),
  until: (condition) => world.until(condition),
});
