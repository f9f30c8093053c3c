// How many nodes of each class a site needs: one after another, from the fewest that can carry the bytes at all. Every number below
// the answer was either tried or cannot send so much within the deadline, so that the answer is the least.

import { assert } from '../../common/errors.ts';
import type { Candidate, Figures } from '../result/capacity-plan.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import type { SiteLayout } from './plan-scenario.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import type { Trials } from './trials.ts';

/** So many nodes more, without an earlier end, and it is not for want of nodes. */
const vainMax = 2;
/** An end that is earlier by less is not earlier. */
const gainRatioMin = 1e-6;

/** All classes; those that meet the deadline at no number with what comes nearest to it. */
export async function findNodes(spec: PlanSpec, site: SiteSpec, trials: Trials): Promise<Candidate[]> {
  return Promise.all(
    spec.classes.map(async (hardware) => {
      const from = Math.min(spec.nodesMax, fewestNodes(spec, site, hardware));
      const found = await fewestThatHold(spec, { site, classId: hardware.id, nodes: from }, trials);
      return { classId: hardware.id, ...found };
    }),
  );
}

/** The fewest nodes; of equally many the class that stands first. Undefined where none meets the deadline. */
export function chooseCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  const holding = candidates.filter(({ figures }) => figures.holds);
  return holding.reduce<Candidate | undefined>(
    (best, each) => (best === undefined || each.nodes < best.nodes ? each : best),
    undefined,
  );
}

/** What comes nearest to the deadline. */
export function nearestCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, each) => (best === undefined || isWorse(best.figures, each.figures) ? each : best),
    undefined,
  );
}

/** Bytes to send by what one node can send within the deadline, rounded up: fewer nodes cannot do it, whatever else holds. */
export function fewestNodes(
  { payloadBytes, deadlineMs }: PlanSpec,
  { devices }: SiteSpec,
  hardware: HardwareProfile,
): number {
  const bytes = devices * payloadBytes.reduce((sum, size) => sum + size, 0);
  const rate = classEgressBytesPerMs(hardware);
  // Less a rounding: a number that may just do is tried.
  return rate === undefined ? 1 : Math.max(1, Math.ceil((bytes / (rate * deadlineMs)) * (1 - 1e-9)));
}

/** Most body bytes that a node of a class sends; undefined where nothing is said of it. */
export function classEgressBytesPerMs({
  nicWireBytesPerMs,
  bodyPerWireRatio,
  egressBytesPerMs,
}: HardwareProfile): number | undefined {
  const limits = [nicWireBytesPerMs === undefined ? undefined : nicWireBytesPerMs * bodyPerWireRatio, egressBytesPerMs];
  const known = limits.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** From a layout on, which has not more than the most nodes, with a node more each time; the nearest where none holds. */
export async function fewestThatHold(
  spec: PlanSpec,
  from: SiteLayout,
  trials: Trials,
): Promise<{ readonly nodes: number; readonly figures: Figures }> {
  let best: { readonly nodes: number; readonly figures: Figures } | undefined;
  let vain = 0;
  for (let nodes = from.nodes; nodes <= spec.nodesMax; nodes += 1) {
    const { figures } = await trials.ofSite(spec, { ...from, nodes });
    if (figures.holds) return { nodes, figures };
    if (best === undefined || isWorse(best.figures, figures)) {
      best = { nodes, figures };
      vain = 0;
    } else {
      vain += 1;
      if (vain >= vainMax) break;
    }
  }
  assert(best !== undefined, 'a number of nodes was tried');
  return best;
}

/** Whether `a` is farther from the deadline than `b`: an end that never comes, a later one, fewer devices. */
export function isWorse(a: Figures, b: Figures): boolean {
  const [endA, endB] = [a.finishMs ?? Number.POSITIVE_INFINITY, b.finishMs ?? Number.POSITIVE_INFINITY];
  if (endA === endB) return a.completedCount < b.completedCount;
  return endA > endB * (1 + gainRatioMin);
}
