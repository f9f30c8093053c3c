// `npm run gallery [-- options] [scenario…]`: runs the shipped scenarios, keeps their reports in out/gallery, with a page that shows
// them all, and takes the pictures of the documentation anew.

import { mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import type { Browser } from 'playwright-core';
import { repositoryRoot } from '../../common/child-program.ts';
import { formatDuration } from '../../common/units.ts';
import { ProgressLine } from '../../simulator/commands/progress-line.ts';
import { toolVersion } from '../../simulator/result/tool-version.ts';
import { writeWhole } from '../../simulator/result/write-whole.ts';
import { browserPlaces, openBrowser, thumbnailOf } from './browser.ts';
import { type Exhibit, type ExhibitOptions, pageExhibit, scenarioExhibit } from './exhibit.ts';
import { galleryPage, type Shown } from './index-page.ts';
import { shownPages } from './shown-pages.ts';
import { takePictures } from './take-pictures.ts';

type Options = { readonly live: boolean; readonly pictures: boolean; readonly run: boolean };

const gallery = join(repositoryRoot, 'out', 'gallery');

await new Command('npm run gallery --')
  .description(
    'Runs the shipped scenarios (live, too, where the fleet is small and the run short), keeps their reports in out/gallery with a ' +
      'page that shows them all, and takes the pictures in docs/pictures anew, by the Chromium that is installed.',
  )
  .argument('[name...]', 'only these: names of scenarios, or of other pages, e.g. failover comparison')
  .option('--no-live', 'the virtual world alone: no load on this machine, and minutes shorter')
  .option('--no-pictures', 'leave docs/pictures as they are')
  .option('--no-run', 'of the pages that are there: nothing is run')
  .action(main)
  .parseAsync();

async function main(names: readonly string[], options: Options): Promise<void> {
  const startedMs = performance.now();
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  mkdirSync(gallery, { recursive: true });
  const exhibits = await exhibitsOf(names, options, interrupt.signal);
  const browser = interrupt.signal.aborted ? undefined : await openBrowser();
  try {
    const page = join(gallery, 'index.html');
    writeWhole(page, galleryPage(await withThumbnails(exhibits, browser), `${toolVersion}`));
    say(`${exhibits.length} exhibits, ${formatDuration(performance.now() - startedMs)}: ${page}`);
    if (interrupt.signal.aborted) process.exitCode = 130;
    else if (browser === undefined) {
      say(`No pictures: Chromium is not installed (looked for in ${browserPlaces}). Reports and the page are there.`);
    } else if (options.pictures) {
      for (const line of await takePictures(browser, gallery, names)) say(line);
    }
  } finally {
    await browser?.close();
  }
}

async function exhibitsOf(
  names: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<readonly Exhibit[]> {
  const all = [
    ...readdirSync(join(repositoryRoot, 'scenarios'))
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => ({
        name: basename(file, '.yaml'),
        make: (by: ExhibitOptions) => scenarioExhibit(join('scenarios', file), by),
      })),
    ...shownPages.map((shown) => ({ name: shown.folder, make: (by: ExhibitOptions) => pageExhibit(shown, by) })),
  ];
  const unknown = names.filter((name) => all.every((each) => each.name !== name));
  if (unknown.length > 0) {
    say(`Expected names of ${all.map(({ name }) => name).join(', ')}; found ${unknown.join(', ')}.`);
    process.exit(2);
  }
  const progress = new ProgressLine(process.stderr);
  const exhibits: Exhibit[] = [];
  for (const [index, { name, make }] of all.entries()) {
    // After Ctrl-C the rest is shown as it lies there.
    const isRun = options.run && !signal.aborted && (names.length === 0 || names.includes(name));
    if (isRun) progress.showLine(`${index + 1} of ${all.length}  ${name}`, name);
    const exhibit = await make({ gallery, isRun, isLive: options.live, signal });
    exhibits.push(exhibit);
    progress.end();
    if (isRun) say(`${name.padEnd(22)} ${exhibit.verdict ?? ''}  ${exhibit.reason}`.trimEnd());
  }
  return exhibits;
}

async function withThumbnails(exhibits: readonly Exhibit[], browser: Browser | undefined): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const exhibit of exhibits) {
    const { page, folder } = exhibit;
    if (browser === undefined || page === undefined) shown.push(exhibit);
    else shown.push({ ...exhibit, thumbnail: await thumbnailOf(browser, join(gallery, folder, page)) });
  }
  return shown;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
