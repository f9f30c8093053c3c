// How capacity changes with the number of connections that ask at the same time: the Universal Scalability Law,
//
//   C(N) = N / (1 + σ (N - 1) + κ N (N - 1)),    X(N) = X(1) C(N)        (Gunther 1993)
//
// σ: share of the work that is done one at a time (with two cores that share all work, about 0.5); κ: what each pays for
// every other, which makes the capacity fall again.

import type { Concurrency } from './profile.ts';

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
