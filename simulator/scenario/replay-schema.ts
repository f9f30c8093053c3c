// The keys of a replay, and of the one group of devices that a log's clients are.

import { z } from 'zod';
import { policySchema } from './fleet-schema.ts';
import type { ReplaySpec } from './replay-spec.ts';
import type { FleetGroup } from './scenario.ts';
import { id, keys, list, quantity, text, whole, word } from './values.ts';

const formatWords = ['auto', 'combined', 'json'];
const formatExample =
  'auto, combined, json, or the text of an nginx log_format, such as "$remote_addr … $body_bytes_sent"';
const timeExample = 'a date and time with its zone, such as 2026-11-20T08:00:00+01:00';
const ratioExample = 'a share from 0 to 1';

/** `host`: that of targets that name none. */
export const replaySchema = (hostSchema: z.ZodType<string, string | undefined>) =>
  keys('the replay of a log', {
    log: text('a path of an access log, beside this file or absolute').describe('The log, plain or gz'),
    format: text(formatExample)
      .refine((format) => formatWords.includes(format) || format.includes('$'), { error: formatExample })
      .default('auto')
      .describe('How its lines are read: auto, combined (nginx), json (this node), or the text of a log_format'),
    speed: z
      .number({ error: 'a number above 0' })
      .gt(0, { error: 'a number above 0' })
      .default(1)
      .describe('2: twice as fast as it was'),
    from: text(timeExample, /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/)
      .refine((written) => !Number.isNaN(Date.parse(written)), { error: timeExample })
      .optional()
      .describe('Only what was asked for from then on; default: from its beginning'),
    for: quantity('duration', 'aboveZero').optional().describe("Only so much of the log's time; default: to its end"),
    host: hostSchema.describe('Host of targets whose line names none'),
    device: word(['address', 'addressAndAgent']).default('address').describe('What tells its devices apart'),
    connectionsPerDevice: whole('a whole number of connections, 1 to 64', 1, 64)
      .default(6)
      .describe('Most connections of a device at once; what is due beyond them waits'),
    drive: quantity('bytes', 'aboveZero')
      .optional()
      .describe("Size of each node's drive; default: room for all that the log asks for"),
    unusableRatioMax: z
      .number({ error: ratioExample })
      .min(0, { error: ratioExample })
      .max(1, { error: ratioExample })
      .default(0.05)
      .describe('Share of its lines that may be unusable'),
  }).transform(
    ({ from, for: forMs, drive, ...rest }): ReplaySpec => ({
      ...rest,
      fromEpochMs: from === undefined ? undefined : Date.parse(from),
      forMs,
      driveBytes: drive,
    }),
  );

/** The devices are those of the log, which says what they want and when. */
export const replayedGroupSchema = keys('the group of the devices of a log', {
  id: id('an id of the group').describe('Name of the group in this file'),
  client: word(['windows', 'linux']).default('windows').describe('Which real client they behave like'),
  cacheHosts: list('ids of nodes', id('an id of a node'))
    .prefault([])
    .describe('Nodes, in the order in which they are tried; empty: straight to the CDN'),
  policy: policySchema.prefault({}).describe('Download policies of the devices'),
}).transform((group): FleetGroup => ({ ...group, devices: 1, wants: [], arrive: { atMs: 0, overMs: 0 } }));
