// The colours of the page's theme, as its style sheet has them: charts and text share one set.

import type { Dash, IntervalKind, Tone } from '../plot.ts';

export type Look = {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly surface: string;
  readonly tone: (tone: Tone) => string;
  /** From the lowest value to the highest. */
  readonly heat: readonly string[];
  readonly verdict: (kind: IntervalKind) => string;
};

/** Read again whenever the theme changes. */
export function currentLook(): Look {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: value('text'),
    muted: value('muted'),
    grid: value('line'),
    surface: value('surface'),
    tone: (tone) => value(`tone-${tone}`),
    heat: ['low', 'middle', 'high'].map((place) => value(`heat-${place}`)),
    verdict: (kind) => value(kind),
  };
}

/** Lengths of strokes and gaps, as the legend's samples have them. */
export const dashLengths: Readonly<Record<Dash, 'solid' | number[]>> = {
  solid: 'solid',
  dashed: [7, 4],
  dotted: [2, 3],
};
