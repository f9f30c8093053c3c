// Linux: the open-source agent of Delivery Optimization (do-client 8362e36: download.cpp, download_progress_tracker.h),
// as measured against scripted servers (facts on the Linux client). One request for all that is left.
//
//   C ──fail──▶ CDN ──▶ CDN ──▶ C ──▶ C ──▶ CDN …       no delay configured: two tries without a byte, then the other
//   C ──fail──▶ C ──▶ C … ──▶ CDN, for good             with a delay: C until it has passed
//   C banned ──▶ CDN                                     whatever the delay
//
// It waits 2, 4, 8, 16, 30, 30 … s between tries, but not when it leaves the cache host; without a byte for 300 s it
// gives up. A client error of the CDN ends it at once, and one of the cache host when the CDN is forbidden.

import { assert, assertNever } from '../../common/errors.ts';
import type {
  Assumption,
  DownloadEffect,
  DownloadEvent,
  DownloadPolicy,
  PolicySettings,
  SourceFailureCause,
} from './download-policy.ts';
import {
  banCacheHost,
  closeTransfer,
  isCacheHostBanned,
  type LinuxAgent,
  newLinuxAgent,
  openTransfer,
} from './linux-agent.ts';

/** Read in the source, and measured. */
export const linuxConstants = {
  /** A try to connect, of a download whose first request goes to a cache host. */
  connectTimeoutMsCacheHost: 3000,
  connectTimeoutMsCdn: 15_000,
  stallBytesPerMs: 4,
  stallTimeMs: 20_000,
  retryDelayMsMax: 30_000,
  /** Tries on one side without a byte, before the other side is tried again. */
  triesPerSide: 2,
  progressCheckMs: 10_000,
  /** Without a byte for so long, counted from one of the checks, it gives up. */
  noProgressMs: 300_000,
} as const;

export const linuxAssumptionList: readonly Assumption[] = [
  {
    name: 'linux.cacheHostCountMax',
    value: 1,
    unit: 'host',
    basis: 'with a list in DOCacheHost the real client fails every download at once; here it uses the first host',
  },
];

/** Delays are doubled before use: the first one is 2 s. */
const retryDelayMsAtStart = 1000;

/** The two places that a request can go to. */
type Side = 'cacheHost' | 'cdn';

export type LinuxState = {
  readonly agent: LinuxAgent;
  readonly origin: string;
  startedMs: number;
  lastProgressMs: number;
  /** Of the last request. */
  side: Side | undefined;
  triesOnSide: number;
  progressed: boolean;
  lastFailure: SourceFailureCause | undefined;
  cdnWasTried: boolean;
  /** The fallback delay has passed and was acted on: this download never returns. */
  leftCacheHostForGood: boolean;
  /** The last one, to be doubled. */
  retryDelayMs: number;
};

/** With several cache hosts in the settings, only the first one is used (`linuxAssumptionList` says why). */
export const linuxPolicy: DownloadPolicy<LinuxState, LinuxAgent> = {
  transport: {
    // It is set when the first request is made, and stays for the download's other ones.
    connectTimeoutMs: ({ cacheHostCount }) =>
      cacheHostCount > 0 ? linuxConstants.connectTimeoutMsCacheHost : linuxConstants.connectTimeoutMsCdn,
    stallBytesPerMs: linuxConstants.stallBytesPerMs,
    stallTimeMs: linuxConstants.stallTimeMs,
    ranges: 'rest',
  },
  assumptions: linuxAssumptionList,
  newAgent: newLinuxAgent,
  initialState: (agent, origin) => ({
    agent,
    origin,
    startedMs: 0,
    lastProgressMs: 0,
    side: undefined,
    triesOnSide: 0,
    progressed: false,
    lastFailure: undefined,
    cdnWasTried: false,
    leftCacheHostForGood: false,
    retryDelayMs: retryDelayMsAtStart,
  }),

  step(state, event, nowMs, settings) {
    switch (event.kind) {
      case 'started':
        state.startedMs = nowMs;
        state.lastProgressMs = nowMs;
        return [send(state, 'cacheHost', nowMs, settings)];
      case 'sourceFinished':
        closeTransfer(state.agent);
        return [{ kind: 'done' }];
      case 'sourceFailed':
        closeTransfer(state.agent);
        return [failed(state, event, nowMs, settings)];
      case 'timer':
        return [retry(state, nowMs, settings)];
      default:
        return assertNever(event);
    }
  },
};

function failed(
  state: LinuxState,
  { cause, progressed, isFatal: cannotGoOn = false }: Extract<DownloadEvent, { kind: 'sourceFailed' }>,
  nowMs: number,
  settings: PolicySettings,
): DownloadEffect {
  state.progressed = progressed;
  state.lastFailure = cause;
  if (progressed) state.lastProgressMs = nowMs;
  if (state.side === 'cacheHost') banCacheHost(state.agent, state.origin, cause, nowMs);
  if (cannotGoOn || isFatal(state, cause, settings) || nowMs >= giveUpAtMs(state)) return { kind: 'failed', cause };
  if (leavesCacheHost(state, cause, nowMs, settings)) {
    state.retryDelayMs = retryDelayMsAtStart;
    return retry(state, nowMs, settings);
  }
  state.retryDelayMs = Math.min(linuxConstants.retryDelayMsMax, state.retryDelayMs * 2);
  return { kind: 'armTimer', atMs: Math.min(nowMs + state.retryDelayMs, giveUpAtMs(state)) };
}

function isFatal(state: LinuxState, cause: SourceFailureCause, settings: PolicySettings): boolean {
  return cause === 'status4xx' && (state.side === 'cdn' || settings.fallbackDelayMs === Number.POSITIVE_INFINITY);
}

/** Whether the next try is at the CDN, at once. A host that is banned without an answer is left after a pause. */
function leavesCacheHost(
  state: LinuxState,
  cause: SourceFailureCause,
  nowMs: number,
  settings: PolicySettings,
): boolean {
  if (state.side !== 'cacheHost') return false;
  if (cause === 'status4xx') return true;
  return settings.fallbackDelayMs === undefined ? !state.cdnWasTried : isFallbackDue(state, nowMs, settings);
}

function retry(state: LinuxState, nowMs: number, settings: PolicySettings): DownloadEffect {
  assert(state.lastFailure !== undefined, 'a retry follows a failure');
  if (nowMs >= giveUpAtMs(state)) return { kind: 'failed', cause: state.lastFailure };
  return send(state, nextSide(state, nowMs, settings), nowMs, settings);
}

function nextSide(state: LinuxState, nowMs: number, settings: PolicySettings): Side {
  if (settings.fallbackDelayMs !== undefined) {
    if (isFallbackDue(state, nowMs, settings)) state.leftCacheHostForGood = true;
    return state.side ?? 'cacheHost';
  }
  if (state.side === 'cacheHost' && !state.cdnWasTried) return 'cdn';
  const stays = state.progressed || state.triesOnSide < linuxConstants.triesPerSide;
  if (stays) return state.side ?? 'cacheHost';
  return state.side === 'cdn' ? 'cacheHost' : 'cdn';
}

/** Sends the next request to the cache host if it is wanted and can be used, else to the CDN. */
function send(state: LinuxState, wanted: Side, nowMs: number, settings: PolicySettings): DownloadEffect {
  const canUseCacheHost =
    settings.cacheHostCount > 0 && !state.leftCacheHostForGood && !isCacheHostBanned(state.agent, state.origin, nowMs);
  const side = wanted === 'cacheHost' && canUseCacheHost ? 'cacheHost' : 'cdn';
  state.triesOnSide = side === state.side ? state.triesOnSide + 1 : 1;
  state.side = side;
  if (side === 'cdn') state.cdnWasTried = true;
  const source = side === 'cdn' ? ({ kind: 'cdn' } as const) : ({ kind: 'cacheHost', index: 0 } as const);
  return { kind: 'transfer', source, afterMs: openTransfer(state.agent, nowMs) };
}

function isFallbackDue(state: LinuxState, nowMs: number, settings: PolicySettings): boolean {
  return settings.fallbackDelayMs !== undefined && nowMs >= state.startedMs + settings.fallbackDelayMs;
}

/** Checks every 10 s see the last byte at the first check after it, and then count to 300 s. */
function giveUpAtMs(state: LinuxState): number {
  const { progressCheckMs, noProgressMs } = linuxConstants;
  const checks = Math.ceil((state.lastProgressMs - state.startedMs) / progressCheckMs);
  return state.startedMs + checks * progressCheckMs + noProgressMs;
}
