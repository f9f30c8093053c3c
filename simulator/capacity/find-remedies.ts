// What would help a site that meets the deadline with nothing that was tried: a later deadline, fewer devices, or more of what bound,
// one at a time, with the nodes that came nearest.

import type { Candidate, Remedy } from '../result/capacity-plan.ts';
import { findEdge, toDigits } from './edge.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import type { Trials } from './trials.ts';

/** Answers to 2 %. */
const resolutionRatio = 0.02;
/** A rate is multiplied by this at most. */
const growthMax = 256;

export async function findRemedies(
  spec: PlanSpec,
  site: SiteSpec,
  { classId, nodes, figures }: Candidate,
  trials: Trials,
): Promise<Remedy[]> {
  const holds = async (changed: PlanSpec, changedSite: SiteSpec): Promise<boolean> =>
    (await trials.ofSite(changed, { site: changedSite, classId, nodes })).figures.holds;
  /** The least of a rate with which the deadline is met. */
  const ofRate = async (
    key: Remedy['key'],
    rate: number | undefined,
    with_: (rate: number) => readonly [PlanSpec, SiteSpec],
  ): Promise<Remedy | undefined> => {
    if (rate === undefined) return undefined;
    const test = (bits: number): Promise<boolean> => holds(...with_(bits / 8000));
    const most = rate * 8000 * growthMax;
    if (!(await test(most))) return undefined;
    const search = { fails: rate * 8000, holds: most, resolutionRatio, quantize: toDigits(3), test };
    return { key, value: await findEdge(search) };
  };
  const ofDevices = async (): Promise<Remedy | undefined> => {
    const test = (devices: number): Promise<boolean> => holds(spec, { ...site, devices });
    if (site.devices === 1 || !(await test(1))) return undefined;
    const search = { fails: site.devices, holds: 1, resolutionRatio, quantize: Math.round, test };
    return { key: 'devices', value: await findEdge(search) };
  };
  const ofDeadline = (): Remedy | undefined =>
    figures.finishMs === undefined ? undefined : { key: 'deadline', value: Math.ceil(figures.finishMs) };
  const searched = await Promise.all([
    ofDevices(),
    ofRate('link', site.linkBytesPerMs, (linkBytesPerMs) => [spec, { ...site, linkBytesPerMs }]),
    ofRate('downlink', site.downlinkBytesPerMs, (downlinkBytesPerMs) => [spec, { ...site, downlinkBytesPerMs }]),
    ofRate('cdn', spec.cdnEgressBytesPerMs, (cdnEgressBytesPerMs) => [{ ...spec, cdnEgressBytesPerMs }, site]),
  ]);
  return [ofDeadline(), ...searched].filter((each) => each !== undefined);
}
