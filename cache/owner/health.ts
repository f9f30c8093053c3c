// Whether the node is well: at a glance (processes, drives), and by fetching content as a client would.

import http from 'node:http';
import { type Address, formatAddress } from '../../common/address.ts';
import { errorCode } from '../../common/errors.ts';

/** What the glance looks at. */
export type Condition = {
  readonly isLoading: boolean;
  readonly isDraining: boolean;
  readonly workersReady: number;
  readonly workersExpected: number;
  readonly drives: readonly { readonly path: string; readonly failure: string | undefined }[];
};

export type Health = {
  readonly healthy: boolean;
  /** `degraded`: it serves, with less than it should have. */
  readonly state: 'ok' | 'degraded' | 'unhealthy' | 'draining';
  /** Whether it takes requests of clients. */
  readonly ready: boolean;
  readonly reasons: readonly string[];
};

/** Unhealthy: no process serves, no drive is left (content passes through), or the node is ending. */
export function healthOf(condition: Condition): Health {
  const { isLoading, isDraining, workersReady, workersExpected, drives } = condition;
  const failed = drives.filter(({ failure }) => failure !== undefined);
  const reasons: string[] = [];
  if (isDraining) reasons.push('draining: requests under way are finished, new ones are not taken');
  if (isLoading) reasons.push('the index is being loaded');
  if (workersReady === 0) reasons.push('no worker is ready');
  else if (workersReady < workersExpected) reasons.push(`${workersReady} of ${workersExpected} workers are ready`);
  for (const { path, failure } of failed) reasons.push(`drive ${path} failed (${failure})`);
  if (failed.length === drives.length) reasons.push('no drive is left: content passes through');
  const ready = workersReady > 0 && !isDraining;
  const healthy = ready && failed.length < drives.length;
  const state = isDraining ? 'draining' : !healthy ? 'unhealthy' : reasons.length > 0 ? 'degraded' : 'ok';
  return { healthy, state, ready, reasons };
}

/** The object by which Microsoft verifies a node ("Verify cache node"), at its origin. */
export const documentedTestUrl = 'http://au.download.windowsupdate.com/mscomtest/wuidt.gif';

/** How content came through the node's own port. */
export type ContentCheck = {
  readonly healthy: boolean;
  readonly url: string;
  /** 0: no answer. */
  readonly status: number;
  readonly bytes: number;
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  /** The node's Cache-Status field. */
  readonly cacheStatus: string | undefined;
  readonly error: string | undefined;
};

const contentTimeoutMs = 10_000;

/** Fetches `url` (http, its host an origin of the node) at `listen`, to its end or for 10 s. */
export function checkContent(listen: Address, url: URL): Promise<ContentCheck> {
  const startMs = performance.now();
  const elapsedMs = (): number => Math.round((performance.now() - startMs) * 1000) / 1000;
  let status = 0;
  let bytes = 0;
  let firstByteMs: number | undefined;
  let cacheStatus: string | undefined;
  return new Promise((resolve) => {
    const done = (error: string | undefined): void => {
      const healthy = error === undefined && status === 200;
      resolve({
        ...{ healthy, url: url.href, status, bytes, firstByteMs, durationMs: elapsedMs(), cacheStatus },
        error: error ?? (healthy ? undefined : `expected status 200, found ${status}`),
      });
    };
    const request = http.get({
      ...{ host: reachable(listen.host), port: listen.port, path: url.pathname + url.search, agent: false },
      ...{ headers: { Host: url.host, 'User-Agent': 'cache-node-health' } },
      signal: AbortSignal.timeout(contentTimeoutMs),
    });
    const failed = (error: Error): void =>
      done(error.name === 'AbortError' ? `not finished after ${contentTimeoutMs / 1000} s` : errorCode(error));
    request.on('error', failed);
    request.on('response', (response) => {
      status = response.statusCode ?? 0;
      const field = response.headers['cache-status'];
      cacheStatus = typeof field === 'string' ? field : undefined;
      response.on('data', (part: Buffer) => {
        firstByteMs ??= elapsedMs();
        bytes += part.length;
      });
      response.on('end', () =>
        done(response.complete ? undefined : `the body ended early at ${formatAddress(listen)}`),
      );
      response.on('error', failed);
    });
  });
}

/** An address that is bound to everything is reached by loopback. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}
