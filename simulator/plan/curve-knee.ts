// The knee of a curve, whatever the expectations say: where more of what is varied stops bringing more of what is measured.

/** A point of the curve. */
export type CurvePoint = { readonly x: number; readonly y: number };

/** Points below which there is no curve to speak of. */
const pointsMin = 4;
/** A curve that nowhere rises above its chord by this share of its height has no knee. */
const riseMin = 0.1;
/** A curve that rises by less than this share of its highest point is flat: what looks like a bend is noise. */
const heightMin = 0.1;

/**
 * The point farthest above the line from the first point to the highest one, both axes scaled to 0…1: Kneedle (Satopää et al.,
 * "Finding a 'Kneedle' in a Haystack", 2011) without its smoothing, for which there are too few points. Points at the same x
 * count by their mean. Undefined for fewer than four points, and for a curve without a bend.
 */
export function curveKnee(points: readonly CurvePoint[]): CurvePoint | undefined {
  const curve = meansByX(points);
  const first = curve[0];
  const last = curve.at(-1);
  if (first === undefined || last === undefined || curve.length < pointsMin) return undefined;
  const highest = Math.max(...curve.map(({ y }) => y));
  if (highest - first.y <= heightMin * highest || last.x <= first.x) return undefined;
  const rise = ({ x, y }: CurvePoint): number =>
    (y - first.y) / (highest - first.y) - (x - first.x) / (last.x - first.x);
  const knee = curve.reduce((best, point) => (rise(point) > rise(best) ? point : best), first);
  return rise(knee) >= riseMin ? knee : undefined;
}

function meansByX(points: readonly CurvePoint[]): CurvePoint[] {
  const byX = new Map<number, number[]>();
  for (const { x, y } of points) byX.set(x, [...(byX.get(x) ?? []), y]);
  return [...byX].map(([x, ys]) => ({ x, y: ys.reduce((sum, y) => sum + y, 0) / ys.length })).sort((a, b) => a.x - b.x);
}
