// What the scenario lets happen during a live run, at its time.

import { assertNever, OperatorError } from '../../../common/errors.ts';
import type { CdnFaultEvent, Scenario, ScenarioEvent } from '../../scenario/scenario.ts';
import { describeEvent } from '../event-words.ts';
import type { Environment } from './environment.ts';
import { canFreeze } from './process-group.ts';

/** What happened; `atMs` is when it was done, since the start of the run. */
export type TimelineEntry = { readonly atMs: number; readonly what: string };

/** Refuses, before anything is started, what the live world cannot do. */
export function refuseImpossible(scenario: Scenario): void {
  const why = whyNotLive(scenario);
  if (why === undefined) return;
  throw new OperatorError('NOT_LIVE', `This scenario cannot run in the live world:\n  ${why}`);
}

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
  for (const group of scenario.fleet) {
    if (group.client === 'linux') problems.push(`fleet ${group.id}: client linux is not in the live world yet`);
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
    case 'policy':
      return 'only the virtual world does this';
    default:
      return undefined;
  }
}

/** Schedules all events. `cancel` forgets those that are still to come, and resolves when none is under way. */
export function scheduleEvents(
  scenario: Scenario,
  environment: Environment,
  startEpochMs: number,
  note: (entry: TimelineEntry) => void,
  onError: (error: unknown) => void,
): { readonly cancel: () => Promise<void>; readonly pending: () => number } {
  let pending = scenario.events.length;
  const underWay = new Set<Promise<void>>();
  const timers = scenario.events.map((event) =>
    setTimeout(
      () => {
        const done = carryOut(event, environment)
          .then(() => note({ atMs: Date.now() - startEpochMs, what: describeEvent(event) }))
          .catch(onError)
          .finally(() => {
            pending -= 1;
            underWay.delete(done);
          });
        underWay.add(done);
      },
      Math.max(0, startEpochMs + event.atMs - Date.now()),
    ),
  );
  const cancel = async (): Promise<void> => {
    timers.forEach(clearTimeout);
    await Promise.all(underWay);
  };
  return { cancel, pending: () => pending - underWay.size };
}

async function carryOut(event: ScenarioEvent, environment: Environment): Promise<void> {
  switch (event.kind) {
    case 'kill':
      return await environment.kill(event.node);
    case 'restart':
      return await environment.restart(event.node);
    case 'freeze':
      return environment.freeze(event.node);
    case 'thaw':
      return environment.thaw(event.node);
    case 'cdn':
      return await environment.orderCdn('/faults', faultOrder(event));
    case 'version':
      return await environment.orderCdn('/version', { id: event.content });
    case 'cut':
    case 'join':
    case 'narrow':
    case 'drain':
    case 'loseDrive':
    case 'policy':
      return; // refused before the run
    default:
      assertNever(event);
  }
}

/** The fault in the words of the CDN's admin interface. */
function faultOrder({ fault, forMs, content, count }: CdnFaultEvent): Record<string, unknown> {
  const limits = { forMs: forMs === undefined ? undefined : Math.round(forMs), object: content, count };
  switch (fault.kind) {
    case 'status':
      return { status: fault.status, ...limits };
    case 'delay':
      return { delayMs: Math.round(fault.delayMs), ...limits };
    case 'stall':
      return { stall: true, afterBytes: fault.afterBytes, ...limits };
    case 'reset':
      return { reset: true, afterBytes: fault.afterBytes, ...limits };
    case 'shortBody':
      return { shortBody: true, afterBytes: fault.afterBytes, ...limits };
    case 'wrongContentRange':
      return { wrongContentRange: true, ...limits };
    default:
      return assertNever(fault);
  }
}
