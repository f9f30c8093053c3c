// Observations of a machine whose costs are known: what a calibration must find again.

import { type Experiment, planExperiments } from '../../simulator/calibration/experiment.ts';
import type { Observation, Second } from '../../simulator/calibration/observation.ts';
import { scaling } from '../../simulator/scenario/scalability-law.ts';

/** A machine with two cores, at 80 KiB of everything a second; times in ms. */
export const known = {
  cores: 1.9,
  cpu: { msPerConnection: 0.2, msPerRequest: 0.05, msPerByte: 160e-9, msPerFetch: 0.4, msPerByteFetched: 700e-9 },
  harness: {
    clientMsPerConnection: 0.5,
    clientMsPerRequest: 0.03,
    clientMsPerByte: 200e-9,
    cdnMsPerRequest: 0.1,
    cdnMsPerByte: 150e-9,
  },
  latency: { hitMs: 0.3, missMs: 0.6, msPerByte: 200e-9 },
  concurrency: { sigma: 0.5, kappa: 1e-6 },
};

/** What every experiment of a plan would show there; `noise` gives a factor for each figure. */
export function observationsOf(seconds: number, noise: () => number = () => 1): Observation[] {
  return planExperiments(seconds).experiments.map((experiment) => observationOf(experiment, noise));
}

function observationOf(experiment: Experiment, noise: () => number): Observation {
  const { kind, rangeBytes, tells, connections, newConnections, scenario } = experiment;
  const { latency } = known;
  const perSecond = tells.includes('capacity')
    ? capacity(connections) * 1000
    : typeof scenario.live?.demandBytesPerMs === 'number'
      ? scenario.live.demandBytesPerMs * 1000
      : 300e6;
  const second = (): Second => {
    const bytes = newConnections > 0 ? newConnections * rangeBytes : perSecond * noise();
    const requests = bytes / rangeBytes;
    const fetches = kind === 'misses' ? requests : 0;
    const { cpu, harness } = known;
    return {
      clientBytes: bytes,
      clientCpuMs:
        (newConnections * harness.clientMsPerConnection +
          requests * harness.clientMsPerRequest +
          bytes * harness.clientMsPerByte) *
        noise(),
      nodeBytes: bytes,
      nodeFetchedBytes: fetches * rangeBytes,
      nodeCpuMs:
        (newConnections * cpu.msPerConnection +
          requests * cpu.msPerRequest +
          bytes * cpu.msPerByte +
          fetches * (cpu.msPerFetch + rangeBytes * cpu.msPerByteFetched)) *
        noise(),
      cdnBytes: fetches * rangeBytes,
      cdnCpuMs: fetches * (harness.cdnMsPerRequest + rangeBytes * harness.cdnMsPerByte) * noise(),
      newConnections,
    };
  };
  return {
    experiment,
    seconds: [second(), second()],
    fetchBytes: rangeBytes,
    serviceMs: (latency.hitMs + (kind === 'hits' ? 0 : latency.missMs) + rangeBytes * latency.msPerByte) * noise(),
    otherCores: 0,
  };
}

/** The processor's time by what a MiB takes of it, with this many connections (the most is with 707). */
export function capacity(connections: number): number {
  const { cores, cpu, harness, concurrency } = known;
  const pieceMs = cpu.msPerRequest + harness.clientMsPerRequest + 2 ** 20 * (cpu.msPerByte + harness.clientMsPerByte);
  const best = Math.sqrt((1 - concurrency.sigma) / concurrency.kappa);
  return (2 ** 20 * cores * scaling(concurrency, connections)) / scaling(concurrency, best) / pieceMs;
}
