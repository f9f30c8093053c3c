// From what a drive's line says of a generation to the objects of one that is in use, and back.

import { extentBytes } from '../protocol.ts';
import type { CheckedRuns } from './checked-runs.ts';
import type { Drive } from './drive.ts';
import { Extent, Generation } from './generation.ts';
import { blockBytes, type Entry, type EntryExtent, encodeEntry, extentOverheadBlocks } from './records.ts';

export const extentOverheadBytes = extentOverheadBlocks * blockBytes;
export const blocksStart = (offset: number): number => Math.floor(offset / blockBytes) * blockBytes;
export const blocksEnd = (offset: number): number => Math.ceil(offset / blockBytes) * blockBytes;

/** What a drive holds of a generation, as a line will say it. */
export function entryOf(generation: Generation, drive: Drive): Entry {
  const { key, sizeBytes, etag, lastModified, fields } = generation.meta;
  const entry: Entry = {
    g: generation.places.get(drive)?.g ?? 0,
    ...{ key, sizeBytes, etag, lastModified, fields },
    host: generation.host,
    generatedAtMs: generation.freshness.generatedAtMs,
    freshUntilMs: generation.freshness.freshUntilMs,
    usedAtMs: generation.usedAtMs,
    isUnproven: false,
    extents: new Map(),
  };
  for (const extent of generation.extents.values()) {
    if (extent.drive === drive) entry.extents.set(extent.index, lineOf(extent, extent.runs));
  }
  for (const { extent, run } of generation.unproven) {
    if (extent.drive !== drive) continue;
    entry.isUnproven = true;
    const known = entry.extents.get(extent.index);
    if (known === undefined) continue;
    // The extent's own runs are proven: they stay as they are.
    if (known.runs === extent.runs) entry.extents.set(extent.index, lineOf(extent, extent.runs.copy()));
    entry.extents.get(extent.index)?.runs.add(run.start, run.end, run.crc);
  }
  return entry;
}

function lineOf({ id, index, extraBlocks }: Extent, runs: CheckedRuns): EntryExtent {
  return { id, index, runs, extraBlocks };
}

/** The generation of an entry, without its bytes. */
export function generationOf(entry: Entry, id: number): Generation {
  const { key, host, sizeBytes, etag, lastModified, fields, generatedAtMs, freshUntilMs } = entry;
  const freshness = { generatedAtMs, freshUntilMs };
  const generation = new Generation({ id, key, host, sizeBytes, etag, lastModified, fields, freshness });
  generation.useJournalledAtMs = entry.usedAtMs;
  return generation;
}

export function isSameGeneration({ meta }: Generation, entry: Entry): boolean {
  return (
    meta.key === entry.key &&
    meta.sizeBytes === entry.sizeBytes &&
    meta.etag === entry.etag &&
    meta.lastModified === entry.lastModified
  );
}

/**
 * Gives a generation the extents of an entry. One that it has already is not taken (a drive that failed once may hold what
 * another holds since; a fill may have been quicker than the loading): returns those, which nobody needs any more.
 */
export function adoptEntry(generation: Generation, entry: Entry, drive: Drive): EntryExtent[] {
  const unwanted: EntryExtent[] = [];
  // The drive may know it by two numbers: one that was filled anew while its journal was read.
  const isKnownOtherwise = (generation.places.get(drive)?.g ?? entry.g) !== entry.g;
  for (const extent of entry.extents.values()) {
    const { id, index, runs } = extent;
    if (isKnownOtherwise || generation.extents.has(index)) {
      unwanted.push(extent);
      continue;
    }
    const taken = new Extent(id, index, drive);
    generation.extents.set(index, taken);
    taken.extraBlocks = extent.extraBlocks;
    drive.warmBytes += taken.heldBytes;
    for (const run of runs) {
      drive.warmBytes += taken.reserved.add(blocksStart(run.start), blocksEnd(run.end));
      if (entry.isUnproven) {
        generation.unproven.push({ extent: taken, run });
        generation.unprovenBytes += run.end - run.start;
        generation.claimed.add(run.start, run.end);
      } else {
        taken.runs.add(run.start, run.end, run.crc);
        generation.stored.add(run.start, run.end);
      }
    }
    const place = generation.places.get(drive);
    if (place === undefined) generation.places.set(drive, { g: entry.g, extentCount: 1 });
    else place.extentCount += 1;
  }
  return unwanted;
}

/** The extent that goes first when room is needed on a drive: the last one, since downloads begin at the first. */
export function lastExtent<T extends { readonly index: number }>(extents: Iterable<T>): T | undefined {
  let last: T | undefined;
  for (const extent of extents) if (last === undefined || extent.index > last.index) last = extent;
  return last;
}

/** Calls `each` with the part of [start, end) in every extent it touches. */
export function eachPart(
  start: number,
  end: number,
  each: (index: number, from: number, to: number) => boolean,
): boolean {
  for (let index = Math.floor(start / extentBytes); index * extentBytes < end; index += 1) {
    if (!each(index, Math.max(start, index * extentBytes), Math.min(end, (index + 1) * extentBytes))) return false;
  }
  return true;
}

/** Records what its drives hold of a generation anew: its fields or its host have changed. */
export function recordHead(generation: Generation): void {
  for (const drive of generation.places.keys()) drive.append(encodeEntry(entryOf(generation, drive)));
}
