// One client request that needs bytes its worker does not have, as the owner sees it.

import type { AskRange, OwnerMessage, UpstreamTarget } from '../protocol.ts';
import type { Generation } from '../store/generation.ts';
import type { FetchFailure } from './fetch.ts';

/** The owner's end of a worker. */
export interface WorkerLink {
  send(message: OwnerMessage): void;
  /** Generations whose snapshot the worker has. */
  readonly known: Set<number>;
}

/** One client request that needs bytes the worker does not have. */
export type Ask = {
  readonly id: number;
  readonly worker: WorkerLink;
  readonly upstream: UpstreamTarget;
  readonly range: AskRange;
  generation: Generation | undefined;
  fetchCount: number;
  failureCount: number;
  /** Whether the generation's host has failed this ask, and its own host was asked instead. */
  wentElsewhere: boolean;
};

/** How every ask begins. */
export const newAsk = { generation: undefined, fetchCount: 0, failureCount: 0, wentElsewhere: false } as const;

/** Broken connections, time-outs and short bodies are tried again this often for one request. */
export const failuresPerAskMax = 2;

/** Trouble is 5xx with an empty body, never 4xx: a 4xx bans the node on the devices that see it. */
export function refuse(ask: Ask, failure: FetchFailure | undefined): void {
  ask.worker.send({ kind: 'refused', ask: ask.id, status: statusOf(failure), fields: [['Retry-After', '5']] });
}

function statusOf(failure: FetchFailure | undefined): number {
  if (failure?.status !== undefined) return failure.status;
  switch (failure?.cause) {
    case 'timeout':
      return 504;
    case 'badResponse':
      return 502;
    case 'loop':
      return 508;
    default:
      return 503;
  }
}
