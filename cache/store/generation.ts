// One generation of an object: what its origin said it is, and which of its bytes are stored or on their way.
//
//   object   0 ─────────── 64 MiB ─────────── 128 MiB ──────── size
//   extents  [ #12 drive 1 ][  none           ][ #31 drive 2 ]
//   stored   ██  ████ █                         ███
//   claimed            ▒▒                          ▒▒▒▒            (asked of upstream, not here yet)
//   unproven      ▒▒▒▒                                             (on the drive since another boot; claimed until proven)
//
// Invariants: a byte in `stored` is on its extent's file, and is a byte of this generation and no other. `stored` is what
// the extents' runs are together. Unproven runs are in `claimed` and in no extent's runs.

import { IntervalSet } from '../../common/interval-set.ts';
import type { Freshness, GenerationMeta } from '../protocol.ts';
import { CheckedRuns, type Run } from './checked-runs.ts';
import type { Drive } from './drive.ts';
import { blockBytes, extentOverheadBlocks } from './records.ts';

/** One sparse file that covers bytes [index × 64 MiB, (index + 1) × 64 MiB) of a generation. */
export class Extent {
  readonly id: number;
  readonly index: number;
  readonly drive: Drive;
  /** What was written, with checksums. */
  readonly runs = new CheckedRuns();
  /** Blocks reserved on the drive, as offsets of the object. */
  readonly reserved = new IntervalSet();
  /** Blocks of its file beside those: a crash left them. */
  extraBlocks = 0;
  /** Whether the journal says that its file is being written: then the next start looks at the file. */
  isAnnounced = false;

  constructor(id: number, index: number, drive: Drive) {
    this.id = id;
    this.index = index;
    this.drive = drive;
  }

  /** Bytes of the drive that are counted for it. */
  get heldBytes(): number {
    return this.reserved.bytes + (this.extraBlocks + extentOverheadBlocks) * blockBytes;
  }
}

export type Unproven = { readonly extent: Extent; readonly run: Run };

export class Generation {
  /** Fixed but for `fields`, which its origin may renew. */
  meta: GenerationMeta;
  /** The origin host that gave this generation, last confirmed it: its gaps are filled from there. */
  host: string;
  freshness: Freshness;
  readonly stored = new IntervalSet();
  readonly claimed = new IntervalSet();
  readonly extents = new Map<number, Extent>();
  /** Drives that hold extents of it: its number in their journals, and how many extents. */
  readonly places = new Map<Drive, { readonly g: number; extentCount: number }>();
  /** Bytes that must be compared with their checksums before they may be sent. */
  unproven: Unproven[] = [];
  unprovenBytes = 0;
  /** Whether they are being compared now. */
  isProving = false;
  /** Requests that wait for bytes of it; it is not evicted while there are any. */
  askCount = 0;
  usedAtMs = Date.now();
  /** When the journals were last told that it was used; content that is new is journalled anyway. */
  useJournalledAtMs = Date.now();

  constructor(from: GenerationMeta & { readonly host: string; readonly freshness: Freshness }) {
    const { host, freshness, ...meta } = from;
    this.meta = meta;
    this.host = host;
    this.freshness = freshness;
  }

  get isInUse(): boolean {
    return this.askCount > 0 || this.isProving || this.claimed.bytes > this.unprovenBytes;
  }

  /** The parts of [start, end) that are neither stored nor on their way. */
  unclaimedGaps(start: number, end: number): { start: number; end: number }[] {
    return this.stored.gaps(start, end).flatMap((gap) => this.claimed.gaps(gap.start, gap.end));
  }
}
