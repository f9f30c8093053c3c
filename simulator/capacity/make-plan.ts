// A capacity plan: for each kind of site the nodes that meet the deadline, what they need, what a failure does, and what if; then all
// sites at once. Whatever is known when it is interrupted is what it gives.
//
//   classes ─▶ fewest nodes of each ─▶ choice ─┬▶ least egress, network card
//                     │ none                   ├▶ a node fails: moments, nodes more
//                     └──▶ what would help     ├▶ what if
//                                              └▶ beside the documents' tables        ─▶ all sites at once

import { OperatorError } from '../../common/errors.ts';
import type { Asked, CapacityPlan, Figures, SitePlan } from '../result/capacity-plan.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import { documentedBeside } from './documented.ts';
import { findFailure } from './find-failure.ts';
import { chooseCandidate, classEgressBytesPerMs, findNodes, nearestCandidate } from './find-nodes.ts';
import { findRate } from './find-rate.ts';
import { findRemedies } from './find-remedies.ts';
import type { LoadedPlan } from './load-plan.ts';
import { planScenario, type SiteLayout } from './plan-scenario.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import { findSensitivity, variations } from './sensitivity.ts';
import { type PlanProgress, Trials, type VirtualRunner } from './trials.ts';

export type MakePlanOptions = {
  readonly runner: VirtualRunner;
  readonly onProgress?: (progress: PlanProgress) => void;
};

/** What a plan comes to, without what only a command line knows. */
export type MadePlan = Pick<
  CapacityPlan,
  'asked' | 'verdict' | 'interruptedAt' | 'sites' | 'whole' | 'notes' | 'runCount' | 'elapsedMs'
>;

/** About so many runs a site takes for its nodes, its rate, and a failure. */
const runsOfSite = 45;

type SiteDraft = { -readonly [Key in keyof SitePlan]: SitePlan[Key] };

/** Throws an OperatorError when a run is refused or dies; an interrupt gives what is known by then. */
export async function makePlan({ spec, path }: LoadedPlan, options: MakePlanOptions): Promise<MadePlan> {
  const startedMs = performance.now();
  const runsAbout = spec.sites.reduce((sum, site) => sum + runsOfSite + 2 * variations(spec, site).length, 1);
  const trials = new Trials(options.runner, path, runsAbout, options.onProgress ?? (() => undefined));
  const drafts: SiteDraft[] = [];
  let whole: Figures | undefined;
  let interruptedAt: string | undefined;
  try {
    for (const site of spec.sites) {
      const draft = emptyDraft(site);
      drafts.push(draft);
      await planSite(spec, site, draft, trials);
    }
    const layouts = layoutsOf(spec, drafts);
    if (layouts !== undefined) {
      trials.begin('all sites at once');
      whole = (await trials.of(spec, layouts)).figures;
    }
  } catch (error) {
    if (!(error instanceof OperatorError) || error.exitCode !== 130) throw error;
    interruptedAt = trials.phase;
  }
  const holds = drafts.every(({ chosen }) => chosen !== undefined) && whole?.holds === true;
  return {
    asked: askedOf(spec),
    verdict: interruptedAt !== undefined ? 'interrupted' : holds ? 'found' : 'none',
    ...(interruptedAt === undefined ? {} : { interruptedAt }),
    sites: drafts,
    ...(whole === undefined ? {} : { whole }),
    notes: notesOf(spec, whole),
    runCount: trials.runCount,
    elapsedMs: performance.now() - startedMs,
  };
}

async function planSite(spec: PlanSpec, site: SiteSpec, draft: SiteDraft, trials: Trials): Promise<void> {
  trials.begin(`${site.id}: how many nodes`);
  draft.candidates = await findNodes(spec, site, trials);
  const chosen = chooseCandidate(draft.candidates);
  if (chosen === undefined) {
    const nearest = nearestCandidate(draft.candidates);
    if (nearest === undefined) return;
    draft.nearest = nearest;
    trials.begin(`${site.id}: what would help`);
    draft.remedies = await findRemedies(spec, site, nearest, trials);
    return;
  }
  const { classId, nodes } = chosen;
  draft.chosen = chosen;
  const [{ course }, withoutNodes, oneFewer] = await Promise.all([
    trials.ofSite(spec, { site, classId, nodes }),
    trials.ofSite(spec, { site, classId, nodes: 0 }),
    nodes === 1 ? undefined : trials.ofSite(spec, { site, classId, nodes: nodes - 1 }),
  ]);
  draft.withoutNodes = withoutNodes.figures;
  if (oneFewer !== undefined) draft.oneFewer = oneFewer.figures;
  trials.begin(`${site.id}: what each node has to send`);
  const rate = await findRate(spec, site, chosen, trials);
  if (rate !== undefined) draft.rate = rate;
  draft.documented = documentedBeside({
    ...{ spec, site, chosen, rate, withoutNodes: withoutNodes.figures },
  });
  trials.begin(`${site.id}: a node fails`);
  const failure = await findFailure(spec, site, chosen, trials);
  draft.failure = failure;
  const worst = await trials.ofSite(spec, { site, classId, nodes: failure.nodes, killAtMs: failure.worstAtMs });
  draft.course = {
    lines: [
      { name: 'chosen', ...course },
      { name: 'withoutNodes', ...withoutNodes.course },
      { name: 'failure', ...worst.course },
    ],
  };
  trials.begin(`${site.id}: what if`);
  draft.sensitivity = await findSensitivity(spec, site, chosen, trials);
}

function emptyDraft({ id, count, devices, linkBytesPerMs, downlinkBytesPerMs }: SiteSpec): SiteDraft {
  return {
    ...{ id, count, devices, candidates: [], sensitivity: [], remedies: [], documented: [] },
    ...(linkBytesPerMs === undefined ? {} : { linkBitsPerSecond: linkBytesPerMs * 8000 }),
    ...(downlinkBytesPerMs === undefined ? {} : { downlinkBitsPerSecond: downlinkBytesPerMs * 8000 }),
  };
}

/** All sites with the nodes that were chosen; undefined where one has none. */
function layoutsOf({ sites }: PlanSpec, plans: readonly SitePlan[]): SiteLayout[] | undefined {
  const layouts = sites.flatMap((site, index) => {
    const chosen = plans[index]?.chosen;
    return chosen === undefined ? [] : [{ site, classId: chosen.classId, nodes: chosen.nodes }];
  });
  return layouts.length === sites.length ? layouts : undefined;
}

/** The plan as a scenario: the text that ran. Undefined where it has no solution. */
export function solutionScenario({ spec }: LoadedPlan, { sites }: MadePlan): string | undefined {
  const layouts = layoutsOf(spec, sites);
  if (layouts === undefined) return undefined;
  const comment = 'The nodes that “sim plan” chose: the fewest that meet the deadline.';
  return planScenario(spec, layouts, headOf(spec, comment));
}

/** One kind of site, of which there is one, with the node that fails at the worst moment. */
export function failureScenario({ spec }: LoadedPlan, plan: SitePlan): string | undefined {
  const site = spec.sites.find(({ id }) => id === plan.id);
  const { chosen, failure } = plan;
  if (site === undefined || chosen === undefined || failure === undefined) return undefined;
  const { nodes, worstAtMs } = failure;
  const layout = { site: { ...site, count: 1 }, classId: chosen.classId, nodes, killAtMs: worstAtMs };
  const comment = `One site of “${site.id}” when a node fails at the worst moment that “sim plan” found.`;
  return planScenario(spec, [layout], headOf(spec, comment));
}

function headOf({ name, question }: PlanSpec, comment: string) {
  return { name, comment, ...(question === undefined ? {} : { question }) };
}

function askedOf(spec: PlanSpec): Asked {
  const { payloadBytes, deadlineMs, arriveOverMs, nodesMax, cdnEgressBytesPerMs, seed } = spec;
  return {
    ...{ payloadBytes, deadlineMs, arriveOverMs, nodesMax, seed },
    devices: spec.sites.reduce((sum, { devices, count }) => sum + devices * count, 0),
    classes: spec.classes.map(classOf),
    ...(cdnEgressBytesPerMs === undefined ? {} : { cdnEgressBitsPerSecond: cdnEgressBytesPerMs * 8000 }),
  };
}

function classOf(hardware: HardwareProfile): Asked['classes'][number] {
  const { id, name, source, nicWireBytesPerMs, cores, memoryBytes, drivesBytes } = hardware;
  const egress = classEgressBytesPerMs(hardware);
  return {
    ...{ id, name, source },
    ...(nicWireBytesPerMs === undefined ? {} : { nicWireBitsPerSecond: nicWireBytesPerMs * 8000 }),
    ...(egress === undefined ? {} : { egressBitsPerSecond: egress * 8000 }),
    ...(cores === undefined ? {} : { cores }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(drivesBytes === undefined ? {} : { drivesBytes }),
  };
}

function notesOf(spec: PlanSpec, whole: Figures | undefined): string[] {
  const notes = [
    'Rates count bytes of content: a network card carries 0.941 of its rate of it. Nodes start empty, and each fetches the payload once.',
    'Devices of a site are dealt to its nodes in equal parts, each with a list of cache hosts of its own (DOCacheHost). Clients would send all to the first of one common list.',
  ];
  if (spec.fallbackDelayMs !== undefined) {
    notes.push(
      'Where a site has several nodes, devices are told not to turn to the CDN while there is another node (DODelayCacheServerFallbackBackground). Without it a failed node’s devices all go over the WAN: fallbackDelay: none.',
    );
  }
  const withoutCosts = spec.classes.filter(({ cpu }) => cpu === undefined).map(({ id }) => id);
  if (withoutCosts.length > 0) {
    notes.push(
      `The processor does not limit: no document says what a byte costs it (${withoutCosts.join(', ')}). “sim calibrate” measures a machine.`,
    );
  }
  if (spec.classes.some(({ basis }) => basis['disk'] === 'assumed')) {
    notes.push('Rates of drives are assumed: no document gives them.');
  }
  if (whole !== undefined && !whole.holds) {
    notes.push(
      'Each kind of site alone meets the deadline; all at once do not. What they share is the CDN: raise cdn.egress, or plan them for different days.',
    );
  }
  return notes;
}
