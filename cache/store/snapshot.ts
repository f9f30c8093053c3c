// All that a drive holds, as the lines of a new journal.

import { bootTime } from '../../common/boot-time.ts';
import type { Drive } from './drive.ts';
import { entryOf } from './entries.ts';
import type { Snapshot } from './journal.ts';
import { encodeEntry, line } from './records.ts';

/** What holds now, oldest first; extents that are being written are announced anew. */
export function snapshotOf(drive: Drive): Snapshot {
  const lines = [line.boot(bootTime())];
  const writing: string[] = [];
  for (const generation of drive.warm) {
    lines.push(encodeEntry(entryOf(generation, drive)));
    const g = generation.places.get(drive)?.g ?? 0;
    for (const extent of generation.extents.values()) {
      if (extent.drive !== drive) continue;
      extent.isAnnounced = generation.isInUse;
      if (extent.isAnnounced) writing.push(line.writing(g, extent.index));
    }
  }
  lines.push(line.snapshotEnd, ...writing);
  return { cold: drive.cold.capture(), lines };
}
