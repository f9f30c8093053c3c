// What one experiment showed: bytes, fetches and processor time of each part, second by second. The first second of a
// window is left out (an empty cache, code that is not compiled yet); each other one is a measurement of its own.

import { OperatorError } from '../../common/errors.ts';
import type { LiveRun } from '../world/live/conclusion.ts';
import { type Experiment, nodeId } from './experiment.ts';

/** A whole second. A part's work and its processor time come from the same reading of its counters. */
export type Second = {
  readonly clientBytes: number;
  readonly clientCpuMs: number;
  readonly nodeBytes: number;
  readonly nodeFetchedBytes: number;
  readonly nodeCpuMs: number;
  readonly cdnBytes: number;
  readonly cdnCpuMs: number;
  readonly newConnections: number;
};

export type Observation = {
  readonly experiment: Experiment;
  readonly seconds: readonly Second[];
  /** Mean size of a fetch; 0 without one. */
  readonly fetchBytes: number;
  /** Of a range, median. */
  readonly serviceMs: number;
  /** Cores that the rest of the machine used meanwhile; undefined where the system does not tell. */
  readonly otherCores: number | undefined;
};

/** The last range of a paced window is due, and comes, a little before its end. */
const lastRangeMs = 100;

/** Throws an OperatorError when the run was not what it should have been: nothing shall be fitted to that. */
export function observe(experiment: Experiment, live: LiveRun, otherCores: number | undefined): Observation {
  const { metrics, problems, series } = live.run;
  const failed = metrics['range.failedCount'] ?? 0;
  const problem = live.broken ?? (failed > 0 ? (problems[0] ?? `${failed} ranges failed`) : undefined);
  if (problem !== undefined) throw cannotMeasure(experiment, `${problem}`);
  const column = (name: string): readonly number[] => series.columns[name] ?? [];
  if (experiment.newConnections > 0) return observeWhole(experiment, live, otherCores);
  const received = column(`node.${nodeId}.egressBitsPerSecond`);
  const first = received.findIndex((bits) => bits > 0);
  const end = first + Math.floor((live.run.durationMs + lastRangeMs) / 1000);
  const seconds: Second[] = [];
  for (let at = first + 1; first >= 0 && at < end; at += 1) {
    const bytes = (name: string): number => (column(`${name}BitsPerSecond`)[at] ?? 0) / 8;
    const cpuMs = (part: string): number => (column(`${part}.coresInUse`)[at] ?? 0) * 1000;
    seconds.push({
      clientBytes: bytes(`node.${nodeId}.egress`),
      clientCpuMs: cpuMs('generator'),
      nodeBytes: bytes(`node.${nodeId}.hit`) + bytes(`node.${nodeId}.miss`),
      nodeFetchedBytes: bytes(`node.${nodeId}.upstream`),
      nodeCpuMs: cpuMs(`node.${nodeId}`),
      cdnBytes: bytes('cdn.egress'),
      cdnCpuMs: cpuMs('cdn'),
      newConnections: 0,
    });
  }
  const serviceMs = metrics['range.serviceMs.p50'];
  if (seconds.length === 0 || serviceMs === undefined) throw cannotMeasure(experiment, 'it ended within a second');
  const fetches = metrics['cdn.requestCount'] ?? 0;
  const fetchBytes = fetches === 0 ? 0 : (metrics['cdn.egressBytes'] ?? 0) / fetches;
  return { experiment, seconds, fetchBytes, serviceMs, otherCores };
}

/** A run that is one measurement. */
function observeWhole(experiment: Experiment, { run }: LiveRun, otherCores: number | undefined): Observation {
  const metric = (name: string): number => run.metrics[name] ?? 0;
  const whole: Second = {
    clientBytes: metric('fleet.bytesFromCacheServer'),
    clientCpuMs: metric('generator.cpuMs'),
    nodeBytes: metric(`node.${nodeId}.egressBytes`),
    nodeFetchedBytes: metric(`node.${nodeId}.upstreamBytes`),
    nodeCpuMs: metric(`node.${nodeId}.cpuMs`),
    cdnBytes: metric('cdn.egressBytes'),
    cdnCpuMs: metric('cdn.cpuMs'),
    newConnections: experiment.newConnections,
  };
  return { experiment, seconds: [whole], fetchBytes: 0, serviceMs: metric('range.serviceMs.p50'), otherCores };
}

/** Mean over the measured seconds. */
export function throughput({ seconds }: Observation): number {
  return seconds.reduce((sum, { clientBytes }) => sum + clientBytes, 0) / seconds.length / 1000;
}

/** Processor time of all parts in a second of wall time. */
export const coresInUse = ({ clientCpuMs, nodeCpuMs, cdnCpuMs }: Second): number =>
  (clientCpuMs + nodeCpuMs + cdnCpuMs) / 1000;

function cannotMeasure({ what }: Experiment, found: string): OperatorError {
  return new OperatorError(
    'CANNOT_MEASURE',
    `Calibration, ${what}: expected an undisturbed run, found: ${found}. Try again when the machine has less to do.`,
    3,
  );
}
