// The one schema of scenario files: every key, its form, default and meaning. It turns what users write (values with
// units) into a Scenario (inner units), and is the source of the JSON Schema. What links one entry to another (ids,
// order of events) is checked by cross-checks.ts. Places, fleet, events and replays have files of their own.

import { z } from 'zod';
import { parseAddress } from '../../common/address.ts';
import { expectationExample, parseExpectation } from '../judge/expectation.ts';
import { eventSchema } from './event-schema.ts';
import { groupSchema } from './fleet-schema.ts';
import { isObject } from './outline.ts';
import { nodeSchema, siteSchema } from './place-schema.ts';
import { replayedGroupSchema, replaySchema } from './replay-schema.ts';
import type { Scenario, ScenarioEvent } from './scenario.ts';
import { id, keys, list, type ProblemParams, quantity, quantityOr, text, timeOfDay, whole, word } from './values.ts';

/** The host of content that names none. */
export const defaultContentHost = 'au.download.windowsupdate.com';

/** The path of content that names none. */
export const defaultContentPath = (contentId: string): string => `/filestreamingservice/files/${contentId}`;

const hostPattern =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

const hostSchema = text('a host name without scheme and port', hostPattern)
  .transform((host) => host.toLowerCase())
  .prefault(defaultContentHost);

const contentSchema = keys('one file that devices want', {
  id: id('an id of the content').describe('Name of the content in this file'),
  size: quantity('bytes', 'aboveZero').describe('Size, e.g. 2 GB'),
  host: hostSchema.describe('Host of its URL'),
  path: text('a path that begins with "/", without spaces and "#"', /^\/[^\s#]*$/)
    .optional()
    .describe('Path of its URL; default /filestreamingservice/files/<id>'),
}).transform(({ size, path, ...rest }) => ({
  ...rest,
  sizeBytes: size,
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

const liveSchema = keys('the window of the live world', {
  window: quantity('duration', 'aboveZero').describe('How long the fleet asks'),
  demand: quantityOr('max', 'rate', 'aboveZero').describe('What the whole fleet asks for, or max'),
  warmUp: quantity('duration', 'zeroOrMore')
    .optional()
    .describe('First part of the window that sustained and mean rates, and times, leave out; default: none'),
}).transform(({ window, demand, warmUp }) => ({ windowMs: window, demandBytesPerMs: demand, warmUpMs: warmUp }));

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

/** What every scenario may say, before and after what differs. */
const headShape = {
  name: text('a name of the scenario').describe('Name, as a report shows it'),
  source: text('a text').optional().describe('Where the claim comes from'),
  description: text('a text').optional().describe('What the scenario is about'),
  question: text('a text').optional().describe('The question that it answers'),
  worlds: list('worlds', worldWord, 1).prefault(['live', 'virtual']).describe('Worlds that it runs in; default: both'),
  seed: whole('a whole number, 0 or more', 0).default(1).describe('Seed of everything that is random'),
};
const cdnKey = cdnSchema.prefault({}).describe('The content delivery network');
const nodesKey = list('nodes', nodeSchema).prefault([]).describe('Cache nodes');
const eventsKey = list('events', eventSchema).prefault([]).describe('What happens during the run');
const replayKey = replaySchema(hostSchema).describe('A recorded access log that is replayed');
const tailShape = {
  bodies: word(['verify', 'discard'])
    .default('verify')
    .describe('discard: devices of the live world drop what they receive unseen, for more of it'),
  expect: list('expectations', expectationSchema).prefault([]).describe('What must hold'),
  expected: word(['pass', 'fail']).default('pass').describe('fail: the scenario shows something that does not work'),
};

const fleetScenarioSchema = keys('a scenario', {
  ...headShape,
  content: list('content', contentSchema, 1).describe('Files that devices want'),
  cdn: cdnKey,
  sites: list('sites', siteSchema).prefault([]).describe('Places with a link of their own; bind the virtual world'),
  nodes: nodesKey,
  fleet: list('groups of devices', groupSchema, 1).describe('Groups of devices'),
  startsAt: timeOfDay.prefault('00:00').describe('Time of day at the start of the run, for limited hours'),
  events: eventsKey,
  live: liveSchema.optional().describe('What the live world samples; default: the scenario as it stands'),
  replay: replayKey.optional(),
  ...tailShape,
}).transform(({ events, startsAt, ...rest }): Scenario => ({ ...rest, startsAtMs: startsAt, events: inOrder(events) }));

const oneGroup = 'a list of one group: the devices of the log';

/** A log says what is wanted by whom and when. */
const replayScenarioSchema = keys('a scenario that replays a log', {
  ...headShape,
  cdn: cdnKey,
  nodes: nodesKey,
  fleet: list('groups of devices', replayedGroupSchema).length(1, { error: oneGroup }).describe(oneGroup),
  events: eventsKey,
  replay: replayKey,
  ...tailShape,
}).transform(
  ({ events, ...rest }): Scenario => ({ ...rest, content: [], sites: [], startsAtMs: 0, events: inOrder(events) }),
);

function inOrder(events: readonly (ScenarioEvent | undefined)[]): ScenarioEvent[] {
  return events.filter((event) => event !== undefined).sort((left, right) => left.atMs - right.atMs);
}

/** The schema of a document: one with the key `replay` has fewer keys. Its output is a {@link Scenario}. */
export function scenarioSchemaOf(document: unknown): z.ZodType<Scenario> {
  return isObject(document) && document['replay'] !== undefined ? replayScenarioSchema : fleetScenarioSchema;
}

/** The JSON Schema of scenario files (draft 2020-12), as text that ends with a line feed. */
export function scenarioJsonSchema(): string {
  const { $schema, ...ofFleet } = z.toJSONSchema(fleetScenarioSchema, { io: 'input' });
  const { $schema: _, ...ofReplay } = z.toJSONSchema(replayScenarioSchema, { io: 'input' });
  const title = 'Scenario of the Delivery Optimization simulator';
  const choice = [
    ['if', { required: ['replay'] }],
    ['then', ofReplay],
    ['else', ofFleet],
  ];
  return `${JSON.stringify({ title, $schema, ...Object.fromEntries(choice) }, null, 2)}\n`;
}
