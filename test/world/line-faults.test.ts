// What goes wrong on a line, without sockets: positions and silences are drawn, and stay where they are.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProcessLine } from '../../simulator/scenario/scenario.ts';
import { LineFaults, retransmissionMs, segmentBytes } from '../../simulator/world/live/line-faults.ts';

const harmless: ProcessLine = { by: 'process', latencyMs: 0, lossRatio: 0, resetRatio: 0 };
const lineOf = (spec: Partial<ProcessLine>, seed = 1): LineFaults => new LineFaults({ ...harmless, ...spec }, seed);

/** Reads so many bytes, at most so many at once; returns the silences by position. */
function silences(line: LineFaults, bytes: number, readBytes: number): [number, number][] {
  const found: [number, number][] = [];
  for (let position = 0; position < bytes; ) {
    const read = Math.max(1, Math.min(readBytes, bytes - position, line.untilNextBytes));
    position += read;
    const silentMs = line.advance(read);
    if (silentMs > 0) found.push([position, silentMs]);
  }
  return found;
}

describe('lost segments', () => {
  it('are at the same places for the same seed, however the bytes are read', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 70_000 }), (seed, readBytes) => {
        const whole = silences(lineOf({ lossRatio: 0.05 }, seed), 300_000, 300_000);
        expect(silences(lineOf({ lossRatio: 0.05 }, seed), 300_000, readBytes)).toEqual(whole);
        for (const [position] of whole) expect(position % segmentBytes === 0 || position === 1).toBe(true);
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it('are as many as the share says, and each is silence for 200 ms, or more when it is lost again', () => {
    const segmentCount = 200_000;
    const found = silences(lineOf({ lossRatio: 0.02 }), segmentCount * segmentBytes, 2 ** 20);
    // Binomial: 4,000 ± 63.
    expect(Math.abs(found.length - 0.02 * segmentCount)).toBeLessThan(4 * 63);
    const again = found.filter(([, silentMs]) => silentMs > 200);
    expect(again.length).toBeGreaterThan(0);
    expect(found.filter(([, silentMs]) => ![200, 600, 1400, 3000].includes(silentMs))).toEqual([]);
  });

  it('are none without a share', () => {
    expect(silences(lineOf({}), 10_000_000, 1_000_000)).toEqual([]);
    expect(lineOf({}).untilNextBytes).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    [0, 0],
    [1, 200],
    [2, 600],
    [3, 1400],
    [12, 200 * (2 ** 9 - 1) + 3 * 60_000],
  ])('lost %i times in a row are silent for %i ms', (count, silentMs) => {
    expect(retransmissionMs(200, count)).toBe(silentMs);
  });
});

describe('latency', () => {
  it('is there twice on connecting, and twice for each request', () => {
    const line = lineOf({ latencyMs: 40 });
    expect([line.openingMs(), line.askingMs(), line.advance(1000), line.askingMs()]).toEqual([80, 80, 0, 80]);
  });
});

describe('the end of a line', () => {
  it('is a reset at its byte, and not before', () => {
    const line = lineOf({ resetAfterBytes: 1000 });
    expect(line.untilNextBytes).toBe(1000);
    line.advance(999);
    expect([line.isBroken, line.untilNextBytes]).toEqual([false, 1]);
    line.advance(1);
    expect([line.isBroken, line.isDead]).toEqual([true, false]);
  });

  it('is silence at its byte', () => {
    const line = lineOf({ halfOpenAfterBytes: 500 });
    line.advance(499);
    expect(line.isDead).toBe(false);
    line.advance(1);
    expect([line.isBroken, line.isDead]).toEqual([false, true]);
  });

  it('is drawn for a share of the requests, within a piece', () => {
    let reset = 0;
    for (let seed = 0; seed < 4000; seed += 1) {
      const line = lineOf({ resetRatio: 0.1 }, seed * 7919);
      line.askingMs();
      line.advance(2 ** 20);
      if (line.isBroken) reset += 1;
    }
    // Binomial: 400 ± 19.
    expect(Math.abs(reset - 400)).toBeLessThan(4 * 19);
  });
});
