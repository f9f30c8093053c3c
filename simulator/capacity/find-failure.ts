// N+1: how many nodes still meet the deadline when one of them fails and stays away, at whatever moment. The worst moment is found by
// trying some over the whole course, and more around the worst of them.

import { assert } from '../../common/errors.ts';
import type { Candidate, Figures, NodeFailure } from '../result/capacity-plan.ts';
import { isWorse } from './find-nodes.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import type { Trial, Trials } from './trials.ts';

type Moment = { readonly atMs: number; readonly what: string };
type TriedMoment = Moment & { readonly figures: Figures };
type Scan = { readonly worst: TriedMoment; readonly all: readonly TriedMoment[] };

/** Shares of the course without a failure at which a node fails. */
const shares = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.97];
/** Times that the neighbourhood of the worst moment is looked at more closely. */
const refinements = 2;
/** A moment that is worse by less is no worse: the earlier one counts. */
const worseRatioMin = 1e-9;

export async function findFailure(
  spec: PlanSpec,
  site: SiteSpec,
  { classId, nodes: nodesMin }: Candidate,
  trials: Trials,
): Promise<NodeFailure> {
  const tooFew: { nodes: number; atMs: number; figures: Figures }[] = [];
  let last: { readonly scan: Scan; readonly nodes: number } | undefined;
  let worstShare: number | undefined;
  for (let nodes = nodesMin; nodes <= spec.nodesMax; nodes += 1) {
    const calm = await trials.ofSite(spec, { site, classId, nodes });
    const tryAt = async (moment: Moment): Promise<TriedMoment> => {
      const { figures } = await trials.ofSite(spec, { site, classId, nodes, killAtMs: moment.atMs });
      return { ...moment, figures };
    };
    const lengthMs = calm.figures.finishMs ?? calm.durationMs;
    // Where a node fewer was not enough, this is likely not to be either: one run says so.
    if (worstShare !== undefined && nodes < spec.nodesMax) {
      const again = await tryAt(shareOf(worstShare, lengthMs));
      if (!again.figures.holds) {
        if (isHopeless(tooFew, again.figures)) break;
        tooFew.push({ nodes, atMs: again.atMs, figures: again.figures });
        continue;
      }
    }
    const scan = await scanMoments(momentsOf(spec, calm), lengthMs, tryAt);
    last = { scan, nodes };
    const { worst } = scan;
    if (worst.figures.holds) break;
    worstShare = worst.atMs / lengthMs;
    if (isHopeless(tooFew, worst.figures)) break;
    tooFew.push({ nodes, atMs: worst.atMs, figures: worst.figures });
  }
  assert(last !== undefined, 'with the nodes that were chosen every moment is tried');
  const { scan, nodes } = last;
  return {
    nodes,
    holds: scan.worst.figures.holds,
    worstAtMs: scan.worst.atMs,
    worstMoment: scan.worst.what,
    figures: scan.worst.figures,
    moments: scan.all.map(({ atMs, figures }) => ({ atMs, figures })),
    tooFew: tooFew.filter((each) => each.nodes < nodes || scan.worst.figures.holds),
  };
}

/** Two more nodes, and the end is no earlier: it is not for want of nodes. */
function isHopeless(tooFew: readonly { readonly figures: Figures }[], figures: Figures): boolean {
  return tooFew.slice(-2).length === 2 && tooFew.slice(-2).every((each) => !isWorse(each.figures, figures));
}

/** The start, even parts of the course, the end of the arrivals, and the end of the fill. */
function momentsOf({ arriveOverMs }: PlanSpec, { figures, course, durationMs }: Trial): Moment[] {
  const lengthMs = figures.finishMs ?? durationMs;
  const filledMs = (course.wanBitsPerSecond.findLastIndex((value) => value > 0) + 1) * course.stepSeconds * 1000;
  const special: Moment[] = [
    { atMs: arriveOverMs, what: 'when the last devices have come' },
    { atMs: filledMs, what: 'when nothing more comes over the WAN' },
  ];
  const known = new Set<number>();
  const all = [...shares.map((share) => shareOf(share, lengthMs)), ...special];
  return all
    .filter(({ atMs }) => atMs < lengthMs && !known.has(atMs) && known.add(atMs) !== undefined)
    .sort((a, b) => a.atMs - b.atMs);
}

function shareOf(share: number, lengthMs: number): Moment {
  const atMs = Math.floor(share * lengthMs);
  return { atMs, what: share === 0 ? 'at the start' : `at ${Number((share * 100).toPrecision(2))} % of the course` };
}

async function scanMoments(
  moments: readonly Moment[],
  lengthMs: number,
  tryAt: (moment: Moment) => Promise<TriedMoment>,
): Promise<Scan> {
  let all = await Promise.all(moments.map(tryAt));
  for (let round = 0; round < refinements; round += 1) {
    const at = all.indexOf(worstOf(all));
    const here = all[at]?.atMs ?? 0;
    const around = [all[at - 1]?.atMs, all[at + 1]?.atMs].flatMap((neighbour) =>
      neighbour === undefined ? [] : [1 / 3, 2 / 3].map((part) => here + (neighbour - here) * part),
    );
    const fresh = around.map((atMs) => shareOf(atMs / lengthMs, lengthMs));
    const more = await Promise.all(fresh.filter(({ atMs }) => !all.some((each) => each.atMs === atMs)).map(tryAt));
    all = [...all, ...more].sort((a, b) => a.atMs - b.atMs);
  }
  return { worst: worstOf(all), all };
}

/** The latest end; of equally late ones the earliest moment. */
function worstOf(moments: readonly TriedMoment[]): TriedMoment {
  const worst = moments.reduce<TriedMoment | undefined>((most, each) => {
    if (most === undefined) return each;
    const [a, b] = [each.figures, most.figures];
    const [endA, endB] = [a.finishMs ?? Number.POSITIVE_INFINITY, b.finishMs ?? Number.POSITIVE_INFINITY];
    if (endA === endB) return a.completedCount < b.completedCount ? each : most;
    return endA > endB * (1 + worseRatioMin) ? each : most;
  }, undefined);
  assert(worst !== undefined, 'moments were tried');
  return worst;
}
