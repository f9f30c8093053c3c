// Makes room on a drive: extents go in the order in which their generations were used, least recently first; of one
// generation the last extent first. Cold generations are older than warm ones. What is in use stays, and counts as used.
// An eviction looks at as many generations as are in use, once each; not at all there are.

import type { Drive } from './drive.ts';
import { lastExtent } from './entries.ts';
import type { Extent, Generation } from './generation.ts';
import { line } from './records.ts';

/** Whether `neededBytes` may be reserved now. `evict` takes a warm generation's extent away. */
export function makeRoom(
  drive: Drive,
  wantedFor: Generation | undefined,
  neededBytes: number,
  evict: (generation: Generation, extent: Extent) => void,
): boolean {
  // Asking for more than there is must not cost what is there.
  if (neededBytes > drive.limitBytes) return false;
  while (drive.roomBytes < neededBytes) {
    if (!evictCold(drive) && !evictWarm(drive, wantedFor, evict)) return false;
  }
  return true;
}

function evictCold(drive: Drive): boolean {
  const { cold } = drive;
  const slot = cold.oldest();
  if (slot === undefined) return false;
  const entry = cold.read(slot);
  const extent = lastExtent(entry.extents.values());
  if (extent !== undefined) {
    entry.extents.delete(extent.index);
    drive.append(line.gone(entry.g, extent.index));
    drive.files.remove(extent.id);
  }
  if (entry.extents.size > 0) cold.replace(slot, entry);
  else cold.remove(slot);
  return true;
}

function evictWarm(
  drive: Drive,
  wantedFor: Generation | undefined,
  evict: (generation: Generation, extent: Extent) => void,
): boolean {
  let left = drive.warm.size;
  for (const generation of drive.warm) {
    if (left-- === 0) return false;
    if (generation === wantedFor || generation.isInUse) {
      drive.warm.delete(generation);
      drive.warm.add(generation);
      continue;
    }
    const extent = lastExtent([...generation.extents.values()].filter((other) => other.drive === drive));
    if (extent === undefined) {
      drive.warm.delete(generation);
      continue;
    }
    evict(generation, extent);
    return true;
  }
  return false;
}

/** Takes out what nobody has asked for since then (ms since 1970). */
export function expireCold(drive: Drive, sinceMs: number): void {
  for (let slot = drive.cold.oldest(); slot !== undefined; slot = drive.cold.oldest()) {
    if (drive.cold.usedAtMs(slot) >= sinceMs) break;
    const { g, extents } = drive.cold.read(slot);
    drive.cold.remove(slot);
    for (const { id, index } of extents.values()) {
      drive.append(line.gone(g, index));
      drive.files.remove(id);
    }
  }
}
