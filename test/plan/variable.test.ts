import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { variableOf } from '../../simulator/plan/variable.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-variable-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(
  fleet = '[{ id: a, devices: 100, wants: [u] }, { id: b, devices: 50, wants: [u] }]',
  sets: string[] = [],
) {
  const path = join(folder, 'scenario.yaml');
  writeFileSync(
    path,
    `name: S\ncontent: [{ id: u, size: 2 GB }]\nfleet: ${fleet}\nlive: { window: 30 s, demand: 7 Gbit/s }\n`,
  );
  return loadScenario(path, sets);
}

describe('what a search varies', () => {
  it.each([
    { name: 'demand', start: 7e9, unit: 'bitsPerSecond', at: 8.123456e9, sets: ['live.demand=8.123 Gbit/s'] },
    { name: 'live.demand', start: 7e9, unit: 'bitsPerSecond', at: 5e7, sets: ['live.demand=50 Mbit/s'] },
    { name: 'devices', start: 150, unit: 'count', at: 300, sets: ['fleet.0.devices=200', 'fleet.1.devices=100'] },
    { name: 'fleet.1.devices', start: 50, unit: 'count', at: 75, sets: ['fleet.1.devices=75'] },
    { name: 'content.0.size', start: 2e9, unit: 'bytes', at: 2.5e9, sets: ['content.0.size=2.5 GB'] },
    { name: 'live.window', start: 30_000, unit: 'ms', at: 45_000, sets: ['live.window=45 s'] },
  ])(
    '$name begins at the value of the file, and is set as the file would say it',
    ({ name, start, unit, at, sets }) => {
      const variable = variableOf(name, load());
      expect(variable).toMatchObject({ name, start, unit });
      expect(variable.sets(at)).toEqual(sets);
    },
  );

  it('begins at what --set says, and takes a path that the file does not have when --from shows its kind', () => {
    expect(variableOf('demand', load(undefined, ['live.demand=9 Gbit/s'])).start).toBe(9e9);
    const egress = variableOf('cdn.egress', load(), '1 Gbit/s');
    expect({ start: egress.start, sets: egress.sets(2e9) }).toEqual({
      start: undefined,
      sets: ['cdn.egress=2 Gbit/s'],
    });
  });

  it('leaves the devices of all groups in proportion, and their sum exact', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 64 }), (groups, factor) => {
        const total = groups.reduce((sum, size) => sum + size, 0);
        const fleet = groups.map((devices, i) => `{ id: g${i}, devices: ${devices}, wants: [u] }`).join(', ');
        const value = total * factor + 7;
        const sets = variableOf('devices', load(`[${fleet}]`)).sets(value);
        const counts = sets.map((set) => Number(set.split('=')[1]));
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(value);
        for (const [i, count] of counts.entries()) {
          expect(Math.abs(count - (value * (groups[i] ?? 0)) / total)).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 50, seed: 20_261_128 },
    );
  });

  it.each([
    { name: 'fleet.0.wants', found: '["u"]' },
    { name: 'fleet.7.devices', found: 'nothing there' },
    { name: 'constructor', found: 'nothing there' },
  ])('$name is none: that is told with what was found', ({ name, found }) => {
    expect(() => variableOf(name, load())).toThrow(`--vary ${name}: expected the path of a number in`);
    expect(() => variableOf(name, load())).toThrow(`found ${found}.`);
  });

  it('reads options in its own kind only', () => {
    const demand = variableOf('demand', load());
    expect(demand.read('500 Mbit/s', '--to')).toBe(5e8);
    for (const wrong of ['5', '5 GB', '-1 Gbit/s', 'max']) {
      expect(() => demand.read(wrong, '--to')).toThrow(/^--to: expected a rate with a unit, .*, found "/);
    }
    expect(variableOf('devices', load()).read('35_000', '--to')).toBe(35_000);
    expect(() => variableOf('devices', load()).read('3.5', '--to')).toThrow('--to: expected a whole number above zero');
  });
});
