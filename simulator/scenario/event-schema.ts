// The keys of events: what happens to nodes, links, the CDN, content and policies during a run.

import { z } from 'zod';
import { policyChangeSchema } from './fleet-schema.ts';
import type { CdnFault, LinkName, ScenarioEvent } from './scenario.ts';
import { id, keys, quantity, text, whole } from './values.ts';

const faultFlag = z.literal(true, { error: 'true' }).optional();

/** What the CDN may do wrong; each fault does exactly one (cross-checks.ts says so when it does not). */
const faultKindShape = {
  status: whole('a status from 400 to 599', 400, 599).optional().describe('Answer with this status and no content'),
  delay: quantity('duration', 'aboveZero').optional().describe('Wait this long before the head, beside the latency'),
  stall: faultFlag.describe('Fall silent and keep the connection, until the fault is over'),
  reset: faultFlag.describe('Reset the connection'),
  shortBody: faultFlag.describe('Declare the full length, but close the connection early'),
  wrongContentRange: faultFlag.describe('Name a range other than the one that is sent'),
};

/** The kinds of fault of the CDN, as keys. */
export const faultKinds: readonly string[] = Object.keys(faultKindShape);

const faultSchema = keys('a fault of the CDN', {
  ...faultKindShape,
  after: quantity('bytes', 'zeroOrMore')
    .optional()
    .describe('Body bytes sent before a stall, a reset (default: not even the head) or the end of a short body (half)'),
  for: quantity('duration', 'aboveZero').optional().describe('How long; default: until the end of the run'),
  content: id('an id of the content').optional().describe('Only requests for this content; default: all'),
  count: whole('a whole number of requests, 1 or more', 1)
    .optional()
    .describe('Only the next so many requests; default: all'),
}).transform((written) => ({
  fault: faultOf(written),
  forMs: written.for,
  content: written.content,
  count: written.count,
}));

function faultOf(written: {
  readonly status?: number | undefined;
  readonly delay?: number | undefined;
  readonly stall?: true | undefined;
  readonly reset?: true | undefined;
  readonly shortBody?: true | undefined;
  readonly wrongContentRange?: true | undefined;
  readonly after?: number | undefined;
}): CdnFault | undefined {
  const afterBytes = written.after;
  if (written.status !== undefined) return { kind: 'status', status: written.status };
  if (written.delay !== undefined) return { kind: 'delay', delayMs: written.delay };
  if (written.stall === true) return { kind: 'stall', afterBytes };
  if (written.reset === true) return { kind: 'reset', afterBytes };
  if (written.shortBody === true) return { kind: 'shortBody', afterBytes };
  if (written.wrongContentRange === true) return { kind: 'wrongContentRange' };
  return undefined;
}

const nodeId = id('an id of a node');
const link = text('a link of the form <node>.wan or <site>.link', /^[A-Za-z0-9][A-Za-z0-9_-]*\.(wan|link)$/).transform(
  (written): LinkName => {
    const [id = '', kind] = written.split('.');
    return kind === 'wan' ? { kind: 'wan', node: id } : { kind: 'site', site: id };
  },
);

const narrowSchema = keys('a link that carries less', {
  link: link.describe('The link: <node>.wan or <site>.link'),
  to: quantity('rate', 'aboveZero').describe('What it still carries'),
  for: quantity('duration', 'aboveZero').optional().describe('How long; default: until a join or the end of the run'),
});

/** What an event may do; each event does exactly one (cross-checks.ts says so when it does not). */
const actionShape = {
  kill: nodeId.optional().describe('kill -9 of the node, owner and workers'),
  restart: nodeId.optional().describe('Start a killed node again on the same port and drives'),
  freeze: nodeId.optional().describe('SIGSTOP of the node: connections hang'),
  thaw: nodeId.optional().describe('SIGCONT of a frozen node'),
  cut: link.optional().describe('Cut a link: <node>.wan or <site>.link'),
  join: link.optional().describe('Join a cut or narrowed link again, at its full rate'),
  narrow: narrowSchema.optional().describe('Let a link carry less'),
  drain: nodeId.optional().describe('SIGTERM of the node: it takes no new request, and finishes those it has'),
  loseDrive: nodeId.optional().describe('One of the drives of the node fails, with what it held'),
  policy: policyChangeSchema.optional().describe('Tell the devices of a group other policies'),
  cdn: faultSchema.optional().describe('Let the CDN misbehave'),
  version: id('an id of the content').optional().describe('Give the content new bytes and validators'),
};

/** Keys of an event beside `at`. */
export const eventActions: readonly string[] = Object.keys(actionShape);

export const eventSchema = keys('one event', {
  at: quantity('duration', 'zeroOrMore').describe('When, from the start of the run'),
  ...actionShape,
})
  // `at` and exactly one action; for editors only, the loader has a better message.
  .meta({ minProperties: 2, maxProperties: 2 })
  .transform((written): ScenarioEvent | undefined => {
    const atMs = written.at;
    if (written.kill !== undefined) return { kind: 'kill', atMs, node: written.kill };
    if (written.restart !== undefined) return { kind: 'restart', atMs, node: written.restart };
    if (written.freeze !== undefined) return { kind: 'freeze', atMs, node: written.freeze };
    if (written.thaw !== undefined) return { kind: 'thaw', atMs, node: written.thaw };
    if (written.cut !== undefined) return { kind: 'cut', atMs, link: written.cut };
    if (written.join !== undefined) return { kind: 'join', atMs, link: written.join };
    if (written.narrow !== undefined) {
      const { link: name, to, for: forMs } = written.narrow;
      return { kind: 'narrow', atMs, link: name, toBytesPerMs: to, forMs };
    }
    if (written.drain !== undefined) return { kind: 'drain', atMs, node: written.drain };
    if (written.loseDrive !== undefined) return { kind: 'loseDrive', atMs, node: written.loseDrive };
    if (written.policy !== undefined) return { kind: 'policy', atMs, ...written.policy };
    if (written.cdn?.fault !== undefined) return { kind: 'cdn', atMs, ...written.cdn, fault: written.cdn.fault };
    if (written.version !== undefined) return { kind: 'version', atMs, content: written.version };
    return undefined;
  });
