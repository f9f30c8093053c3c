// The one schema of scenario files: every key, its form, default and meaning. It turns what users write (values with
// units) into a Scenario (inner units), and is the source of the JSON Schema. What links one entry to another (ids,
// order of events) is checked by cross-checks.ts.

import { z } from 'zod';
import { parseAddress } from '../../common/address.ts';
import { expectationExample, parseExpectation } from '../judge/expectation.ts';
import type { CdnFault, Scenario, ScenarioEvent } from './scenario.ts';
import { id, keys, list, type ProblemParams, quantity, quantityOr, text, whole, word } from './values.ts';

export type {
  Arrival,
  CdnFault,
  CdnFaultEvent,
  CdnSpec,
  ContentSpec,
  DownloadPolicySpec,
  FleetGroup,
  LiveWindow,
  NodeLimit,
  NodeSpec,
  Scenario,
  ScenarioEvent,
} from './scenario.ts';

/** The host of content that names none. */
export const defaultContentHost = 'au.download.windowsupdate.com';

/** The path of content that names none. */
export const defaultContentPath = (contentId: string): string => `/filestreamingservice/files/${contentId}`;

const hostPattern =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

const contentSchema = keys('one file that devices want', {
  id: id('an id of the content').describe('Name of the content in this file'),
  size: quantity('bytes', 'aboveZero').describe('Size, e.g. 2 GB'),
  host: text('a host name without scheme and port', hostPattern)
    .default(defaultContentHost)
    .describe('Host of its URL'),
  path: text('a path that begins with "/", without spaces and "#"', /^\/[^\s#]*$/)
    .optional()
    .describe('Path of its URL; default /filestreamingservice/files/<id>'),
}).transform(({ size, host, path, ...rest }) => ({
  ...rest,
  sizeBytes: size,
  host: host.toLowerCase(),
  path: path ?? defaultContentPath(rest.id),
}));

const cdnSchema = keys('the content delivery network', {
  egress: quantity('rate', 'aboveZero').optional().describe('Most it sends in all; default: not limited'),
  latency: quantity('duration', 'zeroOrMore').prefault('0 ms').describe('Waited before the head of each answer'),
  listen: text('an address of the form 127.0.0.1:9000', /^[^\s:]+:[0-9]{1,5}$/)
    .refine((address) => parseAddress(address) !== undefined, { error: 'an address of the form 127.0.0.1:9000' })
    .transform((address) => parseAddress(address))
    .optional()
    .describe('Where the CDN listens in the live world, for nodes given by url; default: a free port'),
}).transform(({ egress, latency, listen }) => ({ egressBytesPerMs: egress, latencyMs: latency, listen }));

const limitSchema = keys('limits that hold in both worlds', {
  egress: quantity('rate', 'aboveZero').optional().describe('Most body bytes that the node may send to clients'),
}).transform(({ egress }) => ({ egressBytesPerMs: egress }));

const nodeSchema = keys('one cache node', {
  id: id('an id of the node').describe('Name of the node in this file'),
  profile: id('the name of a hardware profile').optional().describe('Hardware profile; binds the virtual world'),
  egress: quantity('rate', 'aboveZero').optional().describe('Modelled rate to clients; binds the virtual world'),
  wan: quantity('rate', 'aboveZero').optional().describe('Modelled rate from upstream; binds the virtual world'),
  drives: list('drive sizes such as 50 GB', quantity('bytes', 'aboveZero'), 1)
    .max(9, { error: 'at most 9 drives' })
    .optional()
    .describe('Modelled drives, one size each; binds the virtual world'),
  cores: whole('a whole number of cores, 1 to 1024', 1, 1024)
    .optional()
    .describe('Modelled processor cores; binds the virtual world'),
  limit: limitSchema.optional().describe('Enforced in both worlds'),
  url: text('an address of the form http://host or http://host:port', /^http:\/\/[^\s/?#@]+\/?$/)
    .refine((url) => URL.canParse(url), { error: 'an address of the form http://host or http://host:port' })
    .transform((url) => url.replace(/\/$/, ''))
    .optional()
    .describe('A node that we did not start; live world only'),
  parent: id('an id of a node').optional().describe('The node that this one fetches from; default: the CDN'),
}).transform(({ egress, wan, drives, ...rest }) => ({
  ...rest,
  egressBytesPerMs: egress,
  wanBytesPerMs: wan,
  drivesBytes: drives,
}));

const arriveSchema = keys('the arrival of devices', {
  at: quantity('duration', 'zeroOrMore').prefault('0 s').describe('When the first may arrive'),
  over: quantity('duration', 'zeroOrMore').prefault('0 s').describe('Evenly at random from `at` until this much later'),
}).transform(({ at, over }) => ({ atMs: at, overMs: over }));

/** 0 to 30 d, as the policy's own range (2,592,000 s). */
const fallbackDelay = quantity('duration', 'zeroOrMore').refine((delayMs) => delayMs <= 30 * 86_400_000, {
  error: 'a duration from 0 s to 30 d',
});

const policySchema = keys('download policies', {
  priority: word(['background', 'foreground']).default('background').describe('Priority of the downloads'),
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
}).transform((policy) => ({
  priority: policy.priority,
  fallbackDelayBackgroundMs: policy.fallbackDelayBackground,
  fallbackDelayForegroundMs: policy.fallbackDelayForeground,
  maxBackgroundDownloadBytesPerMs: policy.maxBackgroundDownload,
  maxForegroundDownloadBytesPerMs: policy.maxForegroundDownload,
}));

const groupSchema = keys('one group of devices', {
  id: id('an id of the group').describe('Name of the group in this file'),
  devices: whole('a whole number of devices, 1 or more', 1).describe('How many devices'),
  client: word(['windows', 'linux']).default('windows').describe('Which real client they behave like'),
  cacheHosts: list('ids of nodes', id('an id of a node'))
    .prefault([])
    .describe('Nodes, in the order in which they are tried; empty: straight to the CDN'),
  downlink: quantity('rate', 'aboveZero')
    .optional()
    .describe('Modelled rate that one device can receive; binds the virtual world; default: not limited'),
  wants: list('ids of content', id('an id of the content'), 1).describe('Content that each device downloads'),
  arrive: arriveSchema.prefault({}).describe('When the devices arrive; default: all at 0'),
  policy: policySchema.prefault({}).describe('Download policies of the devices'),
  connectionsPerFile: whole('a whole number of connections, 1 to 16', 1, 16)
    .optional()
    .describe('Connections that a device uses for one file; default: as the client profile has it'),
}).transform(({ downlink, ...rest }) => ({ ...rest, downlinkBytesPerMs: downlink }));

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
const wanLink = text('a link of the form <node>.wan', /^[A-Za-z0-9][A-Za-z0-9_-]*\.wan$/);

/** What an event may do; each event does exactly one (cross-checks.ts says so when it does not). */
const actionShape = {
  kill: nodeId.optional().describe('kill -9 of the node, owner and workers'),
  restart: nodeId.optional().describe('Start a killed node again on the same port and drives'),
  freeze: nodeId.optional().describe('SIGSTOP of the node: connections hang'),
  thaw: nodeId.optional().describe('SIGCONT of a frozen node'),
  cut: wanLink.optional().describe('Cut the WAN link of a node: <node>.wan'),
  join: wanLink.optional().describe('Join a cut WAN link again: <node>.wan'),
  cdn: faultSchema.optional().describe('Let the CDN misbehave'),
  version: id('an id of the content').optional().describe('Give the content new bytes and validators'),
};

/** Keys of an event beside `at`. */
export const eventActions: readonly string[] = Object.keys(actionShape);

const eventSchema = keys('one event', {
  at: quantity('duration', 'zeroOrMore').describe('When, from the start of the run'),
  ...actionShape,
})
  // `at` and exactly one action; for editors only, the loader has a better message.
  .meta({ minProperties: 2, maxProperties: 2 })
  .transform((written): ScenarioEvent | undefined => {
    const atMs = written.at;
    const nodeOf = (link: string): string => link.slice(0, -'.wan'.length);
    if (written.kill !== undefined) return { kind: 'kill', atMs, node: written.kill };
    if (written.restart !== undefined) return { kind: 'restart', atMs, node: written.restart };
    if (written.freeze !== undefined) return { kind: 'freeze', atMs, node: written.freeze };
    if (written.thaw !== undefined) return { kind: 'thaw', atMs, node: written.thaw };
    if (written.cut !== undefined) return { kind: 'cut', atMs, node: nodeOf(written.cut), link: 'wan' };
    if (written.join !== undefined) return { kind: 'join', atMs, node: nodeOf(written.join), link: 'wan' };
    if (written.cdn?.fault !== undefined) return { kind: 'cdn', atMs, ...written.cdn, fault: written.cdn.fault };
    if (written.version !== undefined) return { kind: 'version', atMs, content: written.version };
    return undefined;
  });

const liveSchema = keys('the window of the live world', {
  window: quantity('duration', 'aboveZero').describe('How long it measures'),
  demand: quantityOr('max', 'rate', 'aboveZero').describe('What the whole fleet asks for, or max'),
}).transform(({ window, demand }) => ({ windowMs: window, demandBytesPerMs: demand }));

const worldWord = word(['live', 'virtual']);

const expectationSchema = z
  .union(
    [
      z.string().describe(expectationExample),
      keys('an expectation', {
        world: worldWord.optional().describe('Judge it in this world only'),
        that: text(expectationExample).describe(expectationExample),
      }),
    ],
    { error: `${expectationExample}, or { world, that }` },
  )
  .transform((written, context) => {
    const isText = typeof written === 'string';
    const parsed = isText ? parseExpectation(written) : parseExpectation(written.that, written.world);
    if (parsed.kind === 'expectation') return parsed.expectation;
    const { expected, found, didYouMean } = parsed.problem;
    const params: ProblemParams = { found, didYouMean };
    context.addIssue({ code: 'custom', message: expected, params, path: isText ? [] : ['that'] });
    return z.NEVER;
  });

/** The schema of a scenario file. Its output is a {@link Scenario}; its input form is the JSON Schema. */
export const scenarioSchema = keys('a scenario', {
  name: text('a name of the scenario').describe('Name, as a report shows it'),
  source: text('a text').optional().describe('Where the claim comes from'),
  description: text('a text').optional().describe('What the scenario is about'),
  question: text('a text').optional().describe('The question that it answers'),
  seed: whole('a whole number, 0 or more', 0).default(1).describe('Seed of everything that is random'),
  content: list('content', contentSchema, 1).describe('Files that devices want'),
  cdn: cdnSchema.prefault({}).describe('The content delivery network'),
  nodes: list('nodes', nodeSchema).prefault([]).describe('Cache nodes'),
  fleet: list('groups of devices', groupSchema, 1).describe('Groups of devices'),
  events: list('events', eventSchema).prefault([]).describe('What happens during the run'),
  live: liveSchema.optional().describe('What the live world samples; default: the scenario as it stands'),
  expect: list('expectations', expectationSchema).prefault([]).describe('What must hold'),
  expected: word(['pass', 'fail']).default('pass').describe('fail: the scenario shows something that does not work'),
}).transform(
  ({ events, ...rest }): Scenario => ({
    ...rest,
    events: events.filter((event) => event !== undefined).sort((left, right) => left.atMs - right.atMs),
  }),
);

/** The JSON Schema of scenario files (draft 2020-12), as text that ends with a line feed. */
export function scenarioJsonSchema(): string {
  const schema = z.toJSONSchema(scenarioSchema, { io: 'input' });
  return `${JSON.stringify({ title: 'Scenario of the Delivery Optimization simulator', ...schema }, null, 2)}\n`;
}
