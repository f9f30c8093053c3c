// What Microsoft's documents say of sizes of nodes, beside what was computed, and why the two differ. The figures are those of the
// pages that are named; nothing here is computed into a plan.

import { formatBitsPerSecond, formatBytes, formatCount, formatDuration } from '../../common/units.ts';
import type { Candidate, Documented, Figures, NeededRate } from '../result/capacity-plan.ts';
import { bodyPerWireRatioDefault } from '../scenario/profile-schema.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';

const overview = 'Microsoft Connected Cache for Enterprise and Education, overview (2025)';
const prerequisites = 'Microsoft Connected Cache for Enterprise and Education, prerequisites (July 2025)';
const headline = 'Microsoft Connected Cache for Enterprises (preview), hardware recommendation';
const provider = 'Microsoft Connected Cache for Internet Service Providers, frequently asked questions (2024)';

/** Peak egress of a class: as much as `from`, and less than the next class begins with. */
type EgressRange = { readonly egressBitsPerSecond: readonly [from: number, to: number] };

type DocumentedClass = EgressRange & {
  readonly profile: string;
  readonly name: string;
  readonly devices: readonly [from: number, to: number];
  readonly nicBitsPerSecond: number;
  /** The least that the table has. */
  readonly driveBytes: number;
  readonly drivesText: string;
};

/** Overview (devices, peak rate) and prerequisites (card, free disk) of the current table. */
const enterpriseClasses: readonly DocumentedClass[] = [
  {
    ...{ profile: 'branch-enterprise-2025', name: 'branch office', devices: [10, 50] },
    ...{ egressBitsPerSecond: [0, 1e9], nicBitsPerSecond: 1e9, driveBytes: 100e9, drivesText: '100 GB' },
  },
  {
    ...{ profile: 'medium-enterprise-2025', name: 'small to medium enterprise', devices: [50, 500] },
    ...{ egressBitsPerSecond: [1e9, 5e9], nicBitsPerSecond: 5e9, driveBytes: 500e9, drivesText: '500 GB' },
  },
  {
    ...{ profile: 'large-enterprise-2025', name: 'large enterprise', devices: [500, 5000] },
    ...{ egressBitsPerSecond: [5e9, 10e9], nicBitsPerSecond: 10e9, driveBytes: 400e9 },
    drivesText: 'two drives of 200 to 500 GB',
  },
];

/** Peak egress of the classes for internet providers. */
const providerClasses: readonly (EgressRange & { readonly name: string })[] = [
  { name: 'edge', egressBitsPerSecond: [0, 5e9] },
  { name: 'metro', egressBitsPerSecond: [5e9, 20e9] },
  { name: 'data center', egressBitsPerSecond: [20e9, 40e9] },
];

/** The overview's table of volumes counts so long. */
const volumeMs = 8 * 3_600_000;
/** 35,000 devices, 2 GB each, in 24 hours by one node of 6.5 Gbit/s. */
const headlineBitsPerSecond = 6.5e9;
/** The network card of the preview's larger class, in its table of minimum requirements. */
const previewCardBitsPerSecond = 5e9;
/** Computed and documented figures that differ by less agree. */
const agreementRatio = 0.05;

export type DocumentedTerms = {
  readonly spec: PlanSpec;
  readonly site: SiteSpec;
  readonly chosen: Candidate;
  readonly rate: NeededRate | undefined;
  readonly withoutNodes: Figures;
};

export function documentedBeside(terms: DocumentedTerms): Documented[] {
  const all = [
    byDevices(terms),
    byRate(terms),
    byHeadline(terms),
    byPreviewCard(terms),
    byLink(terms),
    byDrive(terms),
    byProvider(terms),
  ];
  return all.filter((each) => each !== undefined);
}

const bytesOf = ({ payloadBytes }: PlanSpec, { devices }: SiteSpec): number =>
  devices * payloadBytes.reduce((sum, size) => sum + size, 0);

const nodesText = ({ nodes }: Candidate, spec: PlanSpec, classId: string): string =>
  `${nodes} × ${spec.classes.find(({ id }) => id === classId)?.name ?? classId}`;

/** What all nodes of the site have to send together: all bytes within the deadline. */
const demandBitsPerSecond = ({ spec, site }: DocumentedTerms): number => (bytesOf(spec, site) * 8000) / spec.deadlineMs;

/** Undefined above the largest class. */
function classOfRate<T extends EgressRange>(classes: readonly T[], bitsPerSecond: number): T | undefined {
  const found = classes.findLast(({ egressBitsPerSecond: [from] }) => bitsPerSecond >= from);
  return found !== undefined && bitsPerSecond <= found.egressBitsPerSecond[1] ? found : undefined;
}

function rangeText({ egressBitsPerSecond: [from, to] }: EgressRange): string {
  return from === 0 ? `below ${formatBitsPerSecond(to)}` : `${formatBitsPerSecond(from)} to ${formatBitsPerSecond(to)}`;
}

/** Body bytes that a card carries, framing taken off. */
const carriedOf = (cardBitsPerSecond: number): number => cardBitsPerSecond * bodyPerWireRatioDefault;

function byDevices(terms: DocumentedTerms): Documented {
  const { spec, site, chosen } = terms;
  const meant = enterpriseClasses.find(({ devices: [, most] }) => site.devices <= most);
  const most = enterpriseClasses.at(-1)?.devices[1] ?? 0;
  const says =
    meant === undefined
      ? `no class: the largest is for ${formatCount(most)} devices`
      : `${formatCount(site.devices)} devices: one node of the class “${meant.name}” (${meant.devices.map(formatCount).join(' to ')})`;
  const agrees = meant !== undefined && chosen.nodes === 1 && chosen.classId === meant.profile;
  const asked = `${formatBytes(bytesOf(spec, site))} within ${formatDuration(spec.deadlineMs)} is ${formatBitsPerSecond(demandBitsPerSecond(terms))} on average`;
  return {
    source: overview,
    says,
    computed: nodesText(chosen, spec, chosen.classId),
    agrees,
    why: agrees ? `${asked}.` : `The table counts devices, whatever they fetch and by when; here ${asked}.`,
  };
}

function byRate({ chosen, rate, spec }: DocumentedTerms): Documented | undefined {
  if (rate === undefined) return undefined;
  const bits = rate.egressBitsPerSecond;
  const meant = classOfRate(enterpriseClasses, bits);
  const computed = `${formatBitsPerSecond(bits)} a node; ${nodesText(chosen, spec, chosen.classId)}`;
  if (meant === undefined) {
    const says = `no class sends ${formatBitsPerSecond(bits)}: the largest ends at 10.0 Gbit/s`;
    return { source: overview, says, computed, agrees: false, why: 'The plan has a larger class, or several nodes.' };
  }
  const says = `${formatBitsPerSecond(bits)} at peak: the class “${meant.name}” (${rangeText(meant)}; card of ${formatBitsPerSecond(meant.nicBitsPerSecond)})`;
  const carried = carriedOf(meant.nicBitsPerSecond);
  if (bits > carried) {
    const why = `A card of ${formatBitsPerSecond(meant.nicBitsPerSecond)} carries ${formatBitsPerSecond(carried)} of content: 1,448 of the 1,538 bytes of a packet.`;
    return { source: overview, says, computed, agrees: false, why };
  }
  const agrees = chosen.classId === meant.profile;
  const isIn = spec.classes.some(({ id }) => id === meant.profile);
  const why = agrees
    ? 'Its card carries that, framing included.'
    : isIn
      ? 'The plan takes the fewest nodes, and a larger one where fewer of it are enough; or what limits is not the card.'
      : `That class is not among those of the plan.`;
  return { source: overview, says, computed, agrees, why };
}

function byHeadline(terms: DocumentedTerms): Documented {
  const { spec, chosen } = terms;
  const demand = demandBitsPerSecond(terms);
  const nodes = Math.max(1, Math.ceil((demand / headlineBitsPerSecond) * (1 - 1e-9)));
  const agrees = nodes === chosen.nodes;
  return {
    source: headline,
    says: `a node sends 6.5 Gbit/s (about 35,000 devices, 2 GB each, in 24 h): ${nodes} here`,
    computed: nodesText(chosen, spec, chosen.classId),
    agrees,
    why: agrees
      ? `${formatBitsPerSecond(demand)} on average.`
      : 'The headline has all bytes flow evenly until the deadline, from a node that sends more than the 5 Gbit/s card of its own table; the plan has the class’s card, the arrivals, and the link over which nodes fill.',
  };
}

/** The same page's table: its larger class has less of a card than its headline needs. */
function byPreviewCard({ rate }: DocumentedTerms): Documented | undefined {
  if (rate === undefined) return undefined;
  const carried = carriedOf(previewCardBitsPerSecond);
  const agrees = rate.egressBitsPerSecond <= carried;
  return {
    source: headline,
    says: `a large enterprise needs a card of at least ${formatBitsPerSecond(previewCardBitsPerSecond)} (its table)`,
    computed: `each node has to send ${formatBitsPerSecond(rate.egressBitsPerSecond)}`,
    agrees,
    why: agrees
      ? `It carries ${formatBitsPerSecond(carried)} of content.`
      : `It carries ${formatBitsPerSecond(carried)} of content, less than this takes, and than the 6.5 Gbit/s of the same page's headline.`,
  };
}

function byLink({ spec, site, withoutNodes }: DocumentedTerms): Documented | undefined {
  const { linkBytesPerMs: link } = site;
  if (link === undefined) return undefined;
  const volume = link * volumeMs;
  const documentedMs = (bytesOf(spec, site) / volume) * volumeMs;
  const { finishMs } = withoutNodes;
  const ratio = finishMs === undefined ? Number.POSITIVE_INFINITY : finishMs / documentedMs;
  const agrees = Math.abs(ratio - 1) <= agreementRatio;
  const asArrivals = 'Devices arrive over some time, and their own links or the CDN may limit before the WAN does.';
  return {
    source: overview,
    says: `${formatBitsPerSecond(link * 8000)} is ${formatBytes(volume)} in 8 h: ${formatDuration(documentedMs)} for all of it without a node`,
    computed: finishMs === undefined ? 'it never ends' : `${formatDuration(finishMs)} without a node`,
    agrees,
    why: agrees ? 'Without a node every byte comes over the link.' : asArrivals,
  };
}

function byDrive({ spec, chosen }: DocumentedTerms): Documented | undefined {
  const { storedBytes } = chosen.figures;
  const meant = enterpriseClasses.find(({ profile }) => profile === chosen.classId);
  if (storedBytes === undefined || meant === undefined) return undefined;
  const agrees = storedBytes <= meant.driveBytes;
  const { name } = spec.classes.find(({ id }) => id === chosen.classId) ?? meant;
  return {
    source: prerequisites,
    says: `${meant.drivesText} for ${name}, never less than 100 GB`,
    computed: `${formatBytes(storedBytes)} stored for this plan`,
    agrees,
    why: agrees
      ? 'The plan stores its own payload; what else devices fetch within 30 days is stored as well.'
      : 'The payload is larger than the documented drive: what nobody has used for longest is fetched again.',
  };
}

function byProvider(terms: DocumentedTerms): Documented {
  const { spec, chosen } = terms;
  const demand = demandBitsPerSecond(terms);
  const meant = classOfRate(providerClasses, demand);
  const agrees = meant !== undefined && chosen.nodes === 1;
  return {
    source: provider,
    says:
      meant === undefined
        ? `no class for ${formatBitsPerSecond(demand)}: the largest ends at 40.0 Gbit/s`
        : `${formatBitsPerSecond(demand)} of egress: one node of the class “${meant.name}” (${rangeText(meant)})`,
    computed: nodesText(chosen, spec, chosen.classId),
    agrees,
    why: agrees
      ? 'One node in both; the classes of providers are not those of enterprises.'
      : 'Those classes have cards of 10 Gbit/s and more, and are sized by the peak; the plan is sized by its deadline.',
  };
}
