// The server of operators' interfaces: routes by method and path, each answered as JSON or text. What is served is in
// routes.ts; who may ask, in admin-guard.ts.

import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../../common/address.ts';
import { errorCode, OperatorError } from '../../common/errors.ts';

/** What a route answers: `body` goes out as JSON, `text` as it is. */
export type AdminAnswer = {
  readonly status: number;
  readonly fields?: Readonly<Record<string, string>>;
} /** Indented for people, unless it may be long. */ & (
  | { readonly body: unknown; readonly isLong?: true }
  | { readonly text: string; readonly type: string }
);

/** `query`: what stands after the `?`, not decoded. */
export type AdminRoute = (query: string, request: IncomingMessage) => AdminAnswer | Promise<AdminAnswer>;

/** By method and path, such as `GET /books`. */
export type AdminRoutes = Readonly<Record<string, AdminRoute>>;

/** Decides before any route; undefined: the request may go on. */
export type AdminGuard = (request: IncomingMessage) => AdminAnswer | undefined;

const headTimeoutMs = 10_000;

/** Starts a server; resolves to where it listens. `option` is what a failure to listen is blamed on. */
export async function serveAdmin(
  option: string,
  address: Address,
  guard: AdminGuard,
  routes: AdminRoutes,
): Promise<Address> {
  const server = http.createServer({ headersTimeout: headTimeoutMs }, (request, response) => {
    void answerOf(request, guard, routes).then((answer) => {
      const [body, type] =
        'text' in answer
          ? [answer.text, answer.type]
          : [`${JSON.stringify(answer.body, undefined, answer.isLong === true ? undefined : 1)}\n`, 'application/json'];
      response.writeHead(answer.status, {
        ...{ 'Content-Type': type, 'Content-Length': String(Buffer.byteLength(body)) },
        ...{ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...answer.fields },
      });
      response.end(request.method === 'HEAD' ? undefined : body);
      request.resume(); // no route takes a body
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = formatAddress(address);
      reject(new OperatorError('CANNOT_LISTEN', `${option} ${where}: cannot listen there (${errorCode(error)}).`, 3));
    });
    server.listen(address.port, address.host, resolve);
  });
  return { host: address.host, port: (server.address() as AddressInfo).port };
}

async function answerOf(request: IncomingMessage, guard: AdminGuard, routes: AdminRoutes): Promise<AdminAnswer> {
  const refused = guard(request);
  if (refused !== undefined) return refused;
  const [path = '', ...rest] = (request.url ?? '').split('?');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = routes[`${method} ${path}`];
  if (route === undefined) return noRoute(`${method}`, path, routes);
  try {
    return await route(rest.join('?'), request);
  } catch (error) {
    process.stderr.write(`cache node: ${method} ${path}: ${error instanceof Error ? error.stack : String(error)}\n`);
    return { status: 500, body: { error: errorCode(error) } };
  }
}

function noRoute(method: string, path: string, routes: AdminRoutes): AdminAnswer {
  const names = Object.keys(routes);
  const allowed = names.filter((name) => name.endsWith(` ${path}`)).map((name) => name.split(' ', 1)[0]);
  const body = { error: `expected ${names.join(', ')}; found ${method} ${path}` };
  return allowed.length > 0 ? { status: 405, body, fields: { Allow: allowed.join(', ') } } : { status: 404, body };
}
