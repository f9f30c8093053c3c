// A sweep as people see it: tables in 80 columns, a page whose heat maps and curves are read with the eyes, the keyboard and a
// screen reader.

import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mixed, textOn } from '../../reports/html/browser/heat-colours.ts';
import type { Plot } from '../../reports/html/plot.ts';
import { sweepCharts } from '../../reports/html/sweep-charts.ts';
import { sweepPage } from '../../reports/html/sweep-page.ts';
import { darkTheme, lightTheme } from '../../reports/html/theme.ts';
import { printSweep } from '../../reports/sweep-console.ts';
import { sweepCsv } from '../../reports/sweep-csv.ts';
import { sweepMarkdown } from '../../reports/sweep-markdown.ts';
import { cellsOf, cellValue } from '../../reports/sweep-words.ts';
import type { Sweep } from '../../simulator/result/sweep.ts';
import { ask, canBrowse, closeBrowser, mistakes, openPage, plotsOf } from './opened-page.ts';
import { sweepOf } from './some-sweeps.ts';

afterAll(closeBrowser);

/** Egress upwards, devices across; two of six fail, one row is impossible. */
let two: Sweep;
let one: Sweep;
let three: Sweep;
beforeAll(async () => {
  two = await sweepOf('enterprise', ['nodes.0.egress=4 Gbit/s,8 Gbit/s,none', 'devices=10000,20000,40000']);
  one = await sweepOf('enterprise', ['nodes.0.egress=4 Gbit/s..10 Gbit/s:3'], { seeds: [7, 8] });
  three = await sweepOf('vm', ['devices=100,200', 'nodes.0.profile=vm,vm-sr-iov', 'content.0.size=1 GB,2 GB']);
});

function printed(sweep: Sweep): string {
  const stream = new PassThrough({ encoding: 'utf8' });
  printSweep(sweep, stream as unknown as NodeJS.WriteStream, 'out/x');
  return String(stream.read());
}

describe('a sweep on the console', () => {
  it('of two things is a matrix of the first metric that differs, with signs for what is not well', () => {
    expect(printed(two)).toContain(
      [
        'fleet.finishMs; ✕ an expectation failed, – there is no such scenario.',
        '┌─────────────────────┬────────────┬─────────────┬───────────────┐',
        '│ egress ↓  devices → │ 10000      │ 20000       │ 40000         │',
        '│ 4 Gbit/s            │ 11 h 7 min │ 22 h 13 min │ 44 h 27 min ✕ │',
        '│ 8 Gbit/s            │ 5 h 33 min │ 11 h 7 min  │ 22 h 13 min   │',
        '│ none                │ –          │ –           │ –             │',
        '└─────────────────────┴────────────┴─────────────┴───────────────┘',
      ].join('\n'),
    );
    expect(printed(two)).toContain('FAIL: of 9 runs 5 pass, 1 fails, 3 are impossible.');
  });

  it('is never wider than 80 columns, whatever it is of', async () => {
    const wide = await sweepOf(
      'failover',
      ['fleet.0.policy.fallbackDelayForeground=1 s,2 s', 'fleet.0.devices=1..20:10'],
      {
        metrics: [
          'node.hq.egressBitsPerSecond.sustained',
          'fallback.deviceCount',
          'group.late.devices.completionMs.p99',
          'fleet.finishMs',
        ],
      },
    );
    for (const sweep of [one, two, three, wide]) {
      const lines = printed(sweep)
        .split('\n')
        .filter((line) => !line.startsWith('  --'));
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    }
  });

  it('says how to go on where it was interrupted', () => {
    const cut: Sweep = { ...two, verdict: 'interrupted', command: 'sim sweep a.yaml' };
    expect(printed(cut)).toContain('To go on: sim sweep a.yaml --out out/x');
  });
});

describe('sweep.csv and sweep.md', () => {
  it('have a row for each run, in the order of the grid, with values as text and number', () => {
    const lines = sweepCsv(one).trimEnd().split('\n');
    expect(lines).toHaveLength(7);
    expect(lines[0]).toMatch(
      /^nodes\.0\.egress,nodes\.0\.egress\.bitsPerSecond,seed,verdict,exitCode,limit,limitBasis,reason,durationMs,devices\.completedRatio,fleet\.finishMs,cdn\.egressBytes,/,
    );
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 4).join())).toEqual([
      '4 Gbit/s,4000000000,7,fail',
      '4 Gbit/s,4000000000,8,fail',
      '7 Gbit/s,7000000000,7,pass',
      '7 Gbit/s,7000000000,8,pass',
      '10 Gbit/s,10000000000,7,pass',
      '10 Gbit/s,10000000000,8,pass',
    ]);
    expect(
      sweepMarkdown(one)
        .split('\n')
        .filter((line) => line.startsWith('| ')),
    ).toHaveLength(4);
    expect(sweepMarkdown(one)).toContain(
      'Each value is the median of 2 runs, with the seeds 7 to 8; the verdict is the worst of them.',
    );
  });

  it('have the same bytes whenever it was made', () => {
    const later: Sweep = { ...two, startedAt: '2027-01-01T00:00:00.000Z' };
    expect(sweepCsv(later)).toBe(sweepCsv(two));
  });
});

describe('cells', () => {
  it('of several seeds have the median, and the worst verdict', () => {
    const [first] = cellsOf(one);
    const values = one.points.slice(0, 2).map(({ metrics }) => metrics['fleet.finishMs'] ?? 0);
    expect(first && cellValue(first, 'fleet.finishMs')).toBe(((values[0] ?? 0) + (values[1] ?? 0)) / 2);
    const mended: Sweep = {
      ...one,
      points: one.points.map((point) => (point.seed === 7 ? { ...point, outcome: 'pass' } : point)),
    };
    expect(cellsOf(mended)[0]?.outcome).toBe('fail');
  });
});

describe('the colours of a heat map', () => {
  const luminance = (colour: readonly number[]): number => {
    const [red = 0, green = 0, blue = 0] = colour.map((channel) => {
      const share = channel / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };

  it.each([
    ['light', lightTheme, -1],
    ['dark', darkTheme, 1],
  ] as const)(
    'in the %s theme go one way in lightness, and numbers on them have a contrast of 4.5 : 1',
    (_, theme, way) => {
      const stops = [theme['heat-low'], theme['heat-middle'], theme['heat-high']];
      const shares = Array.from({ length: 101 }, (_each, index) => index / 100);
      const lights = shares.map((share) => luminance(mixed(stops, share)));
      for (const [index, light] of lights.entries()) {
        if (index > 0) expect(Math.sign(light - (lights[index - 1] ?? 0))).toBe(way);
        const text = textOn(mixed(stops, shares[index] ?? 0)) === '#ffffff' ? 1 : 0;
        const contrast = (Math.max(light, text) + 0.05) / (Math.min(light, text) + 0.05);
        expect(contrast).toBeGreaterThanOrEqual(4.5);
      }
    },
  );
});

describe('charts of a sweep', () => {
  const cellsIn = ({ cells }: Plot) => cells?.cells ?? [];

  it('of one thing are curves over its numbers, with what is expected as a line', () => {
    const chart = sweepCharts(one).find(({ title }) => title === 'fleet.finishMs');
    expect(chart?.plot.x).toMatchObject({ kind: 'value', unit: 'bitsPerSecond', min: 4e9, max: 1e10, isLog: false });
    expect(chart?.plot.lines.map(({ name }) => name)).toEqual([
      'fleet.finishMs, median',
      'highest of its seeds',
      'lowest of its seeds',
    ]);
    expect(chart?.plot.limits).toEqual([{ at: 86_400_000, label: 'expected ≤ 24 h 0 min' }]);
    expect(chart?.summary).toMatch(
      /^From 15 h \d+ min \(egress 10 Gbit\/s\) to 38 h \d+ min \(egress 4 Gbit\/s\); all that is expected holds at 2 of 3\.$/,
    );
  });

  it('of words are points, and limits that are near each other share a label', async () => {
    const words = await sweepOf('vm', ['nodes.0.profile=vm,vm-sr-iov']);
    const chart = sweepCharts(words).find(({ title }) => title === 'fleet.finishMs');
    expect(chart?.plot.lines[0]?.shape).toBe('dots');
    expect(chart?.plot.limits.map(({ label }) => label)).toEqual([
      'expected ≤ 8 h 0 min',
      'expected ≥ 12 h 6 min and ≤ 12 h 18 min',
      '',
    ]);
  });

  it('of two are heat maps, with a table of the same', () => {
    const [chart] = sweepCharts(two);
    expect(chart?.plot.x).toMatchObject({ kind: 'names', names: ['10000', '20000', '40000'], title: 'devices' });
    expect(chart && cellsIn(chart.plot).map(({ x, y, sign }) => `${x}${y}${sign}`)).toEqual([
      '00',
      '10',
      '20✕',
      '01',
      '11',
      '21',
      '02–',
      '12–',
      '22–',
    ]);
    expect(chart && cellsIn(chart.plot)[6]).not.toHaveProperty('value');
    expect(chart?.table.rows[0]).toEqual(['4 Gbit/s', '11 h 7 min', '22 h 13 min', '44 h 27 min ✕']);
  });

  it('of three are a heat map for each value of the third, in the same colours', () => {
    const charts = sweepCharts(three);
    expect(charts.map(({ title }) => title)).toEqual(['fleet.finishMs, size 1 GB', 'fleet.finishMs, size 2 GB']);
    expect(new Set(charts.map(({ plot }) => `${plot.cells?.min} ${plot.cells?.max}`)).size).toBe(1);
    expect(new Set(charts.map(({ id }) => id)).size).toBe(2);
    const values = charts.flatMap(({ plot }) => cellsIn(plot).map(({ value }) => value));
    expect(values).toHaveLength(8);
    expect(Math.max(...values.map(Number))).toBe(charts[0]?.plot.cells?.max);
  });
});

describe.skipIf(!canBrowse)('the page of a sweep in a browser', () => {
  it('draws a cell for each combination, with its number, and says nothing on the console', async () => {
    const { page, said, asked } = await openPage(sweepPage(two), { colorScheme: 'light' });
    const plot = page.locator('[data-plot="sweep-fleet-finishMs"]');
    expect(await plot.locator('svg text').allTextContents()).toEqual(
      expect.arrayContaining(['11 h 7 min', '44 h 27 min ✕', '–', '4 Gbit/s', '40000', 'devices', 'egress']),
    );
    const colours = await ask<string[]>(
      page,
      `[...document.querySelectorAll('[data-plot="sweep-fleet-finishMs"] svg path')].map((path) => path.getAttribute('fill'))`,
    );
    expect(new Set(colours.filter((colour) => /^(rgb|#)/.test(colour ?? ''))).size).toBeGreaterThanOrEqual(6);
    expect({ said, asked }).toEqual({ said: [], asked: [] });
  });

  it('is walked through by the arrow keys, up and down and across, and speaks', async () => {
    const { page } = await openPage(sweepPage(two));
    const spoken = page.locator('#spoken');
    await page.locator('[data-plot="sweep-fleet-finishMs"]').focus();
    const said: (string | null)[] = [];
    for (const key of [
      'ArrowRight',
      'ArrowRight',
      'ArrowRight',
      'ArrowRight',
      'ArrowUp',
      'ArrowUp',
      'ArrowLeft',
      'Home',
    ]) {
      await page.keyboard.press(key);
      said.push(await spoken.textContent());
    }
    expect(said).toEqual([
      'devices 10000, egress 4 Gbit/s: 11 h 7 min, pass',
      'devices 20000, egress 4 Gbit/s: 22 h 13 min, pass',
      'devices 40000, egress 4 Gbit/s: 44 h 27 min, FAIL (fleet.finishMs <= 24 h)',
      'devices 40000, egress 4 Gbit/s: 44 h 27 min, FAIL (fleet.finishMs <= 24 h)',
      'devices 40000, egress 8 Gbit/s: 22 h 13 min, pass',
      expect.stringMatching(/^devices 40000, egress none: impossible \(/),
      expect.stringMatching(/^devices 20000, egress none: impossible \(/),
      'devices 10000, egress 4 Gbit/s: 11 h 7 min, pass',
    ]);
    expect(await page.locator('[data-plot="sweep-fleet-finishMs"]').textContent()).toContain(
      'fleet.finishMs: 11 h 7 min, pass',
    );
  });

  it('can be read by a screen reader, in both themes, with its tables open', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await openPage(sweepPage(two), { colorScheme });
      await ask(page, `document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
      expect(await mistakes(page)).toEqual([]);
    }
  });

  it('fits a phone, where numbers that have no room give way to their signs', async () => {
    const many: Sweep = await sweepOf('enterprise', ['nodes.0.egress=4 Gbit/s,8 Gbit/s', 'devices=10000..40000:13']);
    for (const sweep of [one, two, three, many]) {
      const { page, said } = await openPage(sweepPage(sweep), { viewport: { width: 390, height: 844 } });
      expect(await ask(page, 'document.documentElement.scrollWidth')).toBe(390);
      for (const { id, paths } of await plotsOf(page)) expect(paths, id).toBeGreaterThan(2);
      expect(said).toEqual([]);
      if (sweep !== many) continue;
      const texts = await page.locator('[data-plot="sweep-fleet-finishMs"] svg text').allTextContents();
      expect(texts).toContain('✕');
      expect(texts.filter((text) => /h \d+ min ✕/.test(text))).toEqual([]);
    }
  });

  it('shows hostile names as they are', async () => {
    const hostile = '<img src="http://192.0.2.1/x" onerror="alert(1)">';
    const axes = two.axes.map((axis) => ({
      ...axis,
      name: hostile,
      values: axis.values.map((value) => ({ ...value, text: hostile })),
    }));
    const { page, said, asked } = await openPage(sweepPage({ ...two, axes }));
    await page.locator('[data-plot="sweep-fleet-finishMs"]').focus();
    await page.keyboard.press('End');
    expect(await ask(page, `document.querySelectorAll('img').length`)).toBe(0);
    expect({ said, asked }).toEqual({ said: [], asked: [] });
  });
});
