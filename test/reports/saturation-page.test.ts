// saturation.html of a real search in the virtual world: its answer, its curve, its knee; for eyes, keys and screen readers.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programPath } from '../../common/child-program.ts';
import { ask, canBrowse, closeBrowser, mistakes, type Opened, openPage } from './opened-page.ts';

afterAll(closeBrowser);

/** 1 Gbit/s of 100 MB in 361 s are 451.25 devices. */
const limited = `name: Limited
worlds: [virtual]
content: [{ id: update, size: 100 MB }]
nodes: [{ id: hq, limit: { egress: 1 Gbit/s } }]
fleet: [{ id: office, devices: 100, cacheHosts: [hq], wants: [update] }]
expect: [fleet.finishMs <= 361 s]
`;

const folder = mkdtempSync(join(tmpdir(), 'saturation-page-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let html = '';
beforeAll(() => {
  const path = join(folder, 'limited.yaml');
  writeFileSync(path, limited);
  execFileSync(process.execPath, [programPath('simulator/main'), 'saturate', path, '--quiet', '--out', folder]);
  html = readFileSync(join(folder, 'saturation.html'), 'utf8');
});

describe('the page of a search', () => {
  it('says the answer first, and what was the limit', () => {
    const text = html.replaceAll(/<(style|script)\b[^>]*>[\s\S]*?<\/\1>/g, '').replaceAll(/<[^>]*>/g, ' ');
    expect(text).toMatch(
      /Limited: how many devices does it bear\?[\s\S]*KNOWN\s+The knee is at 4\d\d: that held, and 4\d\d did not/,
    );
    expect(text).toContain('node.hq.limit, 1.00 Gbit/s, for 100.0 % of the bytes (given)');
    expect(text).toContain('sim saturate');
  });

  describe.skipIf(!canBrowse)('in a browser', () => {
    let desk: Opened;
    beforeAll(async () => {
      if (canBrowse) desk = await openPage(html, { colorScheme: 'light' });
    });

    it('draws the curve with its knee, from a file alone', async () => {
      const { page, said, asked } = desk;
      expect(await page.locator('[data-plot] svg').count()).toBe(3);
      const drawn = (await page.locator('[data-plot="finish"]').textContent()) ?? '';
      expect(drawn).toMatch(/devices/);
      expect(drawn).toMatch(/4\d\d/);
      expect({ said, asked }).toEqual({ said: [], asked: [] });
    });

    it('is read step by step with the arrow keys: what came, and whether it held', async () => {
      const { page } = desk;
      await page.locator('[data-plot="finish"]').focus();
      await page.keyboard.press('Home');
      const spoken = page.locator('#spoken');
      expect(await spoken.textContent()).toMatch(/^\d+: modelled [\d.]+ (m?s|min)( [\d.]+ s)?, held [\d.]+/);
      await page.keyboard.press('End');
      expect(await spoken.textContent()).toMatch(/, FAIL \d+/);
    });

    it('has nothing that axe finds wrong, and fits the narrowest phone', async () => {
      const { page } = desk;
      await ask(page, `document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
      expect(await mistakes(page)).toEqual([]);
      await page.setViewportSize({ width: 320, height: 700 });
      expect(await ask(page, 'document.documentElement.scrollWidth')).toBe(320);
    });
  });
});
