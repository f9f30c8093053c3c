// compare.html: what it says, that a hostile comparison stays text, and that a browser draws it for eyes, keys and screen readers.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparisonPage } from '../../reports/html/comparison-page.ts';
import { compareSides } from '../../simulator/compare/compare.ts';
import type { Comparison, Rules } from '../../simulator/compare/comparison.ts';
import { resultWith } from '../compare/results.ts';
import { ask, canBrowse, closeBrowser, mistakes, type Opened, openPage } from './opened-page.ts';

afterAll(closeBrowser);

const rules: Rules = { marginRatio: 0.05, margins: [], metrics: [] };

/** Ten live runs: `factor` times as slow, and late by itself in every third run. */
const side = (label: string, factor: number, cpuFactor = factor) => ({
  label,
  leftOut: [],
  results: Array.from({ length: 10 }, (_, run) =>
    resultWith({
      metrics: {
        'fleet.finishMs': factor * (1000 + run),
        'node.hq.cpuMs': cpuFactor * (500 + run),
        'node.hq.egressBytes': 1e9,
        'range.latencyMs.p50': 10 * (1 + 0.3 * ((run * 7) % 5)) * (factor > 1 ? 1.03 : 1),
        'range.latencyMs.max': 50 + run * factor,
      },
    }),
  ),
});

const worse = (): Comparison => compareSides(side('main', 1), [side('this checkout', 1.5, 5)], rules);

const textOf = (page: string): string =>
  page
    .replaceAll(/<(style|script)\b[^>]*>[\s\S]*?<\/\1>/g, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');

describe('the page of a comparison', () => {
  it('says the verdict first, then each finding, what is not told, and how it was judged', () => {
    const text = textOf(comparisonPage(worse()));
    const places = [
      'A test Is the candidate worse than the base?',
      'FAIL worse: fleet.finishMs, node.hq.cpuMs',
      'base main (10 runs, seed 7)',
      'Worse by more than the margin: 2 of 3; the runs do not tell: 1 of 3.',
      'What the runs do not tell range.latencyMs.p50: the interval holds both less and more than 5 %',
      'All that was judged',
      'The values of each run',
      '1 more that differ and are not judged',
      'Margin 5 %.',
    ].map((words) => [words, text.indexOf(words)] as const);
    for (const [words, at] of places) expect(at, words).toBeGreaterThan(0);
    expect(places.map(([, at]) => at)).toEqual(places.map(([, at]) => at).sort((a, b) => a - b));
  });

  it('has each value of each run in a table, and each candidate in a section of its own', () => {
    const page = comparisonPage(compareSides(side('main', 1), [side('one', 1), side('two', 1.5)], rules));
    expect(textOf(page)).toContain('Are the candidates worse than the base?');
    expect(textOf(page)).toMatch(/one: (PASS|INCONCLUSIVE)/);
    expect(textOf(page)).toContain('two: FAIL');
    expect(textOf(page)).toContain('10 1.01 s 1.51 s');
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('keeps hostile names as text', () => {
    const hostile = '</script><img src=x onerror=alert(1)>';
    const tags = (label: string) => comparisonPage({ ...worse(), scenario: label }).match(/<\/?[a-z]+/g);
    expect(tags(hostile)).toEqual(tags('friendly'));
  });

  it('of a comparison in which nothing differs is a page, too', () => {
    const results = [resultWith({ world: 'virtual', metrics: { 'fleet.finishMs': 1000 } })];
    const same = { label: 'x', leftOut: [], results };
    const page = comparisonPage(compareSides(same, [same], rules));
    expect(textOf(page)).toContain('PASS nothing is worse');
    expect(textOf(page)).toContain('1 metric is the same in every run.');
    expect(page).toContain('id="plots">{}</script>');
  });

  it('turns what is better when there is more of it: less of it lies to the right', () => {
    const [base, candidate] = [1e9, 0.8e9].map((rate) => ({
      label: 'x',
      leftOut: [],
      results: [resultWith({ world: 'virtual', metrics: { 'node.hq.egressBitsPerSecond.mean': rate } })],
    }));
    if (base === undefined || candidate === undefined) throw new Error('two sides');
    const page = comparisonPage(compareSides(base, [candidate], rules));
    const plots = JSON.parse(/id="plots">(.*?)<\/script>/.exec(page)?.[1] ?? '') as Record<
      string,
      { intervals: object[] }
    >;
    expect(plots['ratios-0']?.intervals).toMatchObject([
      {
        kind: 'fail',
        lnRatio: expect.closeTo(0.2231, 4),
        low: expect.closeTo(0.2231, 4),
        high: expect.closeTo(0.2231, 4),
      },
    ]);
  });
});

describe.skipIf(!canBrowse)('the page of a comparison in a browser', () => {
  let desk: Opened;
  beforeAll(async () => {
    if (canBrowse) desk = await openPage(comparisonPage(worse()), { colorScheme: 'light' });
  });

  it('draws a row of the forest for each finding, and a chart of each one’s runs, from a file alone', async () => {
    const { page, said, asked } = desk;
    const shapes = await ask<number>(page, `document.querySelectorAll('[data-plot="ratios-0"] svg path').length`);
    // For each row at least its band and its sign.
    expect(shapes).toBeGreaterThanOrEqual(6);
    expect(await page.locator('[data-plot="ratios-0"]').textContent()).toContain('5 × worse');
    expect(await page.locator('[data-plot^="runs-0-"] svg').count()).toBe(3);
    expect({ said, asked }).toEqual({ said: [], asked: [] });
  });

  it('is read row by row with the arrow keys, from the top', async () => {
    const { page } = desk;
    await page.locator('[data-plot="ratios-0"]').focus();
    await page.keyboard.press('Home');
    const spoken = page.locator('#spoken');
    expect(await spoken.textContent()).toMatch(/^fleet\.finishMs: \+50\.0 %, \+\d+\.\d … \+\d+\.\d %, FAIL: worse by/);
    await page.keyboard.press('End');
    expect(await spoken.textContent()).toMatch(/^range\.latencyMs\.p50: .*inconclusive: the interval holds both/);
    expect(await page.locator('[data-plot="ratios-0"]').textContent()).toContain('inconclusive: the interval');
  });

  it('has nothing that axe finds wrong, with every table open, light and dark', async () => {
    const { page } = desk;
    await ask(page, `document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
    expect(await mistakes(page)).toEqual([]);
    await page.getByRole('button', { name: 'Dark' }).click();
    expect(await mistakes(page, `runOnly: ['color-contrast']`)).toEqual([]);
  });

  it('fits the narrowest phone', async () => {
    const { page } = desk;
    await page.setViewportSize({ width: 320, height: 700 });
    expect(await ask(page, 'document.documentElement.scrollWidth')).toBe(320);
  });
});
