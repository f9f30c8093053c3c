// The pictures of docs/pictures, each of a page that lies in the gallery; one whose page is not there stays as it was.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { repositoryRoot } from '../../common/child-program.ts';
import { formatBytes } from '../../common/units.ts';
import { readResult } from '../../simulator/result/read-result.ts';
import { writeWhole } from '../../simulator/result/write-whole.ts';
import { asWebp, inWindow } from './browser.ts';
import { consolePage } from './console-page.ts';
import { imageOfServed } from './served-page.ts';
import { type Picture, pictures } from './shown-pages.ts';

/** Takes all, or those of the exhibits that are named; a line of each says what came of it. */
export async function takePictures(
  browser: Browser,
  gallery: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const folder = join(repositoryRoot, 'docs', 'pictures');
  mkdirSync(folder, { recursive: true });
  const lines: string[] = [];
  const isWanted = (picture: Picture): boolean =>
    names.length === 0 || ('page' in picture && names.includes(dirname(picture.page)));
  for (const picture of pictures.filter(isWanted)) {
    const image = await imageOf(browser, gallery, picture);
    const webp = image === undefined ? undefined : await asWebp(browser, image);
    if (webp !== undefined) writeFileSync(join(folder, picture.file), webp);
    const what = webp === undefined ? `left as it was: its page was not made` : formatBytes(webp.length);
    lines.push(`docs/pictures/${picture.file}  ${what}`);
  }
  return lines;
}

async function imageOf(browser: Browser, gallery: string, picture: Picture): Promise<Buffer | undefined> {
  if ('served' in picture) return imageOfServed(browser, picture.served, picture);
  const page = join(gallery, picture.page);
  if (!picture.page.endsWith('/console')) {
    return existsSync(page)
      ? inWindow(browser, pathToFileURL(page).href, picture, (shown) => shown.screenshot())
      : undefined;
  }
  const folder = dirname(page);
  if (!existsSync(join(folder, 'result.json'))) return undefined;
  const file = `${page}.html`;
  writeWhole(file, consolePage(readResult(folder).result, `out/gallery/${dirname(picture.page)}`));
  return inWindow(browser, pathToFileURL(file).href, picture, (shown) => shown.locator('pre').screenshot());
}
