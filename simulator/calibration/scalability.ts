// Fits the Universal Scalability Law (scenario/scalability-law.ts) to measured throughputs.
//
// N ÷ X(N) = (1 - σ) u + σ u N + κ u N (N - 1) with u = 1 ÷ X(1) is linear in these three: no start values are needed, and none
// is negative, so that σ is at most 1.

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
