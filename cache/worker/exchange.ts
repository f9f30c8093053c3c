// One request at a worker, from its line to the end of its answer. It is answered from what the worker knows, or waits
// for the owner: until the first byte is sent a failure can still become a 5xx, after it only the end of the connection.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ByteRange, parseRangeHeader, type RangeSpec, resolveRange } from '../../common/byte-range.ts';
import { IntervalSet } from '../../common/interval-set.ts';
import { isOnlyIfCached, readerOf, staleUse } from '../http/freshness.ts';
import { evaluateConditions, ifRangeHolds } from '../http/preconditions.ts';
import type { RequestTarget } from '../http/request-target.ts';
import type { AskRange, GenerationMeta, OwnerMessage, UpstreamTarget } from '../protocol.ts';
import { FileAnswer } from './answer.ts';
import { type CacheStatus, commonFields, lengthFields } from './answer-head.ts';
import type { ClientConnection } from './client-connection.ts';
import type { LocalGeneration } from './local-catalogue.ts';
import { type PassThrough, passThrough } from './pass-through.ts';
import type { WorkerState } from './worker-state.ts';

/** The test object by which clients and operators see whether a node serves content (Microsoft, "Verify cache node"). */
const healthPath = '/mscomtest/wuidt.gif';
const conditionFields = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'] as const;
const clientFields = ['range', ...conditionFields, 'authorization'] as const;

export type OwnerAnswer = Extract<
  OwnerMessage,
  { kind: 'serve' | 'claimed' | 'unclaimed' | 'refused' | 'again' | 'passThrough' }
>;

export class Exchange {
  readonly id: number;
  readonly #state: WorkerState;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #connection: ClientConnection;
  readonly #target: RequestTarget;
  readonly #spec: RangeSpec | undefined;
  readonly #isHealth: boolean;
  /** Bytes of generation `#claimedOf` that were fetched because of this request. */
  readonly #claimed = new IntervalSet();
  #claimedOf = 0;
  #asked: AskRange | undefined;
  #askedBefore = false;
  #answer: FileAnswer | undefined;

  constructor(
    id: number,
    state: WorkerState,
    request: IncomingMessage,
    response: ServerResponse,
    connection: ClientConnection,
    target: RequestTarget,
  ) {
    this.id = id;
    this.#state = state;
    this.#request = request;
    this.#response = response;
    this.#connection = connection;
    this.#target = target;
    this.#isHealth = target.target.split('?', 1)[0] === healthPath;
    const specs = request.method === 'GET' ? parseRangeHeader(lastRangeLine(request) ?? '') : undefined;
    // Several ranges are answered by the whole: one part each is all that these clients use.
    this.#spec = specs?.length === 1 ? specs[0] : undefined;
  }

  /** Answers at once when the worker knows enough, else asks the owner. */
  start(): void {
    this.#response.once('close', () => this.#closed());
    const generation = this.#state.catalogue.current(this.#target.key);
    const headers = this.#request.headers;
    const nowMs = Date.now();
    if (headers.authorization !== undefined) this.#passThrough();
    else if (generation !== undefined && nowMs < generation.freshness.freshUntilMs) this.#serve(generation);
    else if (
      generation === undefined ||
      staleUse(generation.meta.fields, generation.freshness, nowMs) !== 'whileRefreshing'
    ) {
      if (this.#onlyIfCached) this.#refuse(504, {});
      else if (this.#request.method === 'HEAD') this.#passThrough();
      else this.#ask();
    } else {
      this.#state.send({ kind: 'refresh', upstream: this.#upstream(), generation: generation.meta.id });
      this.#serve(generation);
    }
  }

  hear(message: OwnerAnswer): void {
    switch (message.kind) {
      case 'claimed':
        if (message.generation !== this.#claimedOf) this.#claimed.remove(0, Number.MAX_SAFE_INTEGER);
        this.#claimedOf = message.generation;
        this.#claimed.add(message.start, message.end);
        return;
      case 'unclaimed':
        if (message.generation === this.#claimedOf) this.#claimed.remove(message.start, message.end);
        return;
      case 'serve': {
        const generation = this.#state.catalogue.find(message.generation);
        if (generation === undefined || this.#answer?.generation === generation) return;
        if (this.#answer?.headSent === true) this.#goOnWith(this.#answer, generation);
        else if (this.#answer === undefined || !this.#answer.isOver) {
          this.#answer?.abandon();
          this.#serve(generation);
        }
        return;
      }
      case 'refused':
        if (this.#answer?.headSent === true) this.#answer.cut();
        // Other conditions come before the range: only the origin knows what they say of an object unknown here.
        else if (message.status === 416 && this.#hasConditions()) this.#passThrough();
        else this.#refuse(message.status, Object.fromEntries(message.fields));
        return;
      case 'again':
        if (this.#answer?.headSent === true) this.#answer.cut();
        else if (this.#askedBefore) this.#refuse(503, { 'Retry-After': '5' });
        else {
          this.#askedBefore = true;
          this.#answer?.abandon();
          this.#answer = undefined;
          this.#ask();
        }
        return;
      case 'passThrough':
        this.#passThrough();
        return;
    }
  }

  /** The generation was evicted and forgotten while it was sent, and is known anew; or it is another one by now. */
  #goOnWith(answer: FileAnswer, generation: LocalGeneration): void {
    if (!isSame(answer.generation.meta, generation.meta)) answer.cut();
    else {
      this.#stopAsking();
      this.#passThrough();
    }
  }

  /** The answer needs bytes the worker does not have. */
  want(answer: FileAnswer): void {
    if (this.#asked !== undefined && covers(this.#asked, answer, answer.generation.meta.sizeBytes)) return;
    if (this.#asked !== undefined) this.#state.send({ kind: 'release', ask: this.id });
    this.#askFor({ kind: 'from', start: answer.cursor, end: answer.range.end });
  }

  #serve(generation: LocalGeneration): void {
    const { headers } = this.#request;
    const { etag, lastModified, fields } = generation.meta;
    const stored = readerOf(fields);
    const representation = { etag: etag ?? stored('etag'), lastModified, date: stored('date') };
    const verdict = evaluateConditions(headers, representation);
    const { sizeBytes } = generation.meta;
    const part =
      this.#spec !== undefined && ifRangeHolds(single(headers['if-range']), representation)
        ? (resolveRange(this.#spec, sizeBytes) ?? 'unsatisfiable')
        : undefined;
    if (verdict === 412) this.#refuse(412, {});
    else if (verdict === 304) this.#finish(304, this.#fields(generation, 'hit'));
    else if (part === 'unsatisfiable') this.#refuse(416, { 'Content-Range': `bytes */${sizeBytes}` });
    else this.#sendBody(generation, part);
  }

  #sendBody(generation: LocalGeneration, part: ByteRange | undefined): void {
    const { sizeBytes } = generation.meta;
    const range = part ?? { start: 0, end: sizeBytes };
    const complete = generation.stored.covers(range.start, range.end);
    const status: CacheStatus = complete
      ? 'hit'
      : this.#asked === undefined
        ? 'fwd=partial; stored'
        : 'fwd=uri-miss; stored';
    if (!complete && this.#onlyIfCached && this.#request.method === 'GET') {
      this.#refuse(504, {});
      return;
    }
    const fields = this.#fields(generation, status);
    const code = lengthFields(fields, sizeBytes, part);
    if (this.#request.method === 'HEAD') {
      this.#finish(code, fields);
      return;
    }
    const answer = new FileAnswer(
      {
        files: this.#state.files,
        books: this.#state.books,
        pacer: this.#state.pacer,
        sendFile: this.#state.sendFile,
        want: (which) => this.want(which),
        unreadable: (which, extent) => this.#state.send({ kind: 'unreadable', generation: which.meta.id, extent }),
        ended: () => this.#release(),
      },
      generation,
      this.#response,
      this.#connection,
      range,
      this.#claimed,
      this.#isHealth,
      () => {
        this.#connection.answerCount += 1;
        this.#response.writeHead(code, fields);
        this.#response.flushHeaders();
      },
    );
    this.#answer = answer;
    this.#state.touch(generation.meta.id);
    void answer.send();
  }

  #ask(): void {
    const spec = this.#spec;
    if (spec === undefined) this.#askFor({ kind: 'all' });
    else if (spec.kind === 'suffix') this.#askFor({ kind: 'suffix', suffixBytes: spec.suffixBytes });
    else if (spec.kind === 'from') this.#askFor({ kind: 'from', start: spec.first, end: undefined });
    else this.#askFor({ kind: 'from', start: spec.first, end: spec.last + 1 });
  }

  #askFor(range: AskRange): void {
    this.#asked = range;
    this.#state.send({ kind: 'ask', ask: this.id, upstream: this.#upstream(), range });
  }

  get #onlyIfCached(): boolean {
    return isOnlyIfCached(this.#request.headers['cache-control']);
  }

  #hasConditions(): boolean {
    return conditionFields.some((name) => this.#request.headers[name] !== undefined);
  }

  #upstream(): UpstreamTarget {
    const { origin, key, target, namedOrigin } = this.#target;
    return { key, host: origin.host, target, namedOrigin };
  }

  #passThrough(): void {
    const answer = this.#answer;
    if (answer?.isOver === true || this.#response.destroyed) return;
    if (answer?.headSent !== true) {
      answer?.abandon();
      this.#passOn(undefined);
    } else {
      answer.handOver(() => {
        this.#passOn({ range: { start: answer.cursor, end: answer.range.end }, of: answer.generation.meta });
      });
    }
  }

  /** `sent`: the head has been sent, and these bytes are still to come. */
  #passOn(sent: PassThrough['rest']): void {
    if (this.#response.destroyed) return;
    const { headers, method } = this.#request;
    const fields = clientFields.flatMap((name) => {
      const value = name === 'range' ? lastRangeLine(this.#request) : single(headers[name]);
      return value === undefined ? [] : [[name, value] as const];
    });
    if (sent !== undefined) this.#connection.sending = true;
    passThrough(
      {
        method: method === 'HEAD' ? 'HEAD' : 'GET',
        origin: this.#target.origin,
        target: this.#target.target,
        fields,
        rest: sent,
        hideClientErrors: this.#target.namedOrigin && this.#state.hideClientErrors,
        statusFields: { 'Cache-Status': `${this.#state.name}; fwd=bypass`, Via: `1.1 ${this.#state.via}` },
        isHealth: this.#isHealth,
      },
      this.#state.upstream,
      this.#state.pacer,
      this.#state.books,
      this.#response,
      this.#connection,
      (status) => this.#refuse(status, status === 503 ? { 'Retry-After': '5' } : {}),
    );
  }

  #fields(generation: LocalGeneration, status: CacheStatus): Record<string, string> {
    return commonFields(generation, this.#state.name, this.#state.via, status);
  }

  /** An answer without a body, for trouble: nothing in it can be mistaken for content. */
  #refuse(status: number, fields: Record<string, string>): void {
    this.#answer?.abandon();
    this.#state.books.errorCount += 1;
    this.#finish(status, { 'Content-Length': '0', ...fields });
  }

  #finish(status: number, fields: Record<string, string>): void {
    if (!this.#response.headersSent && !this.#response.destroyed) {
      this.#connection.answerCount += 1;
      this.#response.writeHead(status, fields).end();
    }
    this.#release();
  }

  #closed(): void {
    if (!this.#response.writableFinished) this.#connection.cut = true;
    if (this.#answer !== undefined && !this.#answer.isOver) {
      this.#state.books.abortedCount += 1;
      this.#answer.cut();
    }
    this.#release();
  }

  #release(): void {
    this.#stopAsking();
    this.#state.forget(this.id);
  }

  #stopAsking(): void {
    if (this.#asked === undefined) return;
    this.#asked = undefined;
    this.#state.send({ kind: 'release', ask: this.id });
  }
}

function isSame(a: GenerationMeta, b: GenerationMeta): boolean {
  return (
    a.sizeBytes === b.sizeBytes && a.etag === b.etag && (a.etag !== undefined || a.lastModified === b.lastModified)
  );
}

/** Of repeated Range lines the last counts: the Linux client repeats old ones before it. */
function lastRangeLine(request: IncomingMessage): string | undefined {
  const { rawHeaders } = request;
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (rawHeaders[i]?.toLowerCase() === 'range') return rawHeaders[i + 1];
  }
  return undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

function covers(asked: AskRange, answer: FileAnswer, sizeBytes: number): boolean {
  switch (asked.kind) {
    case 'all':
      return true;
    case 'suffix':
      return answer.cursor >= sizeBytes - asked.suffixBytes;
    case 'from':
      return asked.start <= answer.cursor && (asked.end === undefined || asked.end >= answer.range.end);
  }
}
