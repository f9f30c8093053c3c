// Policies that say a share of something: there must be something that they are a share of.

import { type Entry, entryWithId, type Outline, problem, within } from './outline.ts';
import type { Problem } from './problem.ts';

/** Policies whose values are shares of the downlink of a device. */
const sharesOfDownlink = ['maxBackgroundRatio', 'maxForegroundRatio', 'limitedHours'];

/** Shares of a downlink that is not given, and events that change no policy. */
export function crossCheckPolicies(outline: Outline): Problem[] {
  const problems: Problem[] = [];
  for (const group of outline.fleet) problems.push(...sharesOfNothing(within(group, 'policy'), group));
  for (const event of outline.events) {
    const change = within(event, 'policy');
    if (change === undefined) continue;
    problems.push(...sharesOfNothing(change, entryWithId(outline.fleet, change.keys['group'])));
    const hasPolicy = Object.keys(change.keys).some((key) => key !== 'group');
    if (!hasPolicy) problems.push(problem(change.path, 'at least one policy beside group', 'none'));
  }
  return problems;
}

function sharesOfNothing(policy: Entry | undefined, group: Entry | undefined): Problem[] {
  if (policy === undefined || group === undefined || group.keys['downlink'] !== undefined) return [];
  return sharesOfDownlink.flatMap((key) =>
    policy.keys[key] === undefined
      ? []
      : [
          problem(
            [...policy.path, key],
            `a downlink of the group ${String(group.keys['id'])}, of which ${key} is a share`,
            'none',
          ),
        ],
  );
}
