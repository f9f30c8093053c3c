// What the live world cannot do, known before anything of it is loaded.

import type { Scenario, ScenarioEvent } from '../../scenario/scenario.ts';
import { describeEvent } from '../event-words.ts';
import { whyNoKernelLine } from './kernel-lines.ts';
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
  problems.push(...whyNoKernelLines(scenario));
  return problems.length === 0 ? undefined : problems.join('\n  ');
}

/** Lines by the kernel, and what is out of reach behind them. */
function whyNoKernelLines({ fleet, nodes, cdn, replay }: Scenario): string[] {
  const groups = fleet.filter(({ line }) => line?.by === 'kernel').map(({ id }) => id);
  if (groups.length === 0) return [];
  const reasons: string[] = [];
  const noLine = whyNoKernelLine();
  if (noLine !== undefined) reasons.push(`${noLine}; by: process needs nothing`);
  const reach = 'devices there reach only what this run starts';
  for (const { id, url } of nodes) if (url !== undefined) reasons.push(`node ${id} is a real one (${url}): ${reach}`);
  if (cdn.listen !== undefined) reasons.push(`cdn.listen is given: ${reach}, where it can be reached`);
  if (replay !== undefined) reasons.push('the devices of a log all have the same way to the node');
  return reasons.map((reason) => `fleet ${groups.join(', ')}: line by the kernel: ${reason}`);
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
