// What a calibrated profile says of a live run on the same machine, where everything shares its processor.

import type { HardwareProfile } from '../scenario/profile.ts';
import { relativeCapacity } from '../scenario/scalability-law.ts';

/**
 * Most bytes per ms that so many connections get as hits, in ranges of this size: the processor's time, by what clients
 * and node take of it for a byte. Infinity where the profile does not limit.
 */
export function capacityBytesPerMs(profile: HardwareProfile, connections: number, rangeBytes: number): number {
  const { cores, cpu, harness, concurrency, egressBytesPerMs = Number.POSITIVE_INFINITY } = profile;
  if (cores === undefined || cpu === undefined) return egressBytesPerMs;
  const requestMs = cpu.msPerRequest + (harness?.clientMsPerRequest ?? 0);
  const byteMs = cpu.msPerByte + (harness?.clientMsPerByte ?? 0);
  const share = concurrency === undefined ? 1 : relativeCapacity(concurrency, connections);
  return Math.min(egressBytesPerMs, (cores * share) / (byteMs + requestMs / rangeBytes));
}
