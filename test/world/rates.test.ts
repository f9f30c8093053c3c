import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseScenario } from '../../simulator/scenario/load.ts';
import { meanRate, peakRate, steadyBounds, sustainedRate } from '../../simulator/world/rates.ts';

const constant = (bytes: number, seconds: number): number[] => new Array<number>(seconds).fill(bytes);
const series = fc.array(fc.integer({ min: 0, max: 1e9 }), { maxLength: 60 });

describe('the peak', () => {
  it.each([
    { bytes: [], peak: undefined },
    { bytes: [0, 0], peak: undefined },
    { bytes: [1], peak: 8 },
    { bytes: [5, 1000, 3], peak: 8000 },
  ])('of $bytes bytes per second is $peak bit/s', ({ bytes, peak }) => {
    expect(peakRate(bytes)).toBe(peak);
  });
});

describe('the mean', () => {
  it.each([
    { name: 'of nothing is not known', bytes: [0, 0, 0], bounds: undefined, mean: undefined },
    { name: 'runs from the first to the last byte', bytes: [0, 10, 0, 20, 0, 0], bounds: undefined, mean: 80 },
    {
      name: 'runs over the bounds where there are some',
      bytes: [0, 10, 0, 20, 0, 0],
      bounds: { from: 0, to: 6 },
      mean: 40,
    },
    { name: 'leaves out what is beyond the bounds', bytes: [99, 10, 20, 99], bounds: { from: 1, to: 3 }, mean: 120 },
    { name: 'ends with a run that was interrupted', bytes: [10, 10], bounds: { from: 0, to: 60 }, mean: 80 },
    { name: 'of bounds without a byte is not known', bytes: [9, 0, 0, 9], bounds: { from: 1, to: 3 }, mean: undefined },
  ])('$name', ({ bytes, bounds, mean }) => {
    expect(meanRate(bytes, bounds)).toBe(mean);
  });
});

describe('the sustained rate', () => {
  it.each([
    { name: 'of a constant rate is that rate', bytes: constant(100, 30), bounds: { from: 0, to: 30 }, sustained: 800 },
    { name: 'needs ten seconds', bytes: constant(100, 30), bounds: { from: 5, to: 14 }, sustained: undefined },
    { name: 'is the mean of exactly ten', bytes: constant(100, 30), bounds: { from: 5, to: 15 }, sustained: 800 },
    {
      name: 'of a ramp is the mean of its first ten seconds',
      bytes: Array.from({ length: 30 }, (_, i) => i),
      bounds: { from: 0, to: 30 },
      sustained: 4.5 * 8,
    },
    {
      name: 'shows a gap of one second as a tenth',
      bytes: [...constant(100, 15), 0, ...constant(100, 15)],
      bounds: { from: 0, to: 31 },
      sustained: 720,
    },
    {
      name: 'of a node that was dead for ten seconds is zero: measured, not missing',
      bytes: [...constant(100, 10), ...constant(0, 10), ...constant(100, 10)],
      bounds: { from: 0, to: 30 },
      sustained: 0,
    },
    {
      name: 'does not look beyond its bounds',
      bytes: [...constant(0, 5), ...constant(100, 10), ...constant(0, 5)],
      bounds: { from: 5, to: 15 },
      sustained: 800,
    },
    {
      name: 'knows nothing of seconds that were not run',
      bytes: constant(100, 12),
      bounds: { from: 0, to: 60 },
      sustained: 800,
    },
    {
      name: 'of a run that was interrupted early is not known',
      bytes: constant(100, 9),
      bounds: { from: 0, to: 60 },
      sustained: undefined,
    },
  ])('$name', ({ bytes, bounds, sustained }) => {
    expect(sustainedRate(bytes, bounds)).toBe(sustained);
  });

  it('is at most the mean, and the mean at most the peak', () => {
    fc.assert(
      fc.property(series, (bytes) => {
        const bounds = { from: 0, to: bytes.length };
        const [sustained, mean, peak] = [sustainedRate(bytes, bounds), meanRate(bytes, bounds), peakRate(bytes)];
        expect(sustained === undefined).toBe(bytes.length < 10);
        if (mean === undefined || peak === undefined) return;
        expect(mean).toBeLessThanOrEqual(peak);
        // The windows overlap, so only one that begins every ten seconds bounds it by the mean of those.
        const whole = Math.floor(bytes.length / 10) * 10;
        const cut = meanRate(bytes.slice(0, whole), { from: 0, to: whole }) ?? 0;
        if (sustained !== undefined) expect(sustained).toBeLessThanOrEqual(cut * (1 + 1e-12));
      }),
    );
  });
});

describe('the seconds in which the fleet is fully at it', () => {
  const scenario = (live: string) =>
    parseScenario(
      `name: bounds\ncontent: [{ id: a, size: 1 MB }]\nfleet: [{ id: f, devices: 100, wants: [a] }]\n${live}`,
      'bounds.yaml',
    ).scenario;
  const realTime = scenario('');
  const window = scenario('live: { window: 20 s, demand: max }');

  it.each([
    { name: 'begin after 90 % have started', started: [0, 50, 39, 1, 10], completed: constant(0, 12), from: 4, to: 12 },
    { name: 'end when 10 % have finished', started: [100], completed: [0, 0, 5, 4, 1, 90], from: 1, to: 4 },
    { name: 'are none when that comes first', started: [50, 0, 0, 0, 50], completed: [0, 50], from: 5, to: 5 },
  ])('$name', ({ started, completed, from, to }) => {
    const course = { startedPerSecond: started, completedPerSecond: completed };
    expect(steadyBounds(course, realTime, 0)).toEqual({ from, to });
  });

  it.each([
    { name: 'are the window', completed: constant(0, 30), to: 23 },
    { name: 'or its part before 10 % have finished', completed: [...constant(0, 10), 10, 90], to: 10 },
  ])('in a live window $name', ({ completed, to }) => {
    const course = { startedPerSecond: [], completedPerSecond: completed };
    expect(steadyBounds(course, window, 3)).toEqual({ from: 3, to });
  });

  it.each([
    { warmUpMs: 5000, from: 8 },
    { warmUpMs: 5001, from: 9 },
  ])('in a live window leave out every second of a warm-up of $warmUpMs ms', ({ warmUpMs, from }) => {
    const course = { startedPerSecond: [], completedPerSecond: constant(0, 30) };
    const { live } = window;
    expect(live && steadyBounds(course, { ...window, live: { ...live, warmUpMs } }, 3)).toEqual({ from, to: 23 });
  });
});
