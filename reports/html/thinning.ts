// Which steps of long series are drawn: a day in seconds has more steps than a screen has pixels. No extreme is lost: of each
// span of steps, those stay in which any of the columns is lowest or highest.

/**
 * Places of the steps to draw, ascending, about `pointsMax` at most; all of them where they are no more. The first and the
 * last stay.
 */
export function shownSteps(columns: readonly (readonly number[])[], pointsMax: number): readonly number[] {
  const length = Math.max(0, ...columns.map((column) => column.length));
  if (length <= pointsMax) return Array.from({ length }, (_, step) => step);
  const spans = Math.max(1, Math.floor(pointsMax / (2 * columns.length)));
  const shown = new Set([0, length - 1]);
  for (let span = 0; span < spans; span += 1) {
    const from = Math.floor((span * length) / spans);
    const to = Math.floor(((span + 1) * length) / spans);
    for (const column of columns) {
      const { lowest, highest } = extremes(column, from, to);
      shown.add(lowest).add(highest);
    }
  }
  return [...shown].sort((a, b) => a - b);
}

function extremes(column: readonly number[], from: number, to: number): { lowest: number; highest: number } {
  let [lowest, highest] = [from, from];
  for (let step = from + 1; step < to; step += 1) {
    const value = column[step] ?? 0;
    if (value < (column[lowest] ?? 0)) lowest = step;
    if (value > (column[highest] ?? 0)) highest = step;
  }
  return { lowest, highest };
}

/** Spans of equally many steps (the last may be shorter), `spansMax` at most. */
export function spansOf(length: number, spansMax: number): readonly { readonly from: number; readonly to: number }[] {
  const size = Math.max(1, Math.ceil(length / spansMax));
  return Array.from({ length: Math.ceil(length / size) }, (_, span) => ({
    from: span * size,
    to: Math.min(length, (span + 1) * size),
  }));
}
