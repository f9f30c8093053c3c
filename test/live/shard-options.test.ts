// When a run is to begin, as the command line says it.

import { describe, expect, test } from 'vitest';
import { startAt } from '../../simulator/commands/shard-options.ts';
import { parseScenario } from '../../simulator/scenario/load.ts';

const text = (live: string): string => `
name: Start
content: [{ id: update, size: 2 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 35000, cacheHosts: [hq], wants: [update] }]
${live}`;
const downloads = parseScenario(text(''), 'start.yaml').scenario;
const window = parseScenario(text('live: { window: 60 s, demand: 7 Gbit/s }'), 'start.yaml').scenario;
const nowMs = Date.parse('2026-11-28T12:00:00Z');

describe('--start-at', () => {
  test.each([
    ['2026-11-28T12:00:10Z', 10_000],
    ['2026-11-28T13:00:10+01:00', 10_000],
    ['2026-11-28T12:01Z', 60_000],
    ['2026-11-28T12:00:10.000Z', 10_000],
    [String(nowMs / 1000 + 10), 10_000],
  ])('%s is that long after noon', (at, ms) => {
    expect(startAt(at, downloads, false, nowMs)).toBe(nowMs + ms);
  });

  test('is not needed', () => expect(startAt(undefined, downloads, false, nowMs)).toBeUndefined());

  test.each([
    ['tomorrow', 'found neither'],
    ['12:00', 'found neither'],
    [String(nowMs + 10_000), 'found neither'],
    ['2026-11-28T12:00:10', 'found one without its time zone (Z, or +01:00)'],
    ['2026-13-28T12:00:10Z', 'found one that is in no calendar'],
    ['2026-11-28T12:00:10.5Z', 'found one with a fraction of a second'],
    ['2026-11-28T11:59:00Z', 'found one that was 60.0 s ago'],
    ['2026-11-28T12:00:04Z', 'at least 5.00 s from now (to start nodes), found one in 4.00 s'],
  ])('%s is refused: %s', (at, why) => {
    expect(() => startAt(at, downloads, false, nowMs)).toThrow(
      `--start-at ${at}: expected a time such as 2026-11-28T12:00:00Z, or whole seconds of the epoch, ${why}`,
    );
  });

  test('leaves time for a fleet to connect before a window, and less for a shard, which starts no node', () => {
    const at = '2026-11-28T12:00:10Z';
    expect(() => startAt(at, window, false, nowMs)).toThrow(
      'at least 12.0 s from now (to start nodes and connect all devices), found one in 10.0 s',
    );
    expect(startAt(at, window, true, nowMs)).toBe(nowMs + 10_000);
    expect(() => startAt('2026-11-28T12:00:08Z', window, true, nowMs)).toThrow('to find the environment and connect');
  });
});
