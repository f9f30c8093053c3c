// All combinations of the values of axes, each with every seed: which point an index is, and what it sets.

import type { SweepAxis, SweepPlace } from '../result/sweep.ts';

/** How many points there are; without making them, for there may be far too many. */
export function countOf(axes: readonly SweepAxis[], seedCount: number): number {
  return axes.reduce((product, { values }) => product * values.length, seedCount);
}

/** In the order of their indices: the last axis is the fastest, seeds are faster still. */
export function placesOf(axes: readonly SweepAxis[], seeds: readonly number[]): readonly SweepPlace[] {
  let combinations: readonly (readonly number[])[] = [[]];
  for (const { values } of axes) {
    combinations = combinations.flatMap((before) => values.map((_, place) => [...before, place]));
  }
  const all = combinations.flatMap((places) => seeds.map((seed) => ({ places, seed })));
  return all.map(({ places, seed }, index) => ({ index, places, seed: variedSeed(axes, places) ?? seed }));
}

/** `path=value` of a point, the seed last. */
export function setsOf(axes: readonly SweepAxis[], { places, seed }: SweepPlace): readonly string[] {
  const sets = axes.flatMap(({ values }, axis) => values[places[axis] ?? 0]?.sets ?? []);
  return [...sets.filter((set) => !set.startsWith('seed=')), `seed=${seed}`];
}

/** A seed may be an axis, too. */
function variedSeed(axes: readonly SweepAxis[], places: readonly number[]): number | undefined {
  const axis = axes.findIndex(({ name }) => name === 'seed');
  return axis < 0 ? undefined : axes[axis]?.values[places[axis] ?? 0]?.value;
}
