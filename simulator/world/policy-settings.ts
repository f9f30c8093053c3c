// What a group's devices are told, as their policy wants it; the same in both worlds.

import type { PolicySettings } from '../device/download-policy.ts';
import type { FleetGroup } from '../scenario/scenario.ts';

export function policySettingsOf({ client, cacheHosts, policy }: FleetGroup): PolicySettings {
  const { priority, fallbackDelayBackgroundMs, fallbackDelayForegroundMs } = policy;
  const ofPriority = priority === 'foreground' ? fallbackDelayForegroundMs : fallbackDelayBackgroundMs;
  return {
    cacheHostCount: cacheHosts.length,
    // The Linux client knows no priorities: it takes the first delay that it finds (facts, 1.2).
    fallbackDelayMs: client === 'linux' ? (fallbackDelayBackgroundMs ?? fallbackDelayForegroundMs) : ofPriority,
  };
}
