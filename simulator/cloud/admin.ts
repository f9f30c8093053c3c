// The CDN's admin interface: its books, and what changes during a run. JSON in and out; a request that cannot be carried
// out is a 400 whose "error" says what was expected.

import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Books } from './books.ts';
import { type FaultTable, faultExamples, faultSchema } from './faults.ts';
import type { ObjectTable } from './objects.ts';

/** What the admin interface shows and changes. */
export type AdminSubject = {
  readonly name: string;
  readonly objects: ObjectTable;
  readonly faults: FaultTable;
  readonly books: Books;
  /** Whether the ledger is kept. */
  readonly ledger: boolean;
};

const versionNumber = z
  .number()
  .int()
  .min(1)
  .max(2 ** 32 - 1);
const objectSchema = z.strictObject({
  id: z.string().min(1),
  host: z.string().regex(/^[^\s/:]+(:[0-9]+)?$/),
  path: z.string().regex(/^\/[^?#\s]*$/),
  sizeBytes: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  version: versionNumber.optional(),
});
const objectsSchema = z.union([objectSchema, z.array(objectSchema)]);
const versionSchema = z.strictObject({ id: z.string().min(1) });

const objectExample =
  '{"id":"feature-update","host":"au.download.windowsupdate.com","path":"/files/feature-update","sizeBytes":2000000000} (path without query; "version" optional), or a list of these';

type Reply = { readonly status: number; readonly body: unknown };
type Route = (subject: AdminSubject, body: string) => Reply;

const routes: Readonly<Record<string, Route>> = {
  'GET /health': ({ name }) => ok({ status: 'ok', name }),
  'GET /books': ({ books }) => ok(books.snapshot()),
  'GET /ledger': ({ books, ledger }) =>
    ledger ? ok(books.ledger()) : refused('the ledger is off: start the CDN with --ledger to keep closed connections'),
  'GET /faults': ({ faults }) => ok(faults.list()),
  'POST /faults': ({ faults }, body) =>
    parsed(body, faultSchema, faultExamples, (order) => ok({ id: faults.add(order) })),
  'DELETE /faults': ({ faults }) => {
    const clearedCount = faults.list().length;
    faults.clear();
    return ok({ clearedCount });
  },
  'POST /objects': ({ objects }, body) =>
    parsed(body, objectsSchema, objectExample, (orders) => {
      const all = Array.isArray(orders) ? orders : [orders];
      for (const { version, ...registration } of all) objects.register(registration, version);
      const registered = all.map(({ id }) => ({ id, version: objects.versionOf(id) }));
      return ok(Array.isArray(orders) ? registered : registered[0]);
    }),
  'POST /version': ({ objects }, body) =>
    parsed(body, versionSchema, '{"id":"feature-update"}', ({ id }) => ok({ version: objects.bumpVersion(id) })),
};

const bodyBytesMax = 1024 * 1024;

/** Answers one admin request. */
export async function administer(
  subject: AdminSubject,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').replace(/\?.*$/, '');
  const key = `${request.method} ${path}`;
  const route = Object.hasOwn(routes, key) ? routes[key] : undefined;
  const body = await readBody(request);
  const reply = route === undefined ? unknownRoute(key) : body === undefined ? tooLarge() : route(subject, body);
  const text = `${JSON.stringify(reply.body)}\n`;
  response
    .writeHead(reply.status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
    .end(text);
}

const ok = (body: unknown): Reply => ({ status: 200, body });
const refused = (error: string): Reply => ({ status: 400, body: { error } });
const tooLarge = (): Reply => refused(`a body of at most ${bodyBytesMax} bytes was expected`);

const unknownRoute = (key: string): Reply => ({
  status: 404,
  body: { error: `there is no "${key}"; known are ${Object.keys(routes).join(', ')}` },
});

function parsed<T>(body: string, schema: z.ZodType<T>, example: string, run: (value: T) => Reply): Reply {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    return refused(`the body is not JSON (${(error as Error).message}); expected ${example}`);
  }
  const result = schema.safeParse(json);
  if (result.success) return run(result.data);
  const issues = result.error.issues.flatMap((issue) => (issue.code === 'invalid_union' ? [] : [issue]));
  const found =
    issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; ') ||
    `found ${body.slice(0, 200)}`;
  return refused(`${found}; expected ${example}`);
}

/** The request's body as text; undefined when it is too long or broken off. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes > bodyBytesMax ? undefined : Buffer.concat(chunks).toString('utf8');
}
