// What the live world cannot do, known before anything of it is loaded.

import type { Scenario, ScenarioEvent } from '../../scenario/scenario.ts';
import { describeEvent } from '../event-words.ts';
import { canFreeze } from './process-group.ts';

/** Why a scenario cannot run in the live world, a reason a line; undefined when it can. */
export function whyNotLive(scenario: Scenario): string | undefined {
  const problems: string[] = [];
  for (const event of scenario.events) {
    const virtualOnly = whyVirtualOnly(event);
    if (virtualOnly !== undefined) problems.push(`events: ${describeEvent(event)}: ${virtualOnly}`);
    if ((event.kind === 'freeze' || event.kind === 'thaw') && !canFreeze) {
      problems.push(`events: ${event.kind} ${event.node}: Windows cannot stop and continue a process`);
    }
  }
  for (const { id, count } of scenario.sites) {
    if (count > 1) problems.push(`sites ${id}: ${count} copies of a site exist in the virtual world only`);
  }
  return problems.length === 0 ? undefined : problems.join('\n  ');
}

function whyVirtualOnly(event: ScenarioEvent): string | undefined {
  switch (event.kind) {
    case 'cut':
    case 'join':
    case 'narrow':
      return 'links are modelled in the virtual world only';
    case 'drain':
    case 'loseDrive':
      return 'only the virtual world does this';
    default:
      return undefined;
  }
}
