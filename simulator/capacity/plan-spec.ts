// What a capacity plan asks, as users write it (a short YAML file, or options of `sim plan`), and in inner units.

import type { HardwareProfile } from '../scenario/profile.ts';
import { id, keys, list, quantity, quantityOr, text, whole, word } from '../scenario/values.ts';

export type PlanSpec = {
  readonly name: string;
  readonly question?: string | undefined;
  readonly source?: string | undefined;
  readonly seed: number;
  /** One size a file. */
  readonly payloadBytes: readonly number[];
  readonly deadlineMs: number;
  readonly arriveOverMs: number;
  readonly client: 'windows' | 'linux';
  /** Of sites with several nodes: how long devices go round them before they turn to the CDN. */
  readonly fallbackDelayMs: number | undefined;
  readonly cdnEgressBytesPerMs: number | undefined;
  readonly cdnLatencyMs: number;
  /** Smallest first. */
  readonly classes: readonly HardwareProfile[];
  readonly nodesMax: number;
  readonly sites: readonly SiteSpec[];
};

/** A kind of site: `count` of them, each with so many devices. */
export type SiteSpec = {
  readonly id: string;
  readonly count: number;
  readonly devices: number;
  readonly linkBytesPerMs: number | undefined;
  readonly downlinkBytesPerMs: number | undefined;
};

/** The classes of the current table (general availability), smallest first. */
export const defaultClasses = ['branch-enterprise-2025', 'medium-enterprise-2025', 'large-enterprise-2025'];

const siteSchema = keys('one kind of site', {
  id: id('an id of the site').describe('Name of the kind of site'),
  count: whole('a whole number of sites, 1 to 10000', 1, 10_000).default(1).describe('How many such sites; default 1'),
  devices: whole('a whole number of devices, 1 to 5000000', 1, 5_000_000).describe('Devices at each of them'),
  link: quantity('rate', 'aboveZero').optional().describe('WAN link of each, each way; default: not limited'),
  downlink: quantity('rate', 'aboveZero').optional().describe('What one device can receive; default: not limited'),
}).transform(({ link, downlink, ...rest }) => ({ ...rest, linkBytesPerMs: link, downlinkBytesPerMs: downlink }));

const payloadSize = quantity('bytes', 'aboveZero');

/** The schema of plan files. Classes are names of hardware profiles, which the loader reads. */
export const planSchema = keys('a capacity plan', {
  name: text('a name of the plan').default('Capacity plan').describe('Name, as the page shows it'),
  question: text('a text').optional().describe('The question that it answers'),
  source: text('a text').optional().describe('Where the figures come from'),
  seed: whole('a whole number, 0 or more', 0).default(1).describe('Seed of the arrivals; default 1'),
  payload: list('sizes of files, such as 2 GB', payloadSize, 1)
    .max(100, { error: 'at most 100 files' })
    .describe('What each device fetches: a size, or a list of sizes of files'),
  deadline: quantity('duration', 'aboveZero').describe('From the first arrival until everybody has everything'),
  arrive: quantity('duration', 'zeroOrMore')
    .prefault('0 s')
    .describe('Devices arrive evenly at random over so long; default: all at once'),
  client: word(['windows', 'linux']).default('windows').describe('Which real client the devices behave like'),
  fallbackDelay: quantityOr('none', 'duration', 'zeroOrMore')
    .optional()
    .describe('Where a site has several nodes: DODelayCacheServerFallback…, or none; default: the deadline'),
  cdn: keys('the content delivery network', {
    egress: quantity('rate', 'aboveZero').optional().describe('Most it sends to all sites; default: not limited'),
    latency: quantity('duration', 'zeroOrMore').prefault('20 ms').describe('Before each answer; default 20 ms'),
  })
    .prefault({})
    .describe('The content delivery network'),
  classes: list('names of hardware profiles', id('the name of a hardware profile'), 1)
    .prefault(defaultClasses)
    .describe('Classes of node to choose from, smallest first; default: the three of the current enterprise table'),
  nodesMax: whole('a whole number of nodes, 1 to 64', 1, 64).default(16).describe('Most nodes at one site; default 16'),
  sites: list('kinds of sites', siteSchema, 1)
    .max(50, { error: 'at most 50 kinds of sites' })
    .describe('Where devices are'),
});
