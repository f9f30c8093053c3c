import { expect, it } from 'vitest';
import { curveKnee } from '../../simulator/plan/curve-knee.ts';

const curve = (xs: readonly number[], of: (x: number) => number) => xs.map((x) => ({ x, y: of(x) }));
const xs = [10, 20, 40, 80, 120, 160];

it.each([
  { what: 'that is cut off at 80', points: curve(xs, (x) => Math.min(x, 80)), knee: 80 },
  { what: 'that collapses beyond 80', points: curve(xs, (x) => (x <= 80 ? x : 160 - x)), knee: 80 },
  { what: 'that only rises', points: curve(xs, (x) => 3 * x), knee: undefined },
  { what: 'that is flat', points: curve(xs, () => 5), knee: undefined },
  { what: 'that is flat but for noise', points: curve(xs, (x) => 500 + Math.min(x, 40)), knee: undefined },
  { what: 'of three points', points: curve([10, 20, 40], (x) => Math.min(x, 20)), knee: undefined },
  {
    what: 'in any order, with a point twice',
    points: curve([160, 80, 10, 80, 40, 20], (x) => Math.min(x, 80)),
    knee: 80,
  },
])('the knee of a curve $what is at $knee', ({ points, knee }) => {
  expect(curveKnee(points)?.x).toBe(knee);
});
