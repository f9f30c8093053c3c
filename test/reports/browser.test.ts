// The page in a real browser (Debian's Chromium), from a file, without a network: it draws, in both themes and at a phone's
// width, it can be read with the keyboard and by a screen reader, and nothing in a result is run.

import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportPage } from '../../reports/html/report-page.ts';
import type { Result } from '../../simulator/result/result.ts';
import { ask, canBrowse, closeBrowser, mistakes, type Opened, openPage, plotsOf } from './opened-page.ts';
import { longResult, resultOf, withMeasurement, withTexts } from './some-results.ts';

afterAll(closeBrowser);

let failover: Result;
/** One page for all that a reader does at a desk, one after the other: tests leave it light, and in the same form. */
let desk: Opened;
beforeAll(async () => {
  if (!canBrowse) return;
  failover = withMeasurement(await resultOf('failover'));
  desk = await open(failover, { colorScheme: 'light' });
});

const open = (result: Result, options: BrowserContextOptions = {}): Promise<Opened> =>
  openPage(reportPage(result), options);

const ground = (page: Page) => ask<string>(page, 'getComputedStyle(document.body).backgroundColor');

describe.skipIf(!canBrowse)('in a browser', () => {
  it('draws every chart from a file, with the network off, without a word on the console', async () => {
    const { page, said, asked } = desk;
    const plots = await plotsOf(page);
    expect(plots.length).toBeGreaterThan(15);
    for (const { id, paths } of plots) expect(paths, id).toBeGreaterThan(2);
    expect({ said, asked }).toEqual({ said: [], asked: [] });
  });

  it('says of each chart what it is and what it shows', async () => {
    const { page } = desk;
    const images = page.getByRole('img', { name: 'Egress by source' });
    expect(await images.count()).toBe(2);
    expect(await page.getByRole('main').count()).toBe(1);
    expect(await page.getByRole('navigation').count()).toBe(1);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(
      'What happens when the node dies in mid-download and comes back?',
    );
    expect(await page.getByRole('row').filter({ hasText: 'fallback.deviceCount' }).first().textContent()).toContain(
      'pass',
    );
  });

  it('is reached with the keyboard: links, the button, every chart and table; arrow keys read a chart', async () => {
    const { page } = desk;
    const wanted = await ask<number>(
      page,
      `[...document.querySelectorAll('a, button, summary, [tabindex="0"]')].filter((each) => each.checkVisibility()).length`,
    );
    await ask(
      page,
      `window.reached = new Set(); addEventListener('focusin', ({ target }) => window.reached.add(target));`,
    );
    for (let press = 0; press < wanted + 5; press += 1) await page.keyboard.press('Tab');
    expect(await ask<number>(page, `[...window.reached].filter((each) => each !== document.body).length`)).toBe(wanted);
    const plot = page.locator('[data-plot="claim-egress"]');
    await plot.focus();
    await page.keyboard.press('End');
    const spoken = page.locator('#spoken');
    expect(await spoken.textContent()).toMatch(/^30\.5 s: hq \S+ [kMG]?bit\/s, CDN, directly to devices 0 bit\/s$/);
    await page.keyboard.press('Home');
    expect(await spoken.textContent()).toMatch(/^500 ms: hq 1\.\d+ Gbit\/s/);
    expect(await plot.textContent()).toContain('CDN, directly to devices: 0 bit/s');
  });

  it('changes its theme by a button, charts included, and paper is light', async () => {
    const { page } = desk;
    const line = () => ask<string>(page, `document.querySelector('[data-plot] svg').innerHTML`);
    const before = await line();
    await page.getByRole('button', { name: 'Dark' }).click();
    expect(await ground(page)).toBe('rgb(13, 18, 24)');
    const after = await line();
    expect(before).toContain('#1d63c4');
    expect(after).toContain('#6eaeff');
    await page.emulateMedia({ media: 'print' });
    await ask(page, `dispatchEvent(new Event('beforeprint'))`);
    expect(await line()).toContain('#1d63c4');
    await page.emulateMedia({ media: 'screen' });
    await ask(page, `dispatchEvent(new Event('afterprint'))`);
    expect(await line()).toContain('#6eaeff');
    await page.getByRole('button', { name: 'Dark' }).click();
    expect(await line()).toContain('#1d63c4');
  });

  it('draws what was folded when it is opened', async () => {
    const { page } = desk;
    const plot = page.locator('[data-plot="prediction-egress"]');
    expect(await plot.isVisible()).toBe(false);
    await page.getByText(/^Its \d+ charts$/).click();
    await plot.locator('svg').waitFor();
  });

  it('can be read by a screen reader, with all tables of a run open', async () => {
    const { page } = desk;
    expect(await ground(page)).toBe('rgb(243, 245, 248)');
    await ask(page, `document.querySelectorAll('#claim details').forEach((each) => { each.open = true; })`);
    expect(await mistakes(page)).toEqual([]);
  });

  it('is dark where the system is, with the contrast that it takes', async () => {
    const { page } = await open(failover, { colorScheme: 'dark' });
    expect(await ground(page)).toBe('rgb(13, 18, 24)');
    expect(await mistakes(page, `runOnly: ['color-contrast']`)).toEqual([]);
  });

  it.each([
    ['a phone', 390, ''],
    ['the narrowest phone, with wide letters', 320, '* { font-family: "DejaVu Sans Mono", monospace !important; }'],
  ])('fits %s: nothing is wider than the screen, long names and paths included', async (_, width, style) => {
    const path = `/home/somebody/${'a-folder-in-a-folder/'.repeat(5)}failover.yaml`;
    const longNamed = { ...failover, scenario: { ...failover.scenario, path, name: 'x'.repeat(80) } };
    const { page } = await open(longNamed, { viewport: { width, height: 844 } });
    await ask(
      page,
      `document.adoptedStyleSheets = [new CSSStyleSheet()];
       document.adoptedStyleSheets[0].replaceSync(${JSON.stringify(style)});`,
    );
    expect(await ask(page, 'document.documentElement.scrollWidth')).toBe(width);
    expect(await ask(page, 'document.body.scrollWidth')).toBeLessThanOrEqual(width);
    for (const { id, paths } of await plotsOf(page)) expect(paths, id).toBeGreaterThan(2);
    const widest = await ask<number>(
      page,
      `Math.max(...[...document.querySelectorAll('svg')].map((svg) => svg.clientWidth))`,
    );
    expect(widest).toBeLessThan(width);
    await ask(page, `document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
    expect(await ask(page, 'document.documentElement.scrollWidth'), 'with every table open').toBe(width);
  });

  it('runs and loads nothing of a hostile result, and shows its texts as they are', async () => {
    const hostile = '<img src="http://192.0.2.1/x" onerror="alert(1)"><script>alert(2)</script>';
    const { page, said, asked } = await open(withTexts(failover, hostile));
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(hostile);
    expect(await ask(page, `document.querySelectorAll('img').length`)).toBe(0);
    await page.locator('[data-plot="claim-egress"]').focus();
    await page.keyboard.press('End');
    expect(await page.locator('[data-plot="claim-egress"]').textContent()).toContain('<img src=');
    expect(await ask(page, `document.querySelectorAll('img').length`)).toBe(0);
    expect({ said, asked }).toEqual({ said: [], asked: [] });
  });

  it('draws a day in seconds', async () => {
    const { page, said } = await open(longResult(failover, 20));
    for (const { id, paths } of await plotsOf(page)) expect(paths, id).toBeGreaterThan(2);
    expect(said).toEqual([]);
  });

  it('without scripts has the answer, the sentences and the tables', async () => {
    const { page } = await open(failover, { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
    expect(await page.getByText('a script, which did not run').isVisible()).toBe(true);
    expect(await page.getByText('1,413 devices left their cache host').first().isVisible()).toBe(true);
    await page.getByText('Table: Egress by source').first().click();
    expect(await page.getByRole('group', { name: 'Table: Egress by source' }).first().isVisible()).toBe(true);
  });
});
