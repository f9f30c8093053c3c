// One request at a worker, from its line to the end of its answer. It is answered from what the worker knows, or waits
// for the owner: until the first byte is sent a failure can still become a 5xx, after it only the end of the connection.

import { Buffer } from 'node:buffer';
import { type ByteRange, parseRangeHeader, type RangeSpec } from '../../common/byte-range.ts';
import { IntervalSet } from '../../common/interval-set.ts';
import { isOnlyIfCached, readerOf, staleUse } from '../http/freshness.ts';
import { evaluateConditions, ifRangeHolds, type Representation } from '../http/preconditions.ts';
import { conditionsOf, forwardedFields } from '../http/request-fields.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RequestTarget } from '../http/request-target.ts';
import type { AskRange, GenerationMeta, OwnerMessage, UpstreamTarget } from '../protocol.ts';
import { FileAnswer } from './answer.ts';
import { type CacheStatus, commonFields, contentHeadText, type Fields, headText } from './answer-head.ts';
import type { Answerer, ClientConnection } from './client-connection.ts';
import { isSameGeneration, type LocalGeneration } from './local-catalogue.ts';
import { type Framing, frame, partsMax, selectParts } from './parts.ts';
import { type HadAnswer, type PassThrough, type PassThroughUser, passThrough, relay } from './pass-through.ts';
import type { WorkerState } from './worker-state.ts';

export type OwnerAnswer = Extract<
  OwnerMessage,
  { kind: 'serve' | 'relay' | 'claimed' | 'unclaimed' | 'refused' | 'again' | 'passThrough' }
>;

export class Exchange implements Answerer {
  readonly id: number;
  readonly #state: WorkerState;
  readonly #request: RequestHead;
  readonly #connection: ClientConnection;
  readonly #target: RequestTarget;
  readonly #specs: readonly RangeSpec[] | undefined;
  /** Of an object that is not known, the ranges are asked for one by one until one is within it. */
  #specIndex = 0;
  readonly #isHealth: boolean;
  /** Bytes of generation `#claimedOf` that were fetched because of this request. */
  #claimed: IntervalSet | undefined;
  #claimedOf = 0;
  #asked: AskRange | undefined;
  #askedBefore = false;
  /** What is sent at present: the whole, the one part, or one of several. */
  #answer: FileAnswer | undefined;
  /** Several parts: those still to come after the present one, and the text around them all. */
  #nextParts: ByteRange[] = [];
  #framing: Framing | undefined;
  #missedBytes = 0;
  #passing: { clientGone(): void } | undefined;
  #isFinished = false;

  constructor(
    id: number,
    state: WorkerState,
    request: RequestHead,
    connection: ClientConnection,
    target: RequestTarget & { readonly isHealth: boolean },
  ) {
    this.id = id;
    this.#state = state;
    this.#request = request;
    this.#connection = connection;
    this.#target = target;
    this.#isHealth = target.isHealth;
    this.#specs = request.method === 'GET' && request.range !== undefined ? parseRangeHeader(request.range) : undefined;
  }

  /** Answers at once when the worker knows enough, else asks the owner. */
  start(): void {
    this.#connection.answerer = this;
    const generation = this.#state.catalogue.current(this.#target.key);
    const nowMs = Date.now();
    if (this.#request.authorization !== undefined) this.#passThrough();
    else if (generation !== undefined && nowMs < generation.freshness.freshUntilMs) this.#serve(generation);
    else if (
      generation === undefined ||
      staleUse(generation.meta.fields, generation.freshness, nowMs) !== 'whileRefreshing'
    ) {
      if (this.#request.method === 'GET' && !isOnlyIfCached(this.#request.cacheControl)) this.#ask();
      // Another worker may have what this one has not heard of.
      else if (generation === undefined) this.#state.send({ kind: 'look', ask: this.id, key: this.#target.key });
      else this.#goWithout();
    } else {
      this.#state.send({ kind: 'refresh', upstream: this.#upstream(), generation: generation.meta.id });
      this.#serve(generation);
    }
  }

  hear(message: OwnerAnswer): void {
    switch (message.kind) {
      case 'claimed':
        if (message.generation !== this.#claimedOf || this.#claimed === undefined) this.#claimed = new IntervalSet();
        this.#claimedOf = message.generation;
        this.#claimed.add(message.start, message.end);
        return;
      case 'unclaimed':
        if (message.generation === this.#claimedOf) this.#claimed?.remove(message.start, message.end);
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
        else if (message.status === 416 && this.#request.hasConditions) this.#passThrough();
        else if (message.status === 416 && this.#hasOtherSpec()) {
          this.#specIndex += 1;
          this.#stopAsking();
          this.#ask();
        } else this.#refuse(message.status, Object.fromEntries(message.fields));
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
        this.#goWithout();
        return;
      case 'relay':
        // What the client's conditions make of it only the origin knows.
        if (this.#request.hasConditions || this.#answer !== undefined) this.#passThrough();
        else this.#passOn(undefined, { head: message.head, body: Buffer.from(message.body, 'base64') });
        return;
    }
  }

  /** The generation was evicted and forgotten while it was sent, and is known anew; or it is another one by now. */
  #goOnWith(answer: FileAnswer, generation: LocalGeneration): void {
    if (!isSameGeneration(answer.generation.meta, generation.meta)) answer.cut();
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

  clientGone(): void {
    this.#passing?.clientGone();
    this.#answer?.cut();
    this.#release();
  }

  #serve(generation: LocalGeneration): void {
    const request = this.#request;
    const representation = request.hasConditions ? representationOf(generation.meta) : generation.meta;
    const verdict = request.hasConditions ? evaluateConditions(conditionsOf(request), representation) : 'proceed';
    const { sizeBytes } = generation.meta;
    const parts = ifRangeHolds(request.ifRange, representation) ? selectParts(this.#specs, sizeBytes) : undefined;
    if (verdict === 412) this.#refuse(412, {});
    else if (verdict === 304) this.#finish(304, commonFields(generation, this.#state, 'hit'));
    else if (parts === 'unsatisfiable') this.#refuse(416, { 'Content-Range': `bytes */${sizeBytes}` });
    else if (this.#mayNotFetch(generation, parts)) this.#refuse(504, {});
    else if (parts === undefined || parts.length === 1) this.#sendOne(generation, parts?.[0]);
    else this.#sendParts(generation, parts);
  }

  /** Whether the client wants what is stored only, and it is not. */
  #mayNotFetch({ stored, meta }: LocalGeneration, parts: readonly ByteRange[] | undefined): boolean {
    const { method, cacheControl } = this.#request;
    if (method === 'HEAD' || !isOnlyIfCached(cacheControl)) return false;
    return (parts ?? [{ start: 0, end: meta.sizeBytes }]).some(({ start, end }) => !stored.covers(start, end));
  }

  /** The whole, or one part of it. */
  #sendOne(generation: LocalGeneration, part: ByteRange | undefined): void {
    const range = part ?? { start: 0, end: generation.meta.sizeBytes };
    const status = this.#cacheStatus(generation, [range]);
    const head = (): string => contentHeadText(generation, this.#state, status, part, this.#connection.keepAlive);
    if (this.#request.method === 'HEAD') this.#finishWith(head());
    else this.#send(generation, range, (isFollowed) => this.#connection.sendHead(head(), isFollowed));
  }

  #sendParts(generation: LocalGeneration, parts: readonly ByteRange[]): void {
    const fields = commonFields(generation, this.#state, this.#cacheStatus(generation, parts));
    const framing = frame(parts, generation.meta.sizeBytes, fields['Content-Type']);
    fields['Content-Type'] = framing.contentType;
    fields['Content-Length'] = String(framing.lengthBytes);
    const [first, ...others] = parts;
    if (first === undefined) return;
    this.#framing = framing;
    this.#nextParts = others;
    this.#send(generation, first, (isFollowed) => {
      const head = headText(206, fields, this.#connection);
      this.#connection.sendHead(head + (framing.before[0] ?? ''), isFollowed);
    });
  }

  #cacheStatus(generation: LocalGeneration, ranges: readonly ByteRange[]): CacheStatus {
    if (ranges.every((range) => generation.stored.covers(range.start, range.end))) return 'hit';
    return this.#asked === undefined ? 'fwd=partial; stored' : 'fwd=uri-miss; stored';
  }

  /** `lead` sends what comes before the bytes: the head, or a part's. */
  #send(generation: LocalGeneration, range: ByteRange, lead: (isFollowed: boolean) => void): void {
    const answer = new FileAnswer(
      {
        files: this.#state.files,
        books: this.#state.books,
        pacer: this.#state.pacer,
        sendFile: this.#state.sendFile,
        want: (which) => this.want(which),
        unreadable: (which, extent) => this.#state.send({ kind: 'unreadable', generation: which.meta.id, extent }),
        ended: (which, isWhole) => (isWhole ? this.#sent(which) : this.#release()),
      },
      generation,
      this.#connection,
      range,
      () => this.#claimed,
      this.#isHealth,
      lead,
    );
    this.#answer = answer;
    this.#state.touch(generation);
    answer.send();
  }

  /** A part is sent: the next one follows, or the answer is complete. */
  #sent(answer: FileAnswer): void {
    this.#missedBytes += answer.missedBytes;
    const next = this.#nextParts.shift();
    const framing = this.#framing;
    if (next !== undefined && framing !== undefined) {
      this.#stopAsking();
      const lead = framing.before.at(-1 - this.#nextParts.length) ?? '';
      this.#send(answer.generation, next, (isFollowed) => this.#connection.sendText(lead, isFollowed));
      this.#answer?.begin();
      return;
    }
    if (framing !== undefined) this.#connection.sendText(framing.after);
    if (!this.#isHealth) {
      if (this.#missedBytes > 0) this.#state.books.missRequestCount += 1;
      else this.#state.books.hitRequestCount += 1;
    }
    this.#release();
    this.#connection.endAnswer();
  }

  #ask(): void {
    const spec = this.#specs?.[this.#specIndex];
    if (spec === undefined) this.#askFor({ kind: 'all' });
    else if (spec.kind === 'suffix') this.#askFor({ kind: 'suffix', suffixBytes: spec.suffixBytes });
    else if (spec.kind === 'from') this.#askFor({ kind: 'from', start: spec.first, end: undefined });
    else this.#askFor({ kind: 'from', start: spec.first, end: spec.last + 1 });
  }

  /** Nothing that is stored will do. */
  #goWithout(): void {
    if (this.#answer === undefined && isOnlyIfCached(this.#request.cacheControl)) this.#refuse(504, {});
    else this.#passThrough();
  }

  #hasOtherSpec(): boolean {
    return this.#specs !== undefined && this.#specIndex + 1 < Math.min(this.#specs.length, partsMax);
  }

  #askFor(range: AskRange): void {
    this.#asked = range;
    this.#state.send({ kind: 'ask', ask: this.id, upstream: this.#upstream(), range });
  }

  #upstream(): UpstreamTarget {
    const { origin, key, target, namedOrigin } = this.#target;
    return { key, host: origin.host, target, namedOrigin, via: this.#request.via };
  }

  #passThrough(): void {
    const answer = this.#answer;
    if (answer?.isOver === true || this.#connection.isGone) return;
    if (answer?.headSent !== true) {
      answer?.abandon();
      this.#passOn(undefined);
    } else if (this.#framing !== undefined) answer.cut();
    else {
      answer.handOver(() => {
        this.#passOn({ range: { start: answer.cursor, end: answer.range.end }, of: answer.generation.meta });
      });
    }
  }

  /** `sent`: the head has been sent, and these bytes are still to come. `had`: upstream's whole answer. */
  #passOn(sent: PassThrough['rest'], had?: HadAnswer): void {
    if (this.#connection.isGone) return;
    if (sent !== undefined) this.#connection.sending = true;
    else if (this.#connection.note !== undefined) this.#connection.note.how = 'bypass';
    const { name, via, hideClientErrors } = this.#state;
    const what: PassThrough = {
      method: this.#request.method === 'HEAD' ? 'HEAD' : 'GET',
      isHttp10: this.#request.minorVersion === 0,
      origin: this.#target.origin,
      target: this.#target.target,
      fields: forwardedFields(this.#request),
      via: this.#request.via,
      rest: sent,
      hideClientErrors: this.#target.namedOrigin && hideClientErrors,
      statusFields: { 'Cache-Status': `${name}; fwd=bypass`, Via: `1.1 ${via}` },
      isHealth: this.#isHealth,
    };
    const user: PassThroughUser = {
      refuse: (status) => this.#refuse(status, { 'Retry-After': '5' }),
      ended: () => this.#release(),
    };
    this.#passing =
      had === undefined
        ? passThrough(what, this.#state, this.#connection, user)
        : relay(what, this.#state, this.#connection, user, had);
  }

  /** An answer without a body, for trouble: nothing in it can be mistaken for content. */
  #refuse(status: number, fields: Fields): void {
    this.#answer?.abandon();
    this.#state.books.errorCount += 1;
    if (this.#connection.note !== undefined) this.#connection.note.how = 'refused';
    this.#finish(status, { 'Content-Length': '0', ...fields });
  }

  #finish(status: number, fields: Fields): void {
    this.#finishWith(headText(status, fields, this.#connection));
  }

  /** Sends an answer that is only a head. */
  #finishWith(head: string): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#release();
    if (this.#connection.isGone) return;
    this.#connection.sendHead(head);
    this.#connection.endAnswer();
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

function representationOf({ etag, lastModified, fields }: GenerationMeta): Representation & { readonly date?: string } {
  const stored = readerOf(fields);
  const date = stored('date');
  return { etag: etag ?? stored('etag'), lastModified, ...(date === undefined ? {} : { date }) };
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
