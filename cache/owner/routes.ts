// What operators and the simulator ask the node for, route by route.

import type { IncomingMessage } from 'node:http';
import type { Address } from '../../common/address.ts';
import { formatAddress } from '../../common/address.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { prometheusContentType } from '../../common/prometheus-text.ts';
import type { OriginTable } from '../http/origin-table.ts';
import type { KeyQuery } from '../settings.ts';
import type { AdminAnswer, AdminRoutes } from './admin.ts';
import { refusal } from './admin-guard.ts';
import type { Fills } from './fills.ts';
import { type Condition, checkContent, documentedTestUrl, healthOf } from './health.ts';
import { argument, asUrl, inspect, keyOf } from './inspect.ts';
import { type Build, exposition } from './metrics.ts';
import type { Figures } from './numbers.ts';
import type { Answers } from './roll-call.ts';
import type { SummaryReport } from './summary.ts';

/** What the routes are about. */
export type AdminSubject = {
  readonly fills: Fills;
  readonly origins: OriginTable;
  readonly keyQuery: KeyQuery;
  readonly summary: SummaryReport;
  readonly build: Build;
  listen(): Address;
  condition(): Condition;
  figures(): Promise<Figures>;
  ledger(): Promise<{ readonly served: readonly LedgerEntry[]; readonly upstream: readonly LedgerEntry[] }>;
  /** Resolves once the journals hold, and all workers have heard, what was changed so far. */
  confirm(): Promise<Answers>;
};

export function adminRoutes(subject: AdminSubject): AdminRoutes {
  const routes: AdminRoutes = {
    'GET /': () => ok({ routes: Object.keys(routes) }),
    'GET /health': (query) => (hasContent(query) ? contentHealth(subject, query) : health(subject)),
    'GET /ready': () => {
      const { ready, reasons } = healthOf(subject.condition());
      return { status: ready ? 200 : 503, body: { ready, reasons } };
    },
    ...summaryRoutes(subject),
    'GET /metrics': async () => ({
      ...{ status: 200, type: prometheusContentType, text: exposition(await subject.figures(), subject.build) },
    }),
    'GET /books': async () => {
      const { books, drives, index } = await subject.figures();
      const driveBytes = drives.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
      const loadingDriveCount = drives.filter(({ state }) => state === 'loading' || state === 'sweeping').length;
      return ok({ ...books, storedBytes: index.storedBytes, driveBytes, loadingDriveCount });
    },
    'GET /ledger': async () => ({ status: 200, body: await subject.ledger(), isLong: true }),
    'GET /objects': (query) => show(subject, query),
    'DELETE /objects': (query) => purge(subject, query),
    'POST /objects/refresh': (query) => refresh(subject, query),
  };
  return routes;
}

/** The report under the paths that Microsoft documents: /summary (Device Update), /details (enterprise). */
export function summaryRoutes(subject: Pick<AdminSubject, 'figures' | 'summary'>): AdminRoutes {
  const report = async (): Promise<AdminAnswer> => {
    const { books } = await subject.figures();
    return ok(subject.summary.report({ atMs: Date.now(), monotonicMs: performance.now(), books }));
  };
  return { 'GET /summary': report, 'GET /details': report };
}

/** Refuses what comes from a page of another site, or under a foreign name. */
export function adminGuard(boundHost: string): (request: IncomingMessage) => AdminAnswer | undefined {
  return ({ headers }) => {
    const fetchSite = headers['sec-fetch-site'];
    const caller = {
      ...{ host: headers.host, origin: headers.origin },
      fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
    };
    const error = refusal(caller, boundHost);
    return error === undefined ? undefined : { status: 403, body: { error } };
  };
}

const ok = (body: unknown): AdminAnswer => ({ status: 200, body });

const hasContent = (query: string): boolean => /(^|&)content(=|&|$)/.test(query);

function health({ condition, listen }: AdminSubject): AdminAnswer {
  const now = condition();
  const { workersReady, workersExpected, drives } = now;
  const found = healthOf(now);
  const body = { ...found, listen: formatAddress(listen()), workersReady, workersExpected, drives };
  return { status: found.healthy ? 200 : 503, body };
}

async function contentHealth({ listen }: AdminSubject, query: string): Promise<AdminAnswer> {
  const wanted = argument(query, 'content') ?? '';
  const text = wanted === '' ? documentedTestUrl : asUrl(wanted);
  if (!URL.canParse(text)) {
    return { status: 400, body: { error: `expected ?content=http://host/path, found ${wanted}` } };
  }
  const check = await checkContent(listen(), new URL(text));
  return { status: check.healthy ? 200 : 503, body: check };
}

function show(subject: AdminSubject, query: string): AdminAnswer {
  const found = wanted(subject, query);
  if ('status' in found) return found;
  const object = subject.fills.find(found.key);
  const isKnown = object !== undefined && (object.current !== undefined || object.older.length > 0);
  return isKnown
    ? ok(inspect(object, Date.now()))
    : { status: 404, body: { error: `nothing is stored of ${found.key}`, key: found.key } };
}

/** From its answer on no worker begins an answer from what was stored. */
async function purge(subject: AdminSubject, query: string): Promise<AdminAnswer> {
  const found = wanted(subject, query);
  if ('status' in found) return found;
  const object = subject.fills.find(found.key);
  const before = object === undefined ? [] : inspect(object, Date.now()).generations;
  subject.fills.purge(found.key);
  return await confirmed(subject, {
    key: found.key,
    purgedGenerationCount: before.length,
    purgedBytes: before.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  });
}

async function refresh(subject: AdminSubject, query: string): Promise<AdminAnswer> {
  const found = wanted(subject, query);
  if ('status' in found) return found;
  const generation = subject.fills.expire(found.key);
  return generation === undefined
    ? { status: 404, body: { error: `nothing is stored of ${found.key}`, key: found.key } }
    : await confirmed(subject, { key: found.key, generation: generation.meta.id });
}

async function confirmed(subject: AdminSubject, body: Readonly<Record<string, unknown>>): Promise<AdminAnswer> {
  const { answers, silentCount } = await subject.confirm();
  const confirmedBy = { workersConfirmed: answers.length, workersSilent: silentCount };
  if (silentCount === 0) return ok({ ...body, ...confirmedBy });
  const error = `${silentCount} workers have not confirmed yet; ask again`;
  return { status: 504, body: { ...body, ...confirmedBy, error } };
}

/** The key that a query names; or why it cannot be said. */
function wanted(subject: AdminSubject, query: string): { readonly key: string } | AdminAnswer {
  if (subject.condition().isLoading) {
    return { status: 503, body: { error: 'the index is being loaded; ask again' }, fields: { 'Retry-After': '1' } };
  }
  const found = keyOf(query, subject.origins, subject.keyQuery);
  return 'error' in found ? { status: 400, body: found } : found;
}
