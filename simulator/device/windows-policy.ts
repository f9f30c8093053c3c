// Windows: cache hosts in listed order; at the first failure the CDN, for the rest of this download. With a fallback
// delay: round the hosts until it has passed, then the CDN (Microsoft, reference of DOCacheHost and of
// DODelayCacheServerFallback…; facts, 2.4). The next download tries the cache hosts again.
//
//   host 0 ──fail──▶ CDN                                    no delay configured
//   host 0 ──fail──▶ host 1 ──fail──▶ wait ──▶ host 0 … ──▶ CDN once the delay has passed
//   CDN ──fail──▶ wait 1, 2, 4 … 30 s ──▶ CDN               (assumed)

import { assertNever } from '../../common/errors.ts';
import type {
  Assumption,
  DownloadEffect,
  DownloadEvent,
  DownloadPolicy,
  PolicySettings,
  Source,
  SourceFailureCause,
} from './download-policy.ts';

/** What is not public of the Windows client (facts, section 6), and what stands in for it. */
export const windowsAssumptions = {
  connectTimeoutMs: 5000,
  /** No body byte for this long: the source has failed. */
  stallTimeoutMs: 20_000,
  retryDelayMsFirst: 1000,
  retryDelayMsMax: 30_000,
  /** Failures in a row without a byte, at the CDN, before the download is given up. */
  failuresInARowMax: 12,
} as const;

export const windowsAssumptionList: readonly Assumption[] = [
  {
    name: 'windows.connectTimeoutMs',
    value: windowsAssumptions.connectTimeoutMs,
    unit: 'ms',
    basis: 'between the 3 s (cache host) and 15 s (CDN) of the open-source Linux client',
  },
  {
    name: 'windows.stallTimeoutMs',
    value: windowsAssumptions.stallTimeoutMs,
    unit: 'ms',
    basis: 'the 20 s of the open-source Linux client',
  },
  {
    name: 'windows.retryDelayMsFirst',
    value: windowsAssumptions.retryDelayMsFirst,
    unit: 'ms',
    basis: 'doubles up to the 30 s of the open-source Linux client',
  },
  {
    name: 'windows.failuresInARowMax',
    value: windowsAssumptions.failuresInARowMax,
    unit: 'failures',
    basis: 'about the 300 s without progress after which the open-source Linux client pauses',
  },
];

/** Four numbers a download. */
export type WindowsState = {
  /** The cache host in use or last used. */
  hostIndex: number;
  onCdn: boolean;
  startedMs: number;
  failuresInARow: number;
};

/** Its downloads share nothing. */
export const windowsPolicy: DownloadPolicy<WindowsState, undefined> = {
  transport: {
    connectTimeoutMs: () => windowsAssumptions.connectTimeoutMs,
    stallBytesPerMs: 0,
    stallTimeMs: windowsAssumptions.stallTimeoutMs,
    ranges: 'pieces',
  },
  assumptions: windowsAssumptionList,
  newAgent: () => undefined,
  initialState: () => ({ hostIndex: 0, onCdn: false, startedMs: 0, failuresInARow: 0 }),

  step(state, event, nowMs, settings) {
    switch (event.kind) {
      case 'started':
        state.startedMs = nowMs;
        state.onCdn = settings.cacheHostCount === 0;
        return [{ kind: 'transfer', source: sourceOf(state) }];
      case 'sourceFinished':
        return [{ kind: 'done' }];
      case 'sourceFailed':
        return afterFailure(state, event, nowMs, settings);
      case 'timer':
        if (!state.onCdn && nowMs >= fallbackAtMs(state, settings)) state.onCdn = true;
        return [{ kind: 'transfer', source: sourceOf(state) }];
      default:
        return assertNever(event);
    }
  },
};

function afterFailure(
  state: WindowsState,
  event: Extract<DownloadEvent, { kind: 'sourceFailed' }>,
  nowMs: number,
  settings: PolicySettings,
): readonly DownloadEffect[] {
  state.failuresInARow = event.progressed ? 1 : state.failuresInARow + 1;
  if (state.onCdn) return retryCdn(state, event.cause, nowMs);
  if (nowMs >= fallbackAtMs(state, settings)) {
    state.onCdn = true;
    state.failuresInARow = 0;
    return [{ kind: 'transfer', source: { kind: 'cdn' } }];
  }
  state.hostIndex = (state.hostIndex + 1) % settings.cacheHostCount;
  // Each host once without waiting, then a pause: a host that refuses must not be asked in a loop.
  const roundIsOver = state.failuresInARow % settings.cacheHostCount === 0;
  if (!roundIsOver) return [{ kind: 'transfer', source: sourceOf(state) }];
  const retryAtMs = nowMs + retryDelayMs(state.failuresInARow / settings.cacheHostCount);
  return [{ kind: 'armTimer', atMs: Math.min(retryAtMs, fallbackAtMs(state, settings)) }];
}

function retryCdn(state: WindowsState, cause: SourceFailureCause, nowMs: number): readonly DownloadEffect[] {
  if (state.failuresInARow >= windowsAssumptions.failuresInARowMax) return [{ kind: 'failed', cause }];
  return [{ kind: 'armTimer', atMs: nowMs + retryDelayMs(state.failuresInARow) }];
}

/** Without a delay policy the first failure is the end of the cache host. */
function fallbackAtMs(state: WindowsState, settings: PolicySettings): number {
  return settings.fallbackDelayMs === undefined ? Number.NEGATIVE_INFINITY : state.startedMs + settings.fallbackDelayMs;
}

function retryDelayMs(attempt: number): number {
  const { retryDelayMsFirst, retryDelayMsMax } = windowsAssumptions;
  return Math.min(retryDelayMsMax, retryDelayMsFirst * 2 ** (attempt - 1));
}

function sourceOf(state: WindowsState): Source {
  return state.onCdn ? { kind: 'cdn' } : { kind: 'cacheHost', index: state.hostIndex };
}
