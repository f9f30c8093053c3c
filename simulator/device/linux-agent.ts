// What all downloads of one Linux device share: which cache host is banned until when, and the loop that all requests
// leave by.
//
//   nothing open:     a request leaves 100 ms after it is due, and the loop's windows of 2 s begin
//   something open:   it leaves at the end of the window
//
// Both are of libcurl's loop in the open-source agent (do-client 8362e36, do_curl_wrappers.cpp, mcc_manager.cpp),
// measured (facts on the Linux client).

import type { SourceFailureCause } from './download-policy.ts';

/** In memory, so a restart of the agent forgets it. */
export const banMs = 15 * 60_000;
/** The loop sleeps so long when it has no socket to wait for. */
export const departureDelayMs = 100;
/** How often the loop looks for new requests while it has some. */
export const departureWindowMs = 2000;

export type LinuxAgent = {
  /** Requests on their way or about to leave. */
  openTransferCount: number;
  /** When the first of them was due: windows are counted from here. */
  windowsStartMs: number;
  bannedUntilMs: number;
  /** Bans for the content of one host only; absent until the first one. */
  bannedUntilMsByOrigin: Map<string, number> | undefined;
};

export const newLinuxAgent = (): LinuxAgent => ({
  openTransferCount: 0,
  windowsStartMs: 0,
  bannedUntilMs: Number.NEGATIVE_INFINITY,
  bannedUntilMsByOrigin: undefined,
});

/** Opens a transfer that is due now; gives how long it waits before its request leaves. */
export function openTransfer(agent: LinuxAgent, nowMs: number): number {
  agent.openTransferCount += 1;
  if (agent.openTransferCount === 1) {
    agent.windowsStartMs = nowMs;
    return departureDelayMs;
  }
  return departureWindowMs - ((nowMs - agent.windowsStartMs) % departureWindowMs);
}

export function closeTransfer(agent: LinuxAgent): void {
  agent.openTransferCount -= 1;
}

/**
 * The cache host failed. A client error says that it is there, but has nothing of this origin; without an answer it is
 * banned for everything. Anything else (5xx, reset, wrong or garbled bytes) bans nothing.
 */
export function banCacheHost(agent: LinuxAgent, origin: string, cause: SourceFailureCause, nowMs: number): void {
  if (cause === 'status4xx') {
    // Without ??=, which the JavaScript of exported scripts (k6) does not know.
    const bans = agent.bannedUntilMsByOrigin ?? new Map<string, number>();
    agent.bannedUntilMsByOrigin = bans.set(origin, nowMs + banMs);
  } else if (cause === 'refused' || cause === 'timeout' || cause === 'stall') agent.bannedUntilMs = nowMs + banMs;
}

export function isCacheHostBanned(agent: LinuxAgent, origin: string, nowMs: number): boolean {
  const bannedUntilMsOfOrigin = agent.bannedUntilMsByOrigin?.get(origin) ?? Number.NEGATIVE_INFINITY;
  return nowMs < Math.max(agent.bannedUntilMs, bannedUntilMsOfOrigin);
}
