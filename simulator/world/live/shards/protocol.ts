// What the environment of a run and its shards say to each other, over HTTP:
//
//   GET  /run                     which run it is, where nodes and CDN are, what time it is
//   POST /shards/<i>-of-<n>       the shard's state, twice a second; the answer says when to begin and to end
//   PUT  /shards/<i>-of-<n>/part  what it measured
//
// A refusal is a status of 400 and above, whose body says why.

import { z } from 'zod';
import type { DeviceProgress, DeviceReport } from '../device-protocol.ts';
import type { RunIdentity } from './part.ts';

/** How often a shard says that it is there. */
export const beatMs = 500;
/** After so long without a word the other side is taken for dead. */
export const silenceMsMax = 10_000;
/** Clocks that are further apart put what happened into the wrong second. */
export const clockAheadMsMax = 1000;

const addressForm = z.strictObject({ host: z.string(), port: z.number().int() });

export const runAnswerForm = z.strictObject({
  run: z.custom<RunIdentity>((value) => typeof value === 'object' && value !== null),
  epochMs: z.number(),
  nodes: z.record(z.string(), addressForm),
  cdns: z.array(addressForm).min(1),
  deviceRows: z.boolean(),
  /** Whether shards are to say on the way what they have measured so far. */
  snapshots: z.boolean(),
  /** When the run begins, if that was given. */
  startAtEpochMs: z.number().optional(),
});

/** The answer to `GET /run`. */
export type RunAnswer = z.infer<typeof runAnswerForm>;

const count = z.number().int().nonnegative();
const progressForm: z.ZodType<DeviceProgress> = z.strictObject({
  waiting: count,
  connected: count,
  downloading: count,
  onCdn: count,
  completed: count,
  failed: count,
  bytesFromCacheServer: count,
  bytesFromCdn: count,
  failedRanges: count,
});

export const beatForm = z.strictObject({
  /** Drawn at random by each command, so that two with the same number are told apart. */
  instance: z.string().min(1),
  /** `ready`: all that is to be done before the start; `idle`: every device has ended; `gone`: the shard ends without a part. */
  state: z.enum(['connecting', 'ready', 'idle', 'gone']),
  /** What went wrong before the start. */
  problem: z.string().optional(),
  progress: progressForm,
  /** What its device processes have measured so far, when that was asked for and there is news; of series, what may be new. */
  reports: z.array(z.custom<DeviceReport>((value) => typeof value === 'object' && value !== null)).optional(),
});

/** What a shard says of itself. */
export type Beat = z.infer<typeof beatForm>;

export const beatAnswerForm = z.strictObject({
  beginAtEpochMs: z.number().optional(),
  /** What is under way may finish for `graceMs`. `because`: why it ends before its time. */
  end: z.strictObject({ graceMs: z.number(), because: z.string().optional() }).optional(),
});

/** What the environment tells a shard. */
export type BeatAnswer = z.infer<typeof beatAnswerForm>;
