// The live page in a real browser (Debian's Chromium): it grows with its run, leaves alone what its reader is doing, survives a
// connection that breaks, and says when nothing more comes.

import net from 'node:net';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Dashboard } from '../../simulator/dashboard/dashboard.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { ask, canBrowse, closeBrowser, mistakes, openBrowser } from '../reports/opened-page.ts';
import { resultOf, withMeasurement, withTexts } from '../reports/some-results.ts';
import { openDashboard, portOf, progressAt, runUntil } from './course.ts';

afterAll(closeBrowser);

let result: Result;
let claim: Run;
let measurement: Run;
beforeAll(async () => {
  if (!canBrowse) return;
  result = withMeasurement(await resultOf('failover'));
  [claim, measurement] = runsOf(result);
});

function runsOf({ runs: [first, second] }: Result): [Run, Run] {
  if (first === undefined || second === undefined) throw new Error('a claim and a measurement');
  return [first, second];
}

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function serve(of: Result = result): Promise<Dashboard> {
  const dashboard = await openDashboard(of);
  opened.push(dashboard);
  return dashboard;
}

type Opened = { readonly page: Page; readonly said: readonly string[] };

async function open(url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await (await openBrowser()).newContext({ viewport: { width: 1280, height: 860 }, ...options });
  opened.push(context);
  const page = await context.newPage();
  const said: string[] = [];
  // That a connection broke is said by the browser, too.
  page.on('console', (message) => {
    if (!message.text().includes('net::ERR')) said.push(message.text());
  });
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL('/', url).href) && !request.url().startsWith('data:'))
      said.push(request.url());
  });
  await page.goto(url);
  return { page, said };
}

/** Asks until it is so: the page's policy forbids Playwright to ask from within. */
async function until(page: Page, expression: string): Promise<void> {
  while (!(await ask<boolean>(page, expression))) await new Promise((resolve) => setTimeout(resolve, 20));
}

const connection = (page: Page) => page.locator('#connection');
const egress = '[data-plot="measurement-egress"]';
/** What a chart has as its last moment, in words: its reader presses End. */
async function lastMoment(page: Page): Promise<string> {
  await page.locator(egress).focus();
  await page.keyboard.press('End');
  return /^[^:]+/.exec((await page.locator('#spoken').textContent()) ?? '')?.[0] ?? '';
}

describe.skipIf(!canBrowse)('in a browser', () => {
  it('grows with its run: values, events, charts that were not there, at last the report', async () => {
    const dashboard = await serve();
    dashboard.add(claim);
    const { page, said } = await open(dashboard.url);
    await page.getByText('STARTING').waitFor();
    expect(await page.locator(egress).count()).toBe(0);

    dashboard.show(progressAt(6, 17));
    dashboard.take(runUntil(measurement, 6, 0));
    await page.locator(`${egress} svg`).waitFor();
    expect(await page.title()).toBe('Running: Failover, 2,000 devices');
    expect(await page.getByLabel('Devices by state, and what moves').textContent()).toContain('completed17');
    expect(await lastMoment(page)).toBe('3.50 s');
    const eventCount = `document.querySelectorAll('#measurement .events li').length`;
    expect(await ask(page, eventCount)).toBe(0);

    dashboard.take(runUntil(measurement, 14, 1));
    await until(page, `${eventCount} === 1`);
    expect(await lastMoment(page)).toBe('11.5 s');

    dashboard.end(result, 'out/failover');
    await until(page, `document.title === '${result.verdict.toUpperCase()}: Failover, 2,000 devices'`);
    expect(await page.locator('#spoken').textContent()).toBe('The run has ended; its report is in out/failover.');
    expect(await ask(page, `[...document.querySelectorAll('main > section')].map(({ id }) => id)`)).toEqual([
      'answer',
      'figures',
      'claim',
      'measurement',
      'prediction',
      'comparison',
      'machine',
      'scenario',
    ]);
    expect(await connection(page).isVisible()).toBe(false);
    expect(said).toEqual([]);
  });

  it('leaves its reader alone: focus, the place in a chart, what is unfolded, and the very elements', async () => {
    const dashboard = await serve();
    dashboard.add(claim);
    dashboard.take(runUntil(measurement, 8, 0));
    const { page } = await open(dashboard.url);
    await page.getByText('Table: Egress by source').first().click();
    await page.locator(egress).focus();
    await page.keyboard.press('Home');
    for (let press = 0; press < 3; press += 1) await page.keyboard.press('ArrowRight');
    const place = await page.locator('#spoken').textContent();
    expect(place).toMatch(/^1\.50 s: /);
    await ask(page, `window.before = [...document.querySelectorAll('#measurement figure, #claim figure')]; 0`);

    // The list of events comes to stand above the charts, and a chart of failures in their midst.
    dashboard.take(runUntil(measurement, 25));
    await page.locator('#measurement .events li').first().waitFor();
    await until(
      page,
      `document.querySelector('${egress}').closest('figure').querySelectorAll('tbody tr').length === 25`,
    );
    expect(await ask(page, `document.activeElement.dataset.plot`)).toBe('measurement-egress');
    expect(await ask(page, `document.querySelectorAll('#measurement details[open]').length`)).toBe(1);
    expect(await ask(page, `window.before.every(({ isConnected }) => isConnected)`)).toBe(true);
    // Its tooltip still tells of that moment, and the keys go on from there.
    expect(await page.locator(egress).textContent()).toContain('1.50 s');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#spoken').textContent()).toMatch(/^2\.50 s: /);

    dashboard.end(result, 'out/failover');
    await until(page, `document.title.startsWith('${result.verdict.toUpperCase()}')`);
    expect(await ask(page, `document.activeElement.dataset.plot`)).toBe('measurement-egress');
    expect(await ask(page, `window.before.every(({ isConnected }) => isConnected)`)).toBe(true);
  });

  it('opened late it shows what one that was there from the start does', async () => {
    const dashboard = await serve();
    const { page: early } = await open(dashboard.url);
    dashboard.add(claim);
    dashboard.show(progressAt(9));
    dashboard.take(runUntil(measurement, 11));
    await early.locator(`${egress} svg`).waitFor();
    const { page: late } = await open(dashboard.url);
    await late.locator(`${egress} svg`).waitFor();
    const shown = `document.getElementById('main').innerText`;
    await until(late, `document.getElementById('connection').hidden`);
    expect(await ask(late, shown)).toBe(await ask(early, shown));
  });

  it('comes back when its connection broke, and then shows what it has missed', async () => {
    const dashboard = await serve();
    dashboard.take(runUntil(measurement, 6));
    const way = await tunnelTo(portOf(dashboard.url));
    const { page, said } = await open(way.url);
    await page.locator(`${egress} svg`).waitFor();
    way.cut();
    await page.getByText(/^The run cannot be reached since .* goes on trying\.$/).waitFor();
    expect(await lastMoment(page)).toBe('3.50 s');
    dashboard.take(runUntil(measurement, 9));
    way.mend();
    await connection(page).waitFor({ state: 'hidden' });
    await until(page, `document.querySelector('${egress}').textContent.includes('6 s')`);
    expect(said).toEqual([]);
  });

  it('keeps the report when the simulator has gone, says so, and never becomes the page of another run', async () => {
    const dashboard = await serve();
    const way = await tunnelTo(portOf(dashboard.url));
    const { page } = await open(way.url);
    dashboard.take(runUntil(measurement, 6));
    await page.locator(`${egress} svg`).waitFor();
    way.cut();
    const other = await serve({ ...result, scenario: { ...result.scenario, name: 'Another one' } });
    way.mend(portOf(other.url));
    await page.getByText('Another run is at this address now.').waitFor();
    expect(await page.title()).toContain('Failover');

    const { page: last } = await open(dashboard.url);
    dashboard.take(runUntil(measurement, 9));
    await until(last, `document.querySelector('${egress}').textContent.includes('6 s')`); // it follows the run by now
    dashboard.end(result, 'out/failover');
    await dashboard.close();
    opened.splice(opened.indexOf(dashboard), 1);
    await last.getByText('The run has ended; its report is in out/failover. Nothing more will come').waitFor();
    expect(await last.title()).toContain(result.verdict.toUpperCase());
    expect(await last.locator(`${egress} svg`).count()).toBe(1);
  });

  it.each([
    { colorScheme: 'light', viewport: { width: 1280, height: 860 } },
    { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
  ] as const)('can be read by everybody in mid-run ($colorScheme, $viewport.width wide), and fits', async (options) => {
    const dashboard = await serve();
    dashboard.add(claim);
    dashboard.show(progressAt(9));
    const { page } = await open(dashboard.url, options);
    dashboard.take(runUntil(measurement, 11));
    await page.locator(`${egress} svg`).waitFor();
    expect(await ask(page, 'document.documentElement.scrollWidth')).toBe(options.viewport.width);
    expect(await ask(page, 'getComputedStyle(document.body).backgroundColor')).toBe(
      options.colorScheme === 'dark' ? 'rgb(13, 18, 24)' : 'rgb(243, 245, 248)',
    );
    await ask(page, `document.getElementById('connection').hidden = false`);
    await ask(page, `document.getElementById('connection').textContent = 'Nothing was heard of the run.'`);
    expect(await mistakes(page)).toEqual([]);
  });

  it('runs and loads nothing of hostile texts', async () => {
    const hostile = '<img src="http://192.0.2.1/x" onerror="alert(1)"><script>alert(2)</script>';
    const evil = withTexts(result, hostile);
    const dashboard = await serve(evil);
    const { page, said } = await open(dashboard.url);
    const [virtual, live] = runsOf(evil);
    dashboard.add(virtual);
    dashboard.take(runUntil(live, 20));
    await page.locator(`${egress} svg`).waitFor();
    dashboard.fail(hostile);
    await page.locator('.answer.fail').getByText(hostile).waitFor();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(hostile);
    expect(await ask(page, `document.querySelectorAll('img').length`)).toBe(0);
    expect(said).toEqual([]);
  });
});

type Tunnel = {
  readonly url: string;
  /** Breaks all connections, and each new one. */
  cut(): void;
  /** Lets connections through again, to that port. */
  mend(port?: number): void;
};

/** A way to a server that can break, as one by ssh does. It keeps its port meanwhile, which somebody else might get. */
async function tunnelTo(port: number): Promise<Tunnel> {
  let to = port;
  let isCut = false;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    if (isCut) {
      socket.destroy();
      return;
    }
    const there = net.connect(to, '127.0.0.1');
    for (const end of [socket, there]) {
      sockets.add(end);
      end.on('error', () => undefined);
    }
    socket.pipe(there).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  opened.push({
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  });
  return {
    url: `http://localhost:${(server.address() as net.AddressInfo).port}/`,
    cut,
    mend: (other = to) => {
      to = other;
      isCut = false;
    },
  };
}
