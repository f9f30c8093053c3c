// What is written down of the environment, when an answer is late.

import { expect, test } from 'vitest';
import { parseScenario } from '../../simulator/scenario/load.ts';
import { Children } from '../../simulator/world/live/children.ts';
import { type CdnBooks, Environment } from '../../simulator/world/live/environment.ts';
import { EnvironmentRecords } from '../../simulator/world/live/environment-records.ts';

const { scenario } = parseScenario(
  'name: Late\ncontent: [{ id: update, size: 2 MB }]\nfleet: [{ id: all, devices: 1, wants: [update] }]\n',
  'late.yaml',
);

/** A CDN that answers when it is told to. */
class SlowCdn extends Environment {
  readonly waiting: ((books: CdnBooks) => void)[] = [];

  override cdnBooks(): Promise<CdnBooks> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  answer(index: number, cpuMs: number): void {
    this.waiting[index]?.({ requestCount: 1, bodyBytes: 1, healthBytes: 0, cpuMs });
  }
}

test('what comes after the books were closed changes nothing in them', async () => {
  const children = new Children(() => undefined);
  try {
    const cdn = new SlowCdn(children, scenario);
    const records = new EnvironmentRecords(cdn);
    const first = records.sample();
    cdn.answer(0, 10);
    await first;
    const late = records.sample(); // asked while the run went on, answered after its end
    const closing = records.close();
    await expect.poll(() => cdn.waiting.length).toBe(3);
    cdn.answer(2, 11);
    const part = await closing;
    const before = JSON.stringify(part);
    cdn.answer(1, 12);
    await late;
    records.timeline.push({ atMs: 1, what: 'too late' });
    expect(JSON.stringify(part)).toBe(before);
    expect(part.cdn.samples.map(({ counters }) => counters.cpuMs)).toEqual([10]);
  } finally {
    await children.stopAll();
  }
});
