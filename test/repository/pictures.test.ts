// The pictures of the documentation: each that a page shows is there, is one that a browser can show, is small, and says in words what
// it shows; none lies about unused, and each is taken anew by `npm run gallery`.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pictureDefaults, pictures, shownPages } from '../../bench/gallery/shown-pages.ts';
import { repositoryRoot } from '../../common/child-program.ts';

const folder = join(repositoryRoot, 'docs', 'pictures');
const bytesMax = 150_000;
const allBytesMax = 1_500_000;

type Shown = { readonly page: string; readonly file: string; readonly words: string };

/** Every picture that a page of the documentation shows from its own folder. */
const shown: readonly Shown[] = [
  'README.md',
  ...readdirSync(join(repositoryRoot, 'docs')).map((name) => `docs/${name}`),
]
  .filter((page) => page.endsWith('.md'))
  .flatMap((page) =>
    [...readFileSync(join(repositoryRoot, page), 'utf8').matchAll(/!\[([^\]]*)\]\(([^)\s]+)\)/g)].map(
      ([, words = '', target = '']) => ({ page, words, file: join(repositoryRoot, dirname(page), target) }),
    ),
  )
  .filter(({ file }) => !file.includes('://'));

/** Width and height of a WebP in any of its three forms; undefined of anything else, and of one that is cut off. */
function webpSize(bytes: Buffer): readonly [widthPx: number, heightPx: number] | undefined {
  const text = (from: number, to: number): string => bytes.subarray(from, to).toString('latin1');
  if (bytes.length < 30 || text(0, 4) !== 'RIFF' || text(8, 12) !== 'WEBP') return undefined;
  if (bytes.readUInt32LE(4) + 8 !== bytes.length) return undefined;
  if (text(12, 16) === 'VP8X') return [bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1];
  if (text(12, 16) === 'VP8 ') return [bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff];
  if (text(12, 16) !== 'VP8L') return undefined;
  const bits = bytes.readUInt32LE(21);
  return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
}

const files = readdirSync(folder);
const bytesOf = (file: string): Buffer => readFileSync(join(folder, file));

describe('pictures of the documentation', () => {
  it('that pages show are there, and have words for whoever does not see them', () => {
    expect(shown.length).toBeGreaterThan(5);
    for (const { page, file, words } of shown) {
      expect(existsSync(file), `${page}: ${file}`).toBe(true);
      expect(words.length, `${page}: words of ${basename(file)}`).toBeGreaterThan(20);
    }
  });

  it('are all shown, and all taken by npm run gallery', () => {
    const used = new Set(shown.map(({ file }) => file));
    expect(files.filter((file) => !used.has(join(folder, file)))).toEqual([]);
    expect([...files].sort()).toEqual(pictures.map(({ file }) => file).sort());
  });

  it.each(files)('%s is a whole WebP of the size that was asked for, and small', (file) => {
    const picture = pictures.find((each) => each.file === file);
    const [widthPx, heightPx] = webpSize(bytesOf(file)) ?? [];
    if (picture !== undefined && 'page' in picture && picture.page.endsWith('/console')) {
      expect(widthPx).toBeGreaterThan(500);
      expect(heightPx).toBeGreaterThan(300);
    } else
      expect([widthPx, heightPx]).toEqual([
        picture?.widthPx ?? pictureDefaults.widthPx,
        picture?.heightPx ?? pictureDefaults.heightPx,
      ]);
    expect(bytesOf(file).length).toBeLessThan(bytesMax);
  });

  it('are small in all', () => {
    expect(files.reduce((sum, file) => sum + bytesOf(file).length, 0)).toBeLessThan(allBytesMax);
  });

  it('that are cut off, or something else, are seen (the test of this test)', () => {
    const [first = ''] = files;
    expect(webpSize(bytesOf(first).subarray(0, -1))).toBeUndefined();
    expect(webpSize(Buffer.from('<html>'.repeat(10)))).toBeUndefined();
  });

  it('are of pages that the gallery makes: a scenario that is shipped, or a page of another command', () => {
    const made = new Set([...readdirSync(join(repositoryRoot, 'scenarios')).map((file) => basename(file, '.yaml'))]);
    for (const page of shownPages) made.add(page.folder);
    for (const picture of pictures) {
      if ('page' in picture && picture.page !== 'index.html') expect(made).toContain(dirname(picture.page));
    }
  });
});
