// Measures a node that we did not start, from its clients' side: what it sends at most, and how long a hit takes. What only
// the node itself could tell (its processor, its fetches) stays out of the profile.

import { type Address, formatAddress } from '../../common/address.ts';
import { OperatorError } from '../../common/errors.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import { relativeCapacity } from '../scenario/scalability-law.ts';
import type { Calibration } from './calibration.ts';
import { connectionText } from './experiment.ts';
import { fitCosts, median } from './fit.ts';
import type { MeasureOptions } from './own-node.ts';
import { type Load, type LoadResult, putLoad, type RemoteObject } from './remote-load.ts';
import { fitScalability, type ScalabilityFit, type Throughput } from './scalability.ts';

export type OtherNode = {
  readonly node: Address;
  readonly object: RemoteObject;
  /** For all of it, about. */
  readonly seconds: number;
  /** At most so many connections at once. */
  readonly connectionsMax: number;
};

const kib = 1024;
const pieceBytes = 1024 * kib;
/** Of the object, at most: it is fetched once by the node, and asked for again and again. */
const spanBytesMax = 64 * pieceBytes;
const latencySizes = [16 * kib, 64 * kib, 256 * kib, pieceBytes];
const warmUpMsMax = 10_000;
/** A client that is this busy may have been the limit. */
const cpuRatioMax = 0.9;

/** Undefined when it was interrupted. Throws an OperatorError when the node does not serve the object. */
export async function measureOtherNode(
  other: OtherNode,
  id: string,
  source: string,
  options: MeasureOptions,
): Promise<Calibration | undefined> {
  const counts = connectionCounts(other.connectionsMax);
  /** What is asked for: at first a part of the object, then as much of that as the node has stored. */
  let spanBytes = Math.min(spanBytesMax, other.object.sizeBytes);
  const rangeBytesMax = Math.min(pieceBytes, spanBytes);
  const sizes = latencySizes.filter((size) => size <= rangeBytesMax);
  const stepCount = 1 + sizes.length + counts.length;
  const durationMs = (other.seconds * 1000) / (sizes.length + counts.length);
  let step = 0;
  const put = async (what: string, load: Partial<Load>): Promise<LoadResult> => {
    step += 1;
    options.onProgress({ step, stepCount, what, bitsPerSecond: undefined });
    const result = await putLoad({
      ...{ node: other.node, object: other.object, connections: 1, rangeBytes: rangeBytesMax, spanBytes, durationMs },
      ...{ signal: options.signal, ...load },
    });
    if (result.failure !== undefined && !options.signal.aborted) throw refused(other, what, result.failure);
    return result;
  };
  const rangeCountMax = Math.ceil(spanBytes / rangeBytesMax);
  const stored = await put('the node stores the object', { rangeCountMax, durationMs: warmUpMsMax });
  spanBytes = Math.max(rangeBytesMax, Math.min(spanBytes, stored.serviceMs.length * rangeBytesMax));
  const latencies: { readonly bytes: number; readonly ms: number }[] = [];
  for (const bytes of sizes) {
    const { serviceMs } = await put(`hits, ${bytes / kib} KiB, 1 connection`, { rangeBytes: bytes });
    if (serviceMs.length > 0) latencies.push({ bytes, ms: median(serviceMs) });
  }
  const points: (Throughput & Pick<LoadResult, 'cpuRatio'>)[] = [];
  for (const connections of counts) {
    const { bytesPerMs, cpuRatio } = await put(`hits, ${connectionText(connections)}`, { connections });
    points.push({ connections, bytesPerMs, cpuRatio });
  }
  return options.signal.aborted ? undefined : conclude(other, id, source, latencies, points);
}

/** 1, 4, 16 … and the largest allowed. */
function connectionCounts(max: number): readonly number[] {
  const counts: number[] = [];
  for (let count = 1; count < max; count *= 4) counts.push(count);
  return [...counts, max];
}

function conclude(
  { node }: OtherNode,
  id: string,
  source: string,
  latencies: readonly { readonly bytes: number; readonly ms: number }[],
  points: readonly (Throughput & Pick<LoadResult, 'cpuRatio'>)[],
): Calibration {
  const latency = fitCosts(latencies.map(({ bytes, ms }) => ({ terms: [1, bytes], measured: ms })));
  const scalability = fitScalability(points);
  const most = points.reduce((a, b) => (b.bytesPerMs > a.bytesPerMs ? b : a));
  const profile: HardwareProfile = {
    ...{ id, name: `The node at ${formatAddress(node)}`, source },
    basis: { egress: 'measured', latency: 'measured', ...(scalability && { concurrency: 'measured' }) },
    ...{ bodyPerWireRatio: 0.941, pageCacheRatio: 0.5, egressBytesPerMs: most.bytesPerMs },
    // What a miss takes beside is not seen.
    latency: { hitMs: latency.coefficients[0] ?? 0, missMs: 0 },
    ...(scalability && { concurrency: scalability.concurrency }),
  };
  return {
    profile,
    figures: [
      { key: 'egress', note: egressNote(most) },
      {
        key: 'latency',
        residuals: latency.residuals,
        note: 'of hits; what a miss takes beside is not measured',
      },
      ...(scalability === undefined ? [] : [{ key: 'concurrency' as const, residuals: scalability.residuals }]),
    ],
    comparisons: points.map(({ connections, bytesPerMs }) => ({
      what: `hits, ${connectionText(connections)}`,
      measuredBytesPerMs: bytesPerMs,
      fittedBytesPerMs: fitted(scalability, most.bytesPerMs, connections),
    })),
    notes: [
      'seen from its clients only: cores, cpu, disk, memory, wan and misses are not measured and do not limit in this profile',
      ...(scalability === undefined ? ['concurrency needs three numbers of connections: raise --connections'] : []),
    ],
  };
}

function egressNote({ connections, cpuRatio }: Throughput & Pick<LoadResult, 'cpuRatio'>): string {
  const what = `the most that came, with ${connectionText(connections)}; the network between is in it`;
  const percent = (cpuRatio * 100).toFixed(0);
  return cpuRatio < cpuRatioMax
    ? what
    : `${what}. This client used ${percent} % of a core and may have been the limit: the node can do at least this`;
}

const fitted = (scalability: ScalabilityFit | undefined, most: number, connections: number): number =>
  scalability === undefined ? most : most * relativeCapacity(scalability.concurrency, connections);

function refused({ node, object }: OtherNode, what: string, failure: string): OperatorError {
  return new OperatorError(
    'NODE_REFUSED',
    `http://${formatAddress(node)}${object.path}, ${what}: expected ranges of ${object.host}'s object (status 206), ` +
      `found ${failure}. Check --url, --object, --host and --size; with too many connections, lower --connections.`,
    3,
  );
}
