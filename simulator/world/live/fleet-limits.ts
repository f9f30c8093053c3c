// What devices of a process may receive, and what their policies are told, while a run goes on: at its start, by events, by
// the hour. One settings object a group, which all its downloads look at, and a line for each device that needs one.

import { assert } from '../../../common/errors.ts';
import type { PolicySettings } from '../../device/download-policy.ts';
import type { DownloadPolicySpec, FleetGroup, ProcessLine, Scenario } from '../../scenario/scenario.ts';
import { deviceRate, untilHoursChangeMs } from '../device-rates.ts';
import type { PlannedDevice } from '../fleet-plan.ts';
import { policySettingsOf } from '../policy-settings.ts';
import { DeviceLine } from './device-line.ts';

/** Calls back so long after the start of the run. */
type At = (elapsedMs: number, run: () => void) => void;

type GroupLimits = {
  policy: DownloadPolicySpec;
  readonly settings: PolicySettings;
  /** Whether its devices have lines: something limits them, may do so later, or goes wrong. */
  readonly isShaped: boolean;
  readonly lines: { readonly line: DeviceLine; readonly downlinkBytesPerMs: number }[];
};

export class FleetLimits {
  readonly #scenario: Scenario;
  readonly #groups: readonly GroupLimits[];
  readonly #at: At;

  constructor(scenario: Scenario, at: At) {
    this.#scenario = scenario;
    this.#at = at;
    this.#groups = scenario.fleet.map((group) => {
      const isTold = scenario.events.some((event) => event.kind === 'policy' && event.group === group.id);
      const { maxBackgroundDownloadBytesPerMs, maxForegroundDownloadBytesPerMs } = group.policy;
      const limits = [
        group.downlink,
        processLine(group),
        maxBackgroundDownloadBytesPerMs,
        maxForegroundDownloadBytesPerMs,
      ];
      const isShaped = isTold || limits.some((limit) => limit !== undefined);
      return { policy: group.policy, settings: { ...policySettingsOf(group) }, isShaped, lines: [] };
    });
  }

  /** What the downloads of a group go by, now and later. */
  settingsOf(groupIndex: number): PolicySettings {
    return this.#group(groupIndex).settings;
  }

  /** The line of a device; undefined where nothing limits it. */
  lineOf({ group, groupIndex, seed, downlinkBytesPerMs }: PlannedDevice): DeviceLine | undefined {
    const limits = this.#group(groupIndex);
    if (!limits.isShaped) return undefined;
    const { bytesPerMs } = deviceRate(limits.policy, downlinkBytesPerMs, this.#scenario.startsAtMs);
    const line = new DeviceLine(bytesPerMs, processLine(group), seed);
    limits.lines.push({ line, downlinkBytesPerMs });
    return line;
  }

  /** The run begins: hours change from now on, and events tell policies. */
  start(): void {
    for (const group of this.#groups) this.#followHours(group, 0);
    for (const event of this.#scenario.events) {
      if (event.kind === 'policy') this.#at(event.atMs, () => this.#tell(event.group, event.policy, event.atMs));
    }
  }

  /** The devices of a group are told other policies; those that are not named stay. */
  #tell(id: string, change: Partial<DownloadPolicySpec>, elapsedMs: number): void {
    for (const [index, spec] of this.#scenario.fleet.entries()) {
      if (spec.id !== id) continue;
      const group = this.#group(index);
      group.policy = { ...group.policy, ...change };
      Object.assign(group.settings, policySettingsOf({ ...spec, policy: group.policy }));
      this.#setRates(group, elapsedMs);
      this.#followHours(group, elapsedMs);
    }
  }

  #followHours(group: GroupLimits, elapsedMs: number): void {
    const { policy } = group;
    const waitMs = untilHoursChangeMs(policy.limitedHours, this.#scenario.startsAtMs + elapsedMs);
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.#at(elapsedMs + waitMs, () => {
      // Whoever was told other policies since then is followed from there.
      if (group.policy !== policy) return;
      this.#setRates(group, elapsedMs + waitMs);
      this.#followHours(group, elapsedMs + waitMs);
    });
  }

  #setRates(group: GroupLimits, elapsedMs: number): void {
    const nowMs = performance.now();
    for (const { line, downlinkBytesPerMs } of group.lines) {
      const { bytesPerMs } = deviceRate(group.policy, downlinkBytesPerMs, this.#scenario.startsAtMs + elapsedMs);
      line.setRate(bytesPerMs, nowMs);
    }
  }

  #group(index: number): GroupLimits {
    const group = this.#groups[index];
    assert(group !== undefined, `group ${index} is in the scenario`);
    return group;
  }
}

/** What the kernel makes of a group's packets is nothing that its processes do. */
function processLine({ line }: FleetGroup): ProcessLine | undefined {
  return line?.by === 'process' ? line : undefined;
}
