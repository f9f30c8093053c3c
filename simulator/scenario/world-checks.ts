// What a scenario cannot say when it runs in one world only, and what a window of the live world leaves out.

import { parseExpectation } from '../judge/expectation.ts';
import type { WorldName } from '../result/metrics.ts';
import { durationOf, listOf, type Outline, problem, within } from './outline.ts';
import { describeFound, type Problem } from './problem.ts';

/** What its worlds make impossible. */
export function impossibleInItsWorlds(outline: Outline): Problem[] {
  const worlds = listOf(outline.root.keys, 'worlds');
  const [only] = worlds;
  const repeated = worlds.flatMap((world, index) =>
    worlds.indexOf(world) < index ? [problem(['worlds', index], 'each world once', `${String(world)} again`)] : [],
  );
  if (worlds.length !== 1 || (only !== 'live' && only !== 'virtual'))
    return [...repeated, ...warmUpPastWindow(outline), ...eventsPastWindow(outline)];
  return [
    ...(only === 'virtual' ? liveOnlyKeys(outline) : [...warmUpPastWindow(outline), ...eventsPastWindow(outline)]),
    ...expectationsOfOtherWorlds(outline, only),
  ];
}

function liveOnlyKeys(outline: Outline): Problem[] {
  const live = outline.root.keys['live'];
  const window = live === undefined ? [] : [problem(['live'], 'no live window where worlds is virtual only', 'one')];
  const isReplay = outline.root.keys['replay'] !== undefined;
  const replay = isReplay ? [problem(['replay'], 'no replay where worlds is virtual only', 'one')] : [];
  const urls = outline.nodes.flatMap(({ path, keys }) =>
    keys['url'] === undefined
      ? []
      : [problem([...path, 'url'], 'a modelled node where worlds is virtual only', String(keys['url']))],
  );
  const lines = outline.fleet.flatMap(({ path, keys }) =>
    keys['line'] === undefined
      ? []
      : [
          problem(
            [...path, 'line'],
            'no line where worlds is virtual only (its downlink is a rate)',
            describeFound(keys['line']),
          ),
        ],
  );
  return [...window, ...replay, ...urls, ...lines];
}

function expectationsOfOtherWorlds(outline: Outline, only: WorldName): Problem[] {
  return outline.expect.flatMap(({ path, text, world }) => {
    if (world !== undefined && world !== only) {
      // A word that names no world is reported by the schema.
      if (world !== 'live' && world !== 'virtual') return [];
      return [problem([...path.slice(0, -1), 'world'], `a world that worlds names (${only})`, world)];
    }
    const inAny = parseExpectation(text);
    const inOnly = parseExpectation(text, only);
    if (world !== undefined || inAny.kind === 'problem' || inOnly.kind === 'expectation') return [];
    return [problem(path, inOnly.problem.expected, inOnly.problem.found)];
  });
}

/** A window that is all warm-up measures nothing. */
function warmUpPastWindow(outline: Outline): Problem[] {
  const { window, warmUp } = within(outline.root, 'live')?.keys ?? {};
  const windowMs = durationOf(window);
  const warmUpMs = durationOf(warmUp);
  if (windowMs === undefined || warmUpMs === undefined || warmUpMs < windowMs) return [];
  return [
    problem(['live', 'warmUp'], `less than the window of ${String(window)}, of which it is a part`, String(warmUp)),
  ];
}

/** The live world ends with its window. */
function eventsPastWindow(outline: Outline): Problem[] {
  const window = within(outline.root, 'live')?.keys['window'];
  const windowMs = durationOf(window);
  if (windowMs === undefined) return [];
  return outline.events.flatMap(({ path, keys }) => {
    const atMs = durationOf(keys['at']);
    if (atMs === undefined || atMs <= windowMs) return [];
    return [problem([...path, 'at'], `a time within the window of ${String(window)}`, String(keys['at']))];
  });
}
