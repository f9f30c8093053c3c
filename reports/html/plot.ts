// What a page draws, as data: no colours and no functions, so that it can be written into a file, sent to a page that is
// open, and compared in a test. The browser's half (browser/plot-view.ts) makes a picture of it.

import type { ShownUnit } from '../value-text.ts';

/** A colour by what it stands for; each theme has its own. */
export type Tone = 'blue' | 'orange' | 'green' | 'purple' | 'teal' | 'pink' | 'brown' | 'grey';

/** Told apart without colours: every line of a plot differs by tone and by dash. */
export type Dash = 'solid' | 'dashed' | 'dotted';

export type PlotAxis =
  | {
      readonly kind: 'value';
      readonly unit: ShownUnit;
      /** Absent: as the values have it. */
      readonly min?: number;
      readonly max?: number;
      readonly isLog?: boolean;
      /** Beside the axis; absent: what it is goes without saying. */
      readonly title?: string;
      /** Need not begin at zero: what varies a little is to be seen. */
      readonly isScaled?: boolean;
    }
  /** Values are places in this list. */
  | { readonly kind: 'names'; readonly names: readonly string[]; readonly title?: string };

export type PlotPoint = readonly [x: number, y: number];

export type PlotLine = {
  readonly name: string;
  readonly tone: Tone;
  readonly dash: Dash;
  /** `steps` keep a value until the next one; `stack`: areas on top of each other; `bars` start at zero; `dots` are not joined. */
  readonly shape: 'line' | 'area' | 'steps' | 'stack' | 'bars' | 'dots';
  /** Measured on the axis at the right. */
  readonly onRight?: boolean;
  readonly points: readonly PlotPoint[];
};

/** A line across the plot: upright (an event, at an x), or lying (a limit, at a y). */
export type PlotMark = { readonly at: number; readonly label: string };

/** A heat map, in the place of lines: a colour for each pair of names. */
export type PlotCells = {
  /** What the values are. */
  readonly name: string;
  readonly unit: ShownUnit;
  /** Values at the ends of the colours. */
  readonly min: number;
  readonly max: number;
  /** Whether colours go by ratios. */
  readonly isLog: boolean;
  /** Row by row from the first of `y`. */
  readonly cells: readonly PlotCell[];
};

export type PlotCell = {
  /** Places in the names of the axes. */
  readonly x: number;
  readonly y: number;
  /** Absent: there is none, and the cell has no colour. */
  readonly value?: number;
  /** Behind the value: what is to be seen without reading; may be empty. */
  readonly sign: string;
  /** What else there is to say; may be empty. */
  readonly words: string;
};

/** How a row of a forest plot was judged. */
export type IntervalKind = 'pass' | 'fail' | 'doubt';

/**
 * A row of a forest plot, by the logarithm of how many times worse: more to the right is worse, zero is equal. Of an exact one
 * both ends are where it is itself.
 */
export type PlotInterval = {
  readonly kind: IntervalKind;
  readonly lnRatio: number;
  /** Absent: no bound. */
  readonly low?: number;
  readonly high?: number;
  /** What is within it, to either side, is no matter. */
  readonly margin: number;
  /** All of it, said. */
  readonly words: string;
};

export type Plot = {
  readonly x: PlotAxis;
  readonly y: PlotAxis;
  readonly right?: PlotAxis;
  /** None where there are cells or intervals. */
  readonly lines: readonly PlotLine[];
  readonly cells?: PlotCells;
  /** In the place of lines: one for each name of `y`, the first on top. */
  readonly intervals?: readonly PlotInterval[];
  readonly events: readonly PlotMark[];
  readonly limits: readonly PlotMark[];
};
