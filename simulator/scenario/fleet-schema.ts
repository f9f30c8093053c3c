// The keys of a group of devices, and of the policies that it is told.

import { z } from 'zod';
import type { DownloadPolicySpec } from './scenario.ts';
import { id, keys, list, quantity, quantityOr, timeOfDay, whole, word } from './values.ts';

const arriveSchema = keys('the arrival of devices', {
  at: quantity('duration', 'zeroOrMore').prefault('0 s').describe('When the first may arrive'),
  over: quantity('duration', 'zeroOrMore').prefault('0 s').describe('Evenly at random from `at` until this much later'),
}).transform(({ at, over }) => ({ atMs: at, overMs: over }));

/** 0 to 30 d, as the policy's own range (2,592,000 s), or never (the Linux client's -1). */
const fallbackDelay = quantityOr('never', 'duration', 'zeroOrMore')
  .transform((delay) => (delay === 'never' ? Number.POSITIVE_INFINITY : delay))
  .refine((delayMs) => delayMs <= 30 * 86_400_000 || delayMs === Number.POSITIVE_INFINITY, {
    error: 'a duration from 0 s to 30 d, or never',
  });

const share = z
  .number({ error: 'a share above 0, up to 1' })
  .gt(0, { error: 'a share above 0, up to 1' })
  .max(1, { error: 'a share above 0, up to 1' });

const limitedHoursSchema = keys('hours with a limited bandwidth', {
  from: timeOfDay.describe('Time of day when the limit begins, e.g. 08:00'),
  to: timeOfDay.describe('Time of day when it ends; earlier than from: on the next day'),
  insideRatio: share.describe('Share of the downlink that may be used within these hours'),
  outsideRatio: share.default(1).describe('Share of the downlink that may be used outside of them'),
})
  // The whole day, or no time at all: either is better said by a ratio.
  .refine(({ from, to }) => from !== to, { error: 'from and to that differ' })
  .transform(({ from, to, ...ratios }) => ({ fromMs: from, toMs: to, ...ratios }));

/** Every policy of the file; all optional, as an event that changes some of them has it. */
const policyShape = {
  priority: word(['background', 'foreground']).optional().describe('Priority of the downloads; default background'),
  fallbackDelayBackground: fallbackDelay
    .optional()
    .describe('DODelayCacheServerFallbackBackground; default: not configured'),
  fallbackDelayForeground: fallbackDelay
    .optional()
    .describe('DODelayCacheServerFallbackForeground; default: not configured'),
  maxBackgroundDownload: quantity('rate', 'aboveZero')
    .optional()
    .describe('DOMaxBackgroundDownloadBandwidth, over all downloads of a device; default: not limited'),
  maxForegroundDownload: quantity('rate', 'aboveZero')
    .optional()
    .describe('DOMaxForegroundDownloadBandwidth, over all downloads of a device; default: not limited'),
  maxBackgroundRatio: share.optional().describe('DOPercentageMaxBackgroundBandwidth, as a share of the downlink'),
  maxForegroundRatio: share.optional().describe('DOPercentageMaxForegroundBandwidth, as a share of the downlink'),
  limitedHours: limitedHoursSchema
    .optional()
    .describe('DOSetHoursToLimitBackgroundDownloadBandwidth (or Foreground, by priority)'),
};

type PolicyWritten = z.output<z.ZodObject<typeof policyShape>>;

/** Only what was written: an event changes that and nothing else. */
function policyOfWritten(written: PolicyWritten): Partial<DownloadPolicySpec> {
  const { fallbackDelayBackground, fallbackDelayForeground, maxBackgroundDownload, maxForegroundDownload } = written;
  const all = {
    priority: written.priority,
    fallbackDelayBackgroundMs: fallbackDelayBackground,
    fallbackDelayForegroundMs: fallbackDelayForeground,
    maxBackgroundDownloadBytesPerMs: maxBackgroundDownload,
    maxForegroundDownloadBytesPerMs: maxForegroundDownload,
    maxBackgroundRatio: written.maxBackgroundRatio,
    maxForegroundRatio: written.maxForegroundRatio,
    limitedHours: written.limitedHours,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The policies of a group. */
export const policySchema = keys('download policies', policyShape).transform(
  (written): DownloadPolicySpec => ({ priority: 'background', ...policyOfWritten(written) }),
);

export const policyChangeSchema = keys('new download policies of a group', {
  group: id('an id of a group').describe('The group whose devices are told'),
  ...policyShape,
}).transform(({ group, ...written }) => ({ group, policy: policyOfWritten(written) }));

const downlinkExample = 'a rate with a unit, such as 100 Mbit/s, or { from, to }';

/** One speed for all, or speeds spread evenly over their logarithm. */
const downlinkSchema = z.union(
  [
    quantity('rate', 'aboveZero').transform((rate) => ({ bytesPerMsMin: rate, bytesPerMsMax: rate })),
    keys('speeds of devices', {
      from: quantity('rate', 'aboveZero').describe('The slowest'),
      to: quantity('rate', 'aboveZero').describe('The fastest'),
    })
      .refine(({ from, to }) => from <= to, { error: 'from that is at most to' })
      .transform(({ from, to }) => ({ bytesPerMsMin: from, bytesPerMsMax: to })),
  ],
  { error: downlinkExample },
);

const ratio = (max: number) => {
  const error = `a share from 0 to ${max}`;
  return z.number({ error }).min(0, { error }).max(max, { error });
};

const lineSchema = keys('the line of the devices', {
  by: word(['process', 'kernel'])
    .default('process')
    .describe(
      'Who makes it: process: the devices themselves, connection by connection; kernel: one link for the group, by tc (Linux, root)',
    ),
  latency: quantity('duration', 'zeroOrMore')
    .prefault('0 s')
    .describe('Each way: a connection and each request take twice as long'),
  lossRatio: ratio(0.5)
    .default(0)
    .describe('Share of TCP segments that are lost: each is silence for 200 ms, doubled when it is lost again'),
  rate: quantity('rate', 'aboveZero')
    .optional()
    .describe('What one connection carries, beside the downlink; by the kernel: what the link of the group carries'),
  resetAfter: quantity('bytes', 'aboveZero').optional().describe('Reset each connection after so many bytes'),
  resetRatio: ratio(1).default(0).describe('Share of requests that have their connection reset within the next 1 MiB'),
  halfOpenAfter: quantity('bytes', 'aboveZero')
    .optional()
    .describe('After so many bytes nothing comes or goes on a connection any more, and neither side is told'),
})
  .refine(({ by: _, ...line }) => Object.values(line).some((value) => value !== undefined && value !== 0), {
    error: 'at least one thing that the line does',
    when: ({ issues }) => issues.length === 0, // an unknown key may be what was meant
  })
  .superRefine((line, context) => {
    if (line.by !== 'kernel') return;
    for (const key of ['resetAfter', 'resetRatio', 'halfOpenAfter'] as const) {
      if (line[key] === undefined || line[key] === 0) continue;
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `no ${key} in a line by the kernel, which breaks nothing`,
      });
    }
  })
  .transform((written) => {
    const { latency: latencyMs, lossRatio, rate: rateBytesPerMs } = written;
    if (written.by === 'kernel') return { by: 'kernel' as const, latencyMs, lossRatio, rateBytesPerMs };
    return {
      by: 'process' as const,
      ...{ latencyMs, lossRatio, rateBytesPerMs },
      resetAfterBytes: written.resetAfter,
      resetRatio: written.resetRatio,
      halfOpenAfterBytes: written.halfOpenAfter,
    };
  });

export const groupSchema = keys('one group of devices', {
  id: id('an id of the group').describe('Name of the group in this file'),
  devices: whole('a whole number of devices, 1 or more', 1).describe('How many devices'),
  site: id('an id of a site').optional().describe('Site where they are; default: where the CDN is'),
  client: word(['windows', 'linux']).default('windows').describe('Which real client they behave like'),
  cacheHosts: list('ids of nodes', id('an id of a node'))
    .prefault([])
    .describe('Nodes, in the order in which they are tried; empty: straight to the CDN'),
  downlink: downlinkSchema
    .optional()
    .describe('What one device can receive over all its connections; default: not limited'),
  line: lineSchema.optional().describe('What goes wrong on the way to the devices (live world only); default: nothing'),
  wants: list('ids of content', id('an id of the content'), 1).describe('Content that each device downloads'),
  arrive: arriveSchema.prefault({}).describe('When the devices arrive; default: all at 0'),
  policy: policySchema.prefault({}).describe('Download policies of the devices'),
  connectionsPerFile: whole('a whole number of connections, 1 to 16', 1, 16)
    .optional()
    .describe('Connections that a device uses for one file; default: as the client profile has it'),
});
