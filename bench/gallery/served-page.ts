// A picture of a page that a command serves while it runs: the command is started, its page opened and awaited, and both ended.

import { once } from 'node:events';
import type { Browser } from 'playwright-core';
import { programPath, repositoryRoot } from '../../common/child-program.ts';
import { startSim } from '../../simulator/gate/sim-process.ts';
import { inWindow } from './browser.ts';
import type { Served, View } from './shown-pages.ts';

/** A page that does not come to what is awaited is no picture: the command says what went wrong. */
const awaitedMsMax = 120_000;

/** Undefined when the command ended without an address. `program`: of `sim`. */
export async function imageOfServed(
  browser: Browser,
  { words, until }: Served,
  view: View,
  program = programPath('simulator/main'),
): Promise<Buffer | undefined> {
  const { child, stop } = startSim(program, words, repositoryRoot);
  const closed = once(child, 'close');
  const address = new Promise<string | undefined>((resolve) => {
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
      const found = /https?:\/\/\S+/.exec(said)?.[0];
      if (found !== undefined) resolve(found);
    });
    void closed.then(() => resolve(undefined));
  });
  try {
    const found = await address;
    if (found === undefined) return undefined;
    return await inWindow(browser, found, view, async (page) => {
      await page.getByText(until).first().waitFor({ timeout: awaitedMsMax });
      return page.screenshot();
    });
  } finally {
    stop();
    await closed;
  }
}
