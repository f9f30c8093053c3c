// The lines of a drive's journal. What the drive holds of a generation is one line, which is also how the node remembers
// a generation that nobody asked for lately (see cold-index.ts); other lines change it.
//
//   B <boot>                                          from here on, the node ran in this boot of the machine
//   S                                                 the end of a snapshot, in which no generation is twice
//   G <g> <hash> <blocks> <bytes> <used> <extents> <json>   all of a generation on this drive (replaces an earlier line)
//   U …                                               the same, written in another boot and not checked since
//   E <g> <extent> <index>                            an extent of it was created
//   W <g> <index>                                     it is about to be written again, after the snapshot
//   I <g> <index> <start> <length> <crc>              bytes of it were written; the start is that within the extent
//   D <g> <index>                                     an extent of it is gone
//   T <g> <used>                                      it was asked for
//   F <g> <generated> <fresh until>                   the origin confirmed it, or has another one
//
// A crash may leave blocks in a file that no line speaks of; only in files that an E, W or I names after the snapshot, which
// are looked at by the next start. What they hold too much is counted with the extent from then on ("extra").
//
// <g> numbers generations within one drive; <hash> is that of the key; <used> is in minutes since 1970; <extents> are
// numbers with commas, for finding orphans without reading the JSON.

import { extentBytes } from '../protocol.ts';
import { CheckedRuns, type Run } from './checked-runs.ts';

/** Space is reserved in blocks of this many bytes: what file systems hand out. */
export const blockBytes = 4096;
/** An extent's i-node, folder entry and journal line are counted as one block. */
export const extentOverheadBlocks = 1;

/** An extent as a line has it. */
export type EntryExtent = {
  readonly id: number;
  readonly index: number;
  readonly runs: CheckedRuns;
  /** Blocks that its file has beside those of the runs. */
  extraBlocks: number;
};

/** What one drive holds of a generation. */
export type Entry = {
  readonly g: number;
  readonly key: string;
  readonly host: string;
  readonly sizeBytes: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly fields: readonly (readonly [string, string])[];
  generatedAtMs: number;
  freshUntilMs: number;
  usedAtMs: number;
  /** Written in another boot: its bytes may be holes until they were compared with their checksums. */
  isUnproven: boolean;
  readonly extents: Map<number, EntryExtent>;
};

/** What is known of an entry without reading its JSON. */
export type EntryHead = {
  g: number;
  hash: number;
  blockCount: number;
  storedBytes: number;
  usedAtMin: number;
  /** Where the list of extents begins. */
  extentsAt: number;
};

/** FNV-1a over the key's code units. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export function encodeEntry(entry: Entry): string {
  let blocks = 0;
  let bytes = 0;
  const ids: number[] = [];
  const extents: unknown[] = [];
  for (const { id, index, runs, extraBlocks } of entry.extents.values()) {
    const base = index * extentBytes;
    const flat: number[] = [];
    for (const run of runs) {
      flat.push(run.start - base, run.end - run.start, run.crc);
      bytes += run.end - run.start;
    }
    blocks += blocksOf(runs) + extraBlocks + extentOverheadBlocks;
    ids.push(id);
    extents.push(extraBlocks === 0 ? [id, index, flat] : [id, index, flat, extraBlocks]);
  }
  const { g, key, host, sizeBytes, etag, lastModified, fields, generatedAtMs, freshUntilMs } = entry;
  const json = JSON.stringify([
    ...[key, host, sizeBytes, etag ?? null, lastModified ?? null, fields, generatedAtMs, freshUntilMs],
    extents,
  ]);
  const kind = entry.isUnproven ? 'U' : 'G';
  const used = Math.floor(entry.usedAtMs / 60_000);
  return `${kind} ${g} ${keyHash(key)} ${blocks} ${bytes} ${used} ${ids.join(',')} ${json}\n`;
}

export const isEntry = (kind: number | undefined): boolean => kind === 0x47 || kind === 0x55;
export const unprovenByte = 0x55;

/** Reads the numbers at the beginning of an entry's line that starts at `at`. */
export function readHead(line: Buffer, at: number, head: EntryHead): void {
  let cursor = at + 2;
  const next = (): number => {
    let value = 0;
    for (;;) {
      const digit = (line[cursor] as number) - 0x30;
      cursor += 1;
      if (digit < 0 || digit > 9) return value;
      value = value * 10 + digit;
    }
  };
  head.g = next();
  head.hash = next();
  head.blockCount = next();
  head.storedBytes = next();
  head.usedAtMin = next();
  head.extentsAt = cursor;
}

/** Calls `each` with the extents' numbers of an entry, given where their list begins. */
export function eachExtentId(line: Buffer, extentsAt: number, each: (id: number) => void): void {
  let value = 0;
  let digits = 0;
  for (let cursor = extentsAt; ; cursor += 1) {
    const byte = line[cursor] as number;
    if (byte >= 0x30 && byte <= 0x39) {
      value = value * 10 + byte - 0x30;
      digits += 1;
      continue;
    }
    if (digits > 0) each(value);
    value = 0;
    digits = 0;
    if (byte !== 0x2c) return;
  }
}

type EntryJson = readonly [
  string,
  string,
  number,
  string | null,
  string | null,
  readonly (readonly [string, string])[],
  number,
  number,
  readonly (readonly [number, number, readonly number[], number?])[],
];

/** Reads a whole entry; `line` has no end-of-line. */
export function decodeEntry(line: string): Entry {
  const [kind, g, , , , used] = line.split(' ', 6);
  const json = JSON.parse(line.slice(line.indexOf('['))) as EntryJson;
  const [key, host, sizeBytes, etag, lastModified, fields, generatedAtMs, freshUntilMs, extents] = json;
  return {
    g: Number(g),
    isUnproven: kind === 'U',
    usedAtMs: Number(used) * 60_000,
    ...{ key, host, sizeBytes, fields, generatedAtMs, freshUntilMs },
    etag: etag ?? undefined,
    lastModified: lastModified ?? undefined,
    extents: new Map(
      extents.map(([id, index, flat, extraBlocks = 0]) => [
        index,
        { id, index, runs: runsOf(flat, index), extraBlocks },
      ]),
    ),
  };
}

function runsOf(flat: readonly number[], index: number): CheckedRuns {
  const runs = new CheckedRuns();
  const base = index * extentBytes;
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const start = base + (flat[i] as number);
    runs.add(start, start + (flat[i + 1] as number), flat[i + 2] as number);
  }
  return runs;
}

/** How many blocks of a file runs touch. */
export function blocksOf(runs: Iterable<Run>): number {
  let count = 0;
  let last = -1;
  for (const { start, end } of runs) {
    const first = Math.max(Math.floor(start / blockBytes), last + 1);
    const final = Math.floor((end - 1) / blockBytes);
    if (final >= first) count += final - first + 1;
    last = Math.max(last, final);
  }
  return count;
}

export const line = {
  boot: (id: string): string => `B ${id}\n`,
  snapshotEnd: 'S\n',
  extent: (g: number, id: number, index: number): string => `E ${g} ${id} ${index}\n`,
  writing: (g: number, index: number): string => `W ${g} ${index}\n`,
  bytes: (g: number, index: number, run: Run): string =>
    `I ${g} ${index} ${run.start - index * extentBytes} ${run.end - run.start} ${run.crc}\n`,
  gone: (g: number, index: number): string => `D ${g} ${index}\n`,
  used: (g: number, usedAtMs: number): string => `T ${g} ${Math.floor(usedAtMs / 60_000)}\n`,
  fresh: (g: number, generatedAtMs: number, freshUntilMs: number): string =>
    `F ${g} ${generatedAtMs} ${freshUntilMs}\n`,
} as const;
