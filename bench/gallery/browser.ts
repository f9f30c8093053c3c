// Pictures of pages, by the Chromium that is installed; the driver is a development dependency.

import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { pictureDefaults, type View } from './shown-pages.ts';

const places = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

export const browserPlaces = places.join(', ');

/** Undefined where none is installed. */
export async function openBrowser(): Promise<Browser | undefined> {
  const executablePath = places.find(existsSync);
  if (executablePath === undefined) return undefined;
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

/** A page in a window, drawn to its end; `shoot` takes the picture. `address`: of a file, which then asks nobody for anything, or of a server. */
export async function inWindow<T>(
  browser: Browser,
  address: string,
  { theme, widthPx = pictureDefaults.widthPx, heightPx = pictureDefaults.heightPx, from }: View,
  shoot: (page: Page) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext({
    offline: address.startsWith('file:'),
    viewport: { width: widthPx, height: heightPx },
    colorScheme: theme ?? 'light',
  });
  try {
    const page = await context.newPage();
    await page.goto(address);
    // The last thing that the page's script does.
    await page.waitForFunction(`document.getElementById('not-drawn') === null`);
    if (from !== undefined) await page.evaluate(`document.querySelector(${JSON.stringify(from)})?.scrollIntoView()`);
    // What was asked for is painted by the frame after the next one.
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    return await shoot(page);
  } finally {
    await context.close();
  }
}

/** The top of a page, small: WebP in base64. */
export async function thumbnailOf(browser: Browser, file: string): Promise<string> {
  const view = { widthPx: 1080, heightPx: 720 };
  const image = await inWindow(browser, pathToFileURL(file).href, view, (page) => page.screenshot());
  return (await asWebp(browser, image, { scale: 600 / view.widthPx, quality: 0.7 })).toString('base64');
}

/** A picture of a page as WebP, by the browser's own encoder: a third of the bytes of a PNG. */
export async function asWebp(
  browser: Browser,
  png: Buffer,
  { scale = 1, quality = 0.88 }: { readonly scale?: number; readonly quality?: number } = {},
): Promise<Buffer> {
  const page = await browser.newPage();
  try {
    const encoded = await page.evaluate<string>(`(async () => {
      const image = new Image();
      image.src = 'data:image/png;base64,${png.toString('base64')}';
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width, image.height].map((length) => Math.round(length * ${scale}));
      const context = canvas.getContext('2d', { alpha: false });
      context.imageSmoothingQuality = 'high';
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.toDataURL('image/webp', ${quality});
    })()`);
    return Buffer.from(encoded.slice(encoded.indexOf(',') + 1), 'base64');
  } finally {
    await page.close();
  }
}
