// What if: the chosen nodes when something is not as planned, one thing at a time; and how many it takes then.

import type { Candidate, Sensitivity } from '../result/capacity-plan.ts';
import { fewestThatHold } from './find-nodes.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import type { Trials } from './trials.ts';

type Variation = { readonly what: string; readonly spec: PlanSpec; readonly site: SiteSpec };

export async function findSensitivity(
  spec: PlanSpec,
  site: SiteSpec,
  { classId, nodes }: Candidate,
  trials: Trials,
): Promise<Sensitivity[]> {
  return Promise.all(
    variations(spec, site).map(async ({ what, spec: changed, site: changedSite }): Promise<Sensitivity> => {
      const layout = { site: changedSite, classId, nodes };
      const { figures } = await trials.ofSite(changed, layout);
      if (figures.holds) return { what, figures, nodesNeeded: nodes };
      if (nodes === spec.nodesMax) return { what, figures };
      const more = await fewestThatHold(changed, { ...layout, nodes: nodes + 1 }, trials);
      return { what, figures, ...(more.figures.holds ? { nodesNeeded: more.nodes } : {}) };
    }),
  );
}

/** Only what the plan says something of. */
export function variations(spec: PlanSpec, site: SiteSpec): Variation[] {
  const { linkBytesPerMs: link, downlinkBytesPerMs: downlink, devices } = site;
  const { payloadBytes, arriveOverMs, deadlineMs, cdnEgressBytesPerMs: cdn } = spec;
  const all: (Variation | undefined)[] = [
    { what: '20 % more devices', spec, site: { ...site, devices: Math.ceil(devices * 1.2) } },
    { what: 'twice the devices', spec, site: { ...site, devices: devices * 2 } },
    {
      what: '50 % more to fetch',
      spec: { ...spec, payloadBytes: payloadBytes.map((size) => Math.ceil(size * 1.5)) },
      site,
    },
    arriveOverMs > 0 ? { what: 'everybody at once', spec: { ...spec, arriveOverMs: 0 }, site } : undefined,
    link === undefined ? undefined : { what: 'half the WAN', spec, site: { ...site, linkBytesPerMs: link / 2 } },
    downlink === undefined
      ? undefined
      : { what: 'half the downlinks', spec, site: { ...site, downlinkBytesPerMs: downlink / 2 } },
    cdn === undefined ? undefined : { what: 'half the CDN', spec: { ...spec, cdnEgressBytesPerMs: cdn / 2 }, site },
    arriveOverMs < deadlineMs / 2
      ? { what: 'half the time', spec: { ...spec, deadlineMs: Math.floor(deadlineMs / 2) }, site }
      : undefined,
  ];
  return all.filter((each) => each !== undefined);
}
