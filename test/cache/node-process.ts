// What the node's tests share: a CDN and a node as real programs on free ports over a temporary folder, and a client that
// sees heads as they came. Whatever a test does, both programs and the folder are gone afterwards.

import { Buffer } from 'node:buffer';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import type { Books } from '../../cache/books.ts';
import { type Address, parseAddress } from '../../common/address.ts';
import { programPath, type ReadyLine } from '../../common/child-program.ts';
import { ContentFunction, describeDifference, versionOfEtag } from '../../common/content.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import type { CdnBooks } from '../../simulator/cloud/books.ts';

/** The host that the node may fetch from; its content is at the CDN. */
export const origin = 'content.test';

export type Program = {
  readonly child: ChildProcess;
  readonly listen: Address;
  readonly admin: Address;
  readonly pid: number;
  /** What it wrote to standard error so far. */
  log(): string;
  /** Sends a signal; resolves to the exit code, or the signal's name, once it has ended. */
  end(signal: NodeJS.Signals): Promise<number | string>;
};

/** A program that ended before it was ready. */
export class StartFailure extends Error {
  readonly exitCode: number | null;
  readonly log: string;

  constructor(exitCode: number | null, log: string) {
    super(`ended with ${exitCode} before it was ready: ${log}`);
    this.exitCode = exitCode;
    this.log = log;
  }
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startProgram(
  name: 'cache/main' | 'simulator/cloud/main',
  args: string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const child = spawn(process.execPath, [programPath(name), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  running.add(child);
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]) => {
    running.delete(child);
    return code ?? signal ?? 'unknown';
  });
  const lines = createInterface({ input: child.stdout });
  const ready = await Promise.race([once(lines, 'line').then(([line]) => String(line)), ended]);
  if (typeof ready !== 'string' || !ready.startsWith('{')) throw new StartFailure(child.exitCode, log);
  const { listen, admin, pid } = JSON.parse(ready) as ReadyLine;
  return {
    child,
    listen: address(listen),
    admin: address(admin),
    pid,
    log: () => log,
    end: (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return ended;
    },
  };
}

export type SetupOptions = {
  readonly cdn?: readonly string[];
  readonly node?: readonly string[];
  /** Default: one of 200 MB below the temporary folder. Paths are relative to it. */
  readonly drives?: readonly string[];
  readonly workers?: number;
};

/** A CDN with a node in front of it. */
export class Setup {
  readonly folder: string;
  readonly cdn: Program;
  readonly #options: SetupOptions;
  #node: Program | undefined;

  private constructor(folder: string, cdn: Program, options: SetupOptions) {
    this.folder = folder;
    this.cdn = cdn;
    this.#options = options;
  }

  static async start(options: SetupOptions = {}): Promise<Setup> {
    const folder = mkdtempSync(join(tmpdir(), 'cache-node-'));
    const cdn = await startProgram('simulator/cloud/main', ['--exit-with-parent', '--ledger', ...(options.cdn ?? [])]);
    const setup = new Setup(folder, cdn, options);
    try {
      await setup.startNode();
    } catch (error) {
      await setup.stop();
      throw error;
    }
    return setup;
  }

  get node(): Program {
    if (this.#node === undefined) throw new Error('the node was not started');
    return this.#node;
  }

  /** Starts the node (again), on the same drives. */
  async startNode(more: readonly string[] = []): Promise<void> {
    const { drives = ['drive=200MB'], workers = 1, node = [] } = this.#options;
    this.#node = await startProgram('cache/main', [
      ...['--listen', '127.0.0.1:0', '--exit-with-parent', '--ledger', '--workers', String(workers)],
      ...drives.flatMap((drive) => ['--drive', join(this.folder, drive)]),
      ...['--origin', `${origin}=127.0.0.1:${this.cdn.listen.port}`, ...node, ...more],
    ]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#node?.end('SIGKILL'), this.cdn.end('SIGKILL')]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  get(path: string, headers: Record<string, string> = {}, more: Partial<Question> = {}): Promise<Reply> {
    return ask({ port: this.node.listen.port, path, headers: { Host: origin, ...headers }, ...more });
  }

  async books(): Promise<
    Books & { readonly driveBytes: number; readonly storedBytes: number; readonly loadingDriveCount: number }
  > {
    return (await adminJson(this.node, 'GET', '/books')) as never;
  }

  async ledger(): Promise<{ readonly served: readonly LedgerEntry[]; readonly upstream: readonly LedgerEntry[] }> {
    return (await adminJson(this.node, 'GET', '/ledger')) as never;
  }

  async cdnBooks(): Promise<CdnBooks> {
    return (await adminJson(this.cdn, 'GET', '/books')) as CdnBooks;
  }

  async cdnLedger(): Promise<readonly LedgerEntry[]> {
    return (await adminJson(this.cdn, 'GET', '/ledger')) as LedgerEntry[];
  }

  /** What the CDN sent of an object, over all versions. */
  async cdnOf(id: string): Promise<{ readonly bodyBytes: number; readonly requestCount: number }> {
    const { objects } = await this.cdnBooks();
    const all = objects.filter((object) => object.id === id);
    return {
      bodyBytes: all.reduce((sum, object) => sum + object.bodyBytes, 0),
      requestCount: all.reduce((sum, object) => sum + object.requestCount, 0),
    };
  }

  async fault(order: Record<string, unknown>): Promise<void> {
    await adminJson(this.cdn, 'POST', '/faults', order);
  }

  async clearFaults(): Promise<void> {
    await adminJson(this.cdn, 'DELETE', '/faults');
  }

  async newVersion(id: string): Promise<void> {
    await adminJson(this.cdn, 'POST', '/version', { id });
  }

  /** Bytes of blocks under a drive's folder, files and folders. */
  diskBytes(drive = 'drive'): number {
    return blocksUnder(join(this.folder, drive));
  }
}

/** Runs `use` with a setup that is stopped whatever happens. */
export async function withSetup(options: SetupOptions, use: (setup: Setup) => Promise<void>): Promise<void> {
  const setup = await Setup.start(options);
  try {
    await use(setup);
  } finally {
    await setup.stop();
  }
}

export type Question = {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers: Record<string, string | string[]>;
  readonly agent?: http.Agent;
  readonly body?: string;
  /** Gives the request up after so long; default: never. */
  readonly timeoutMs?: number;
  /** Called with each part of the body. */
  readonly onBody?: (bytes: number, request: http.ClientRequest) => void;
};

export type Reply = {
  /** 0: the connection broke before a head. */
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Whether the body came in full. */
  readonly complete: boolean;
};

/** One request; a connection that breaks is a reply, not an exception. */
export function ask(question: Question): Promise<Reply> {
  const { port, path, method = 'GET', headers, agent, onBody } = question;
  return new Promise((resolve) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: agent ?? false });
    const nothing = { status: 0, headers: {}, rawHeaders: [], body: Buffer.alloc(0), complete: false };
    if (question.timeoutMs !== undefined) request.setTimeout(question.timeoutMs, () => request.destroy());
    request.on('error', () => resolve(nothing));
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      const done = (): void => {
        const { statusCode = 0, headers: fields, rawHeaders, complete } = response;
        resolve({ status: statusCode, headers: fields, rawHeaders, body: Buffer.concat(parts), complete });
      };
      response.on('data', (part: Buffer) => {
        parts.push(part);
        onBody?.(part.length, request);
      });
      response.on('end', done).on('error', done);
    });
    request.end(question.body);
  });
}

/** Sends text as it is; resolves to all that came until the connection ended. */
export async function raw(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part)).on('error', () => socket.destroy());
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
}

export async function adminJson(program: Program, method: string, path: string, body?: unknown): Promise<unknown> {
  const reply = await ask({
    port: program.admin.port,
    path,
    method,
    headers: {},
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.body}`);
  return JSON.parse(reply.body.toString());
}

/** Expects the bytes from `offset` of a version of an object. */
export function expectContent(body: Buffer, id: string, offset = 0, version = 1): void {
  const content = new ContentFunction(id, version);
  const wrong = content.firstDifference(body, 0, offset, body.length);
  expect(wrong < 0 ? 'right' : describeDifference(content, body, 0, offset, body.length)).toBe('right');
}

/** Expects the bytes that the reply's own ETag names; returns the version. */
export function expectOwnContent(reply: Reply, id: string, offset = 0): number {
  const version = versionOfEtag(reply.headers.etag ?? '', id);
  expect(version).toBeDefined();
  expectContent(reply.body, id, offset, version);
  return version ?? 0;
}

/** Asks for an object of so many bytes, and expects all of it. */
export async function expectWhole(setup: Setup, id: string, sizeBytes: number): Promise<void> {
  const reply = await setup.get(`/object/${id}/${sizeBytes}`);
  expect([reply.status, reply.complete, reply.body.length]).toEqual([200, true, sizeBytes]);
  expectContent(reply.body, id);
}

/** Resolves once the journals hold what was said before: what a purge answers stands in them, behind all of it. */
export async function journalWritten(setup: Setup): Promise<void> {
  await adminJson(setup.node, 'DELETE', `/objects?url=http://${origin}/object/none/1`);
}

/** Polls until `read` gives what `isRight` wants; the test's time-out bounds it. */
export async function until<T>(read: () => T | Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isRight(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The processes whose parent is `pid` (Linux). */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** Whether a process runs (Linux); one that has ended and that its new parent has not yet asked for does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // there is none
  }
}

/** Bytes of blocks of a folder and all that is in it. */
export function blocksUnder(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  const below = found.isDirectory() ? readdirSync(path).map((name) => blocksUnder(join(path, name))) : [];
  return below.reduce((sum, bytes) => sum + bytes, found.blocks * 512);
}

/**
 * No more than the bytes of blocks that a folder had at one instant, while others write and remove there: of each file the
 * lesser of what it had before that instant and after it. (A single walk counts a file that is then removed, and what grew
 * into its place.)
 */
export function blocksAtOnce(path: string): number {
  const before = blocksByFile(path, new Map());
  const after = blocksByFile(path, new Map());
  let bytes = 0;
  for (const [file, blocks] of before) bytes += Math.min(blocks, after.get(file) ?? 0);
  return bytes;
}

function blocksByFile(path: string, all: Map<string, number>): Map<string, number> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return all;
  all.set(path, found.blocks * 512);
  if (found.isDirectory()) for (const name of readdirSync(path)) blocksByFile(join(path, name), all);
  return all;
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}
