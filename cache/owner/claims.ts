// Which bytes are asked of upstream next. A claim is at most 8 MiB, so that others may claim the rest of an object.

import { type ByteRange, resolveRange } from '../../common/byte-range.ts';
import type { AskRange } from '../protocol.ts';
import type { Generation } from '../store/generation.ts';

const claimBytesMax = 8 * 2 ** 20;
/** An object in more pieces than this is filled in steps of so many bytes: one-byte ranges must not grow the index. */
const intervalsMax = 1024;
const coarseBytes = 64 * 1024;

/** What is fetched next: the beginning of a gap. */
export function claimFrom(generation: Generation, gap: ByteRange): ByteRange {
  let { start, end } = gap;
  if (generation.stored.count + generation.claimed.count > intervalsMax) {
    const from = Math.floor(start / coarseBytes) * coarseBytes;
    const to = Math.min(Math.ceil(end / coarseBytes) * coarseBytes, generation.meta.sizeBytes);
    const wider = generation.unclaimedGaps(from, to).find((other) => other.start <= start && other.end > start);
    if (wider !== undefined) ({ start, end } = wider);
  }
  return { start, end: Math.min(end, start + claimBytesMax) };
}

/** What a discovery asks for: the beginning of what was asked, or (a number) the last bytes. */
export function firstClaim(range: AskRange): ByteRange | number {
  if (range.kind === 'suffix') return Math.min(range.suffixBytes, claimBytesMax);
  const start = range.kind === 'all' ? 0 : range.start;
  const end = range.kind === 'all' ? undefined : range.end;
  return { start, end: Math.min(end ?? Number.MAX_SAFE_INTEGER, start + claimBytesMax) };
}

/** The bytes that an ask names in an object of `sizeBytes`; undefined when there are none (416). */
export function rangeOf(range: AskRange, sizeBytes: number): ByteRange | undefined {
  switch (range.kind) {
    case 'all':
      return { start: 0, end: sizeBytes };
    case 'suffix':
      return resolveRange(range, sizeBytes);
    case 'from':
      return range.start < sizeBytes
        ? { start: range.start, end: Math.min(range.end ?? sizeBytes, sizeBytes) }
        : undefined;
  }
}

/** Whether both are the same bytes. */
export function sameRange(a: ByteRange | undefined, b: ByteRange): boolean {
  return a !== undefined && a.start === b.start && a.end === b.end;
}
