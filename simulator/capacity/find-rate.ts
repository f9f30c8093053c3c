// The least that each node has to be able to send, and the network card that carries it: the chosen nodes with less and less egress,
// until they miss the deadline.

import type { Candidate, NeededRate } from '../result/capacity-plan.ts';
import { findEdge, toDigits } from './edge.ts';
import { classEgressBytesPerMs } from './find-nodes.ts';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import type { Trials } from './trials.ts';

/** Cards that are sold, and two ports of 10 and 25 Gbit/s together. */
const cardsBitsPerSecond = [1e9, 2.5e9, 5e9, 10e9, 20e9, 25e9, 40e9, 50e9, 100e9];

/** Answers to 1 %. */
const resolutionRatio = 0.01;

export async function findRate(
  spec: PlanSpec,
  site: SiteSpec,
  { classId, nodes, figures }: Candidate,
  trials: Trials,
): Promise<NeededRate | undefined> {
  const hardware = spec.classes.find(({ id }) => id === classId);
  if (hardware === undefined) return undefined;
  const bytes = site.devices * spec.payloadBytes.reduce((sum, size) => sum + size, 0);
  const fails = (bytes / (nodes * spec.deadlineMs)) * 8000;
  const own = classEgressBytesPerMs(hardware);
  const holds = own === undefined ? (figures.nodePeakBitsPerSecond ?? 0) : own * 8000;
  const egressBitsPerSecond =
    holds <= fails
      ? holds
      : await findEdge({
          fails,
          holds,
          resolutionRatio,
          quantize: toDigits(4),
          test: async (bits) => {
            const layout = { site, classId, nodes, egressBytesPerMs: bits / 8000 };
            return (await trials.ofSite(spec, layout)).figures.holds;
          },
        });
  const wireBitsPerSecond = egressBitsPerSecond / hardware.bodyPerWireRatio;
  const card = cardsBitsPerSecond.find((bits) => bits >= wireBitsPerSecond * (1 - 1e-9));
  return {
    egressBitsPerSecond,
    wireBitsPerSecond,
    ...(card === undefined ? {} : { cardBitsPerSecond: card }),
  };
}
