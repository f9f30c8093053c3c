// Who looks at twenty metrics finds one that differs by chance, one time in twenty each. Holm's correction counts the looks.

/**
 * Each p-value as it counts among all of them, in their order: those below 0.05 are, with a chance of 5 % at most, wrong in
 * any. (S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.)
 */
export function holmAdjusted(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).sort((x, y) => (pValues[x] as number) - (pValues[y] as number));
  const adjusted = new Array<number>(pValues.length).fill(1);
  let largest = 0;
  for (const [place, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues[index] as number) * (pValues.length - place)));
    adjusted[index] = largest;
  }
  return adjusted;
}
