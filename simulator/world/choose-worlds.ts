// Which worlds a scenario runs in: those that were asked for, or all that it can run in, with the reasons for the rest.

import { OperatorError } from '../../common/errors.ts';
import type { WorldName } from '../result/metrics.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { whyNotLive } from './live/why-not-live.ts';
import { whyNotVirtual } from './virtual/virtual-world.ts';

export type ChosenWorlds = {
  readonly virtual: boolean;
  readonly live: boolean;
  /** Why one of them is missing, for the reports of the other. */
  readonly notes: readonly string[];
};

/** `asked`: the one or both that the command line names; undefined: whatever is possible. Throws when nothing is left. */
export function chooseWorlds(scenario: Scenario, asked: WorldName | 'both' | undefined): ChosenWorlds {
  const reasons: Record<WorldName, string | undefined> = {
    live: scenario.worlds.includes('live') ? whyNotLive(scenario) : 'it says worlds: [virtual]',
    virtual: scenario.worlds.includes('virtual') ? whyNotVirtual(scenario) : 'it says worlds: [live]',
  };
  const wants = (world: WorldName): boolean => asked === undefined || asked === 'both' || asked === world;
  const runs = (world: WorldName): boolean => wants(world) && reasons[world] === undefined;
  const missing = (['virtual', 'live'] as const).filter((world) => wants(world) && reasons[world] !== undefined);
  if (!runs('live') && !runs('virtual')) {
    const lines = missing.map((world) => `This scenario cannot run in the ${world} world:\n  ${reasons[world]}`);
    throw new OperatorError(missing[0] === 'live' ? 'NOT_LIVE' : 'NOT_VIRTUAL', lines.join('\n'));
  }
  const notes = missing.map(
    (world) => `it did not run in the ${world} world: ${reasons[world]?.replaceAll('\n  ', '; ')}`,
  );
  return { virtual: runs('virtual'), live: runs('live'), notes };
}
