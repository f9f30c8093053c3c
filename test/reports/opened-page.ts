// A page in a real browser (Debian's Chromium), from a file, without a network; what it says and asks for, and what axe finds wrong.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
export const canBrowse = program !== undefined;
if (!canBrowse) process.stderr.write('skipped: tests of pages in a browser (Chromium is not installed here)\n');

export type Opened = { readonly page: Page; readonly said: readonly string[]; readonly asked: readonly string[] };

let launched: { readonly browser: Promise<Browser>; readonly folder: string } | undefined;

/** After the last test of a file that opens pages. */
export async function closeBrowser(): Promise<void> {
  if (launched === undefined) return;
  const { browser, folder } = launched;
  launched = undefined;
  await (await browser).close();
  rmSync(folder, { recursive: true, force: true });
}

/** One for all pages of a file. */
export function openBrowser(): Promise<Browser> {
  return launch().browser;
}

function launch(): NonNullable<typeof launched> {
  launched ??= { browser: startBrowser(), folder: mkdtempSync(join(tmpdir(), 'report-page-')) };
  return launched;
}

function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program ?? '',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
}

/** A page, opened from a file; with what the console says, and what is asked for beside the file, to its end. */
export async function openPage(html: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const { folder, browser } = launch();
  const file = join(folder, `${crypto.randomUUID()}.html`);
  writeFileSync(file, html);
  const context = await (await browser).newContext({
    offline: true,
    viewport: { width: 1280, height: 860 },
    ...options,
  });
  const page = await context.newPage();
  const [said, asked]: [string[], string[]] = [[], []];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => said.push(`dialog: ${dialog.message()}`));
  const { href } = pathToFileURL(file);
  page.on('request', (request) => {
    if (request.url() !== href && !request.url().startsWith('data:')) asked.push(request.url());
  });
  await page.goto(href);
  return { page, said, asked };
}

/** An expression in the page (the tests are compiled without the types of a browser). */
export const ask = <Value>(page: Page, expression: string): Promise<Value> => page.evaluate<Value>(expression);

export const plotsOf = (page: Page) =>
  ask<{ id: string; paths: number }[]>(
    page,
    `[...document.querySelectorAll('[data-plot]')].filter((plot) => plot.checkVisibility())
      .map((plot) => ({ id: plot.dataset.plot, paths: plot.querySelectorAll('svg path').length }))`,
  );

/** What axe finds wrong, outside of pictures (their colours have a test of their own); by all of its rules, or by some. */
export async function mistakes(page: Page, rules = ''): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate<AxeResults>(`axe.run({ exclude: ['svg'] }, { ${rules} })`);
  expect(passes.length).toBeGreaterThan(0);
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}
