// What the scenario lets happen during a live run, at its time.

import { assertNever, OperatorError } from '../../../common/errors.ts';
import type { CdnFaultEvent, Scenario, ScenarioEvent } from '../../scenario/scenario.ts';
import { describeEvent } from '../event-words.ts';
import type { Environment } from './environment.ts';
import { whyNotLive } from './why-not-live.ts';

/** What happened; `atMs` is when it was done, since the start of the run. */
export type TimelineEntry = { readonly atMs: number; readonly what: string };

/** Refuses, before anything is started, what the live world cannot do. */
export function refuseImpossible(scenario: Scenario): void {
  const why = whyNotLive(scenario);
  if (why === undefined) return;
  throw new OperatorError('NOT_LIVE', `This scenario cannot run in the live world:\n  ${why}`);
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
    case 'policy':
      return; // device processes know their scenario, and do it themselves (fleet-limits.ts)
    case 'cut':
    case 'join':
    case 'narrow':
    case 'drain':
    case 'loseDrive':
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
