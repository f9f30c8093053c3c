// When the devices of a process act: each arrives, or the ranges of a live window become due. How late the process was
// with each is recorded: it is the generator's own delay.

import { assert } from '../../../common/errors.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { deviceCount, meanRangeBytes } from '../fleet-plan.ts';
import type { LiveDevice } from './live-device.ts';
import type { LiveFleet } from './live-fleet.ts';

/** Lets every device arrive at its time. */
export function scheduleArrivals(fleet: LiveFleet): void {
  const byArrival = [...fleet.devices].sort((a, b) => a.arriveAtMs - b.arriveAtMs);
  let next = 0;
  inTurn(fleet, () => {
    const device = byArrival[next];
    next += 1;
    return device === undefined ? undefined : { atMs: device.arriveAtMs, run: () => device.arrive() };
  });
}

/** Range k of device d is due at phase(d) × interval + k × interval: evenly spread, so that the fleet asks for `demand`. */
export function scheduleRanges(fleet: LiveFleet, scenario: Scenario, demandBytesPerMs: number, windowMs: number): void {
  const intervalMs = (deviceCount(scenario) * meanRangeBytes(scenario)) / demandBytesPerMs;
  const byPhase = [...fleet.devices].sort((a, b) => a.plan.phase - b.plan.phase);
  assert(intervalMs > 0, 'a window has devices and demand');
  let next = 0;
  inTurn(fleet, () => {
    const device: LiveDevice | undefined = byPhase[next % byPhase.length];
    if (device === undefined) return undefined;
    const atMs = (device.plan.phase + Math.floor(next / byPhase.length)) * intervalMs;
    next += 1;
    return atMs >= windowMs ? undefined : { atMs, run: (dueMs) => device.due(dueMs) };
  });
}

/** `atMs`: since the start of the run; `run` is told the same moment on the fleet's clock. */
type Turn = { readonly atMs: number; readonly run: (dueMs: number) => void };

/** Carries out one turn after the other, each at its time; `take` gives them in order, undefined after the last. */
function inTurn(fleet: LiveFleet, take: () => Turn | undefined): void {
  let turn = take();
  const runDue = (): void => {
    for (; turn !== undefined && !fleet.isEnding; turn = take()) {
      const lateMs = fleet.elapsedMs() - turn.atMs;
      if (lateMs < 0) {
        fleet.at(turn.atMs, runDue);
        return;
      }
      fleet.meter.lateness(lateMs);
      turn.run(fleet.startedAtMs + turn.atMs);
    }
  };
  fleet.at(turn?.atMs ?? 0, runDue);
}
