// How capacity changes with the number of connections that ask at the same time: the Universal Scalability Law,
//
//   C(N) = N / (1 + σ (N - 1) + κ N (N - 1)),    X(N) = X(1) C(N)        (Gunther 1993)
//
// σ: share of the work that is done one at a time (with two cores that share all work, about 0.5); κ: what each pays for
// every other, which makes the capacity fall again. N ÷ X(N) = (1 - σ) u + σ u N + κ u N (N - 1) with u = 1 ÷ X(1) is linear
// in these three: no start values are needed, and none is negative, so that σ is at most 1.

import type { Concurrency } from '../scenario/profile.ts';
import { fitCosts, type Residuals } from './fit.ts';

export type Throughput = { readonly connections: number; readonly bytesPerMs: number };

export type ScalabilityFit = {
  readonly concurrency: Concurrency;
  /** X(1). */
  readonly bytesPerMsOfOne: number;
  readonly residuals: Residuals;
};

/** Undefined where fewer than three numbers of connections were measured: two parameters and the scale need as many. */
export function fitScalability(points: readonly Throughput[]): ScalabilityFit | undefined {
  const counts = new Set(points.map(({ connections }) => connections));
  if (counts.size < 3) return undefined;
  const { coefficients, residuals } = fitCosts(
    points.map(({ connections: n, bytesPerMs }) => ({ terms: [1, n, n * (n - 1)], measured: n / bytesPerMs })),
  );
  const [parallel = 0, serial = 0, coherency = 0] = coefficients;
  const ofOne = parallel + serial;
  if (ofOne === 0) return undefined;
  return {
    concurrency: { sigma: serial / ofOne, kappa: coherency / ofOne, connectionsMax: Math.max(...counts) },
    bytesPerMsOfOne: 1 / ofOne,
    residuals,
  };
}

/** C(N). */
export const scaling = ({ sigma, kappa }: Omit<Concurrency, 'connectionsMax'>, connections: number): number =>
  connections / (1 + sigma * (connections - 1) + kappa * connections * (connections - 1));

/** Capacity with so many connections, as a share of the most that any measured number of them reaches. */
export function relativeCapacity(concurrency: Concurrency, connections: number): number {
  return scaling(concurrency, connections) / scaling(concurrency, bestConnections(concurrency));
}

/** Where C(N) is highest, within what was measured. */
export function bestConnections({ sigma, kappa, connectionsMax }: Concurrency): number {
  if (sigma >= 1) return 1; // one alone is fastest
  const highest = kappa > 0 ? Math.sqrt((1 - sigma) / kappa) : Number.POSITIVE_INFINITY;
  return Math.min(connectionsMax, Math.max(1, highest));
}
