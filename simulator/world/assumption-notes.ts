// What a reader of a result must know of the clients: values that are not public, and had to be assumed. The same words in
// both worlds, so that a report of both says them once.

import { formatCount } from '../../common/units.ts';
import { policyOf } from '../device/policies.ts';
import type { Scenario } from '../scenario/scenario.ts';

const clientNames = { windows: 'Windows', linux: 'Linux' } as const;

/** A line for each client of the fleet that rests on assumptions. */
export function assumptionNotes({ fleet }: Scenario): string[] {
  return [...new Set(fleet.map(({ client }) => client))].flatMap((client) => {
    const { assumptions } = policyOf(client);
    const list = assumptions.map(
      ({ name, value, unit }) => `${name.replace(`${client}.`, '')} = ${formatCount(value)} ${unit}`,
    );
    return list.length === 0 ? [] : [`assumed of the ${clientNames[client]} client: ${list.join(', ')}`];
  });
}
