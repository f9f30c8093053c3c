// A chart: a picture, what it says in a sentence, and the table behind it. Pure functions make it of a result; a page shows
// all three.

import type { Plot, PlotLine, Tone } from './plot.ts';

/** Cells are text, the first column of a row names it. */
export type Table = { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };

export type Chart = {
  /** Unique in its page, fit for an HTML id. */
  readonly id: string;
  readonly title: string;
  /** What the picture says: for a screen reader, and for whoever reads no charts. */
  readonly summary: string;
  /** What a reader must know of how it was drawn. */
  readonly notes: readonly string[];
  readonly plot: Plot;
  readonly table: Table;
};

/** At most so many rows in the table behind a chart. */
export const tableRowsMax = 120;

const tones: readonly Tone[] = ['blue', 'teal', 'purple', 'pink', 'brown', 'green'];
const dashes = ['solid', 'dashed', 'dotted'] as const;

/** Looks of the `index`th line of several of a kind: six tones, three dashes. */
export function lookOf(index: number): Pick<PlotLine, 'tone' | 'dash'> {
  const tone = tones[index % tones.length] ?? 'blue';
  return { tone, dash: dashes[(index + Math.floor(index / tones.length)) % dashes.length] ?? 'solid' };
}

/** One sentence of several parts, without those that are not known: `a; b.` */
export function sentence(...parts: readonly (string | undefined)[]): string {
  const known = parts.filter((part) => part !== undefined && part !== '');
  const text = known.join('; ');
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
