// plan.html and its kin: what a plan says in the page, in Markdown and on the console; and that a browser draws it for eyes, keys and
// screen readers.

import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planPage } from '../../reports/html/plan-page.ts';
import { printPlan } from '../../reports/plan-console.ts';
import { planMarkdown } from '../../reports/plan-markdown.ts';
import { parsePlan } from '../../simulator/capacity/load-plan.ts';
import { type CapacityPlan, capacityPlanSchema } from '../../simulator/result/capacity-plan.ts';
import { thisMachine } from '../../simulator/result/machine.ts';
import { made } from '../capacity/plans.ts';
import { ask, canBrowse, closeBrowser, mistakes, type Opened, openPage, plotsOf } from './opened-page.ts';

afterAll(closeBrowser);

const text = `name: A branch
question: How many nodes does a branch need?
payload: 500 MB
deadline: 20 min
arrive: 10 s
sites: [{ id: branch, devices: 20, link: 100 Mbit/s, downlink: 1 Gbit/s }]
`;

async function planOf(written: string): Promise<CapacityPlan> {
  const spec = parsePlan(written, 'plan.yaml');
  return {
    ...{ schema: capacityPlanSchema, kind: 'capacityPlan', tool: { name: 'sim', version: '1' } },
    ...{
      command: 'sim plan plan.yaml',
      startedAt: '2026-11-28T07:00:00.000Z',
      machine: thisMachine(),
      name: spec.name,
    },
    ...(spec.question === undefined ? {} : { question: spec.question }),
    text: written,
    ...(await made(spec)),
  };
}

let found: CapacityPlan;
let none: CapacityPlan;
beforeAll(async () => {
  found = await planOf(text);
  none = await planOf(text.replace('20 min', '30 s'));
});

const textOf = (page: string): string =>
  page
    .replaceAll(/<(style|script)\b[^>]*>[\s\S]*?<\/\1>/g, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');

function consoleOf(plan: CapacityPlan): string {
  const stream = new PassThrough();
  printPlan(plan, stream as unknown as NodeJS.WriteStream, 'out/plan');
  return String(stream.read());
}

describe('a plan in words', () => {
  it('gives the answer first, then each figure with what binds it', () => {
    const said = textOf(planPage(found));
    const places = [
      'How many nodes does a branch need?',
      'PLAN FOUND branch: 1 × Branch office (2025), done after',
      '20 devices, 500 MB each, arriving over 10.0 s, within 20 min 0 s.',
      'What it takes',
      'network card, each 1.00 Gbit/s',
      'WAN, peak 100 Mbit/s the WAN link, given',
      'N+1, one fails 1 node,',
      'without nodes',
      'Each class',
      'The end, by when a node fails',
      'What if',
      'half the WAN',
      'Beside Microsoft’s sizing tables',
      'Classes of node',
      'How to make it again sim plan plan.yaml',
    ].map((words) => [words, said.indexOf(words)] as const);
    for (const [words, at] of places) expect(at, words).toBeGreaterThan(0);
    expect(places.map(([, at]) => at)).toEqual(places.map(([, at]) => at).sort((a, b) => a - b));
  });

  it('that has no solution says what binds and what would help, on page, in Markdown and on the console', () => {
    for (const said of [textOf(planPage(none)), planMarkdown(none), consoleOf(none).replaceAll(/\s+/g, ' ')]) {
      expect(said).toContain('NO PLAN');
      expect(said).toMatch(/bound by WAN link, 100 Mbit\/s, given \(\d+\.\d %\)/);
      expect(said).toMatch(/it would do: .*a deadline of .*; or a WAN link of/);
    }
  });

  it('fits 80 columns on the console', () => {
    for (const plan of [found, none]) {
      const widths = consoleOf(plan)
        .split('\n')
        .map((line) => line.length);
      expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    }
  });

  it('has the same figures in Markdown, whose tables are tables', () => {
    const said = planMarkdown(found);
    expect(said).toContain('| nodes | 1 × Branch office (2025) |');
    for (const title of ['Classes', 'A node fails', 'What if', 'Documented sizes'])
      expect(said).toContain(`### ${title}`);
  });

  it('keeps hostile names as text', () => {
    const tags = (name: string) => planPage({ ...found, name, question: name, text: name }).match(/<\/?[a-z]+/g);
    expect(tags('</script><img src=x onerror=alert(1)>')).toEqual(tags('friendly'));
  });
});

describe.skipIf(!canBrowse)('the page of a plan in a browser', () => {
  let desk: Opened;
  beforeAll(async () => {
    desk = await openPage(planPage(found), { colorScheme: 'light' });
  });

  it('draws every chart from a file, with the network off, without a word on the console', async () => {
    const plots = await plotsOf(desk.page);
    expect(plots.map(({ id }) => id)).toEqual(['branch-done', 'branch-wan', 'branch-nodes', 'branch-moments']);
    for (const { id, paths } of plots) expect(paths, id).toBeGreaterThan(2);
    expect(desk).toMatchObject({ said: [], asked: [] });
  });

  it('reads a chart by its keys', async () => {
    const { page } = desk;
    await page.locator('[data-plot="branch-wan"]').focus();
    await page.keyboard.press('Home');
    expect(await page.locator('#spoken').textContent()).toMatch(/^500 ms: as planned .*Mbit\/s/);
  });

  it('has no mistake that axe finds, light and dark, and fits a telephone', async () => {
    expect(await mistakes(desk.page)).toEqual([]);
    const phone = await openPage(planPage(found), { colorScheme: 'dark', viewport: { width: 360, height: 740 } });
    expect(await mistakes(phone.page)).toEqual([]);
    expect(await ask<number>(phone.page, 'document.documentElement.scrollWidth')).toBe(360);
  });
});
