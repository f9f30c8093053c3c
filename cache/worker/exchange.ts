// One request at a worker, from its line to the end of its answer. It is answered from what the worker knows, or waits
// for the owner: until the first byte is sent a failure can still become a 5xx, after it only the end of the connection.

import { type ByteRange, parseRangeHeader, type RangeSpec, resolveRange } from '../../common/byte-range.ts';
import { IntervalSet } from '../../common/interval-set.ts';
import { isOnlyIfCached, readerOf, staleUse } from '../http/freshness.ts';
import { type ConditionFields, evaluateConditions, ifRangeHolds, type Representation } from '../http/preconditions.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RequestTarget } from '../http/request-target.ts';
import type { AskRange, GenerationMeta, OwnerMessage, UpstreamTarget } from '../protocol.ts';
import { FileAnswer } from './answer.ts';
import { type CacheStatus, commonFields, contentHeadText, type Fields, headText } from './answer-head.ts';
import type { Answerer, ClientConnection } from './client-connection.ts';
import type { LocalGeneration } from './local-catalogue.ts';
import { type PassThrough, passThrough } from './pass-through.ts';
import type { WorkerState } from './worker-state.ts';

export type OwnerAnswer = Extract<
  OwnerMessage,
  { kind: 'serve' | 'claimed' | 'unclaimed' | 'refused' | 'again' | 'passThrough' }
>;

export class Exchange implements Answerer {
  readonly id: number;
  readonly #state: WorkerState;
  readonly #request: RequestHead;
  readonly #connection: ClientConnection;
  readonly #target: RequestTarget;
  readonly #spec: RangeSpec | undefined;
  readonly #isHealth: boolean;
  /** Bytes of generation `#claimedOf` that were fetched because of this request. */
  #claimed: IntervalSet | undefined;
  #claimedOf = 0;
  #asked: AskRange | undefined;
  #askedBefore = false;
  #answer: FileAnswer | undefined;
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
    const specs = request.method === 'GET' && request.range !== undefined ? parseRangeHeader(request.range) : undefined;
    // Several ranges are answered by the whole: one part each is all that these clients use.
    this.#spec = specs?.length === 1 ? specs[0] : undefined;
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
      if (isOnlyIfCached(this.#request.cacheControl)) this.#refuse(504, {});
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

  clientSaidLast(): void {
    // Who waits for what is not there yet, and has nothing more to say, is taken to be gone (as nginx does).
    if (this.#answer === undefined ? this.#passing === undefined : this.#answer.isWaiting) this.#connection.destroy();
  }

  clientGone(): void {
    this.#passing?.clientGone();
    if (this.#answer !== undefined && !this.#answer.isOver) {
      this.#state.books.abortedCount += 1;
      this.#answer.cut();
    }
    this.#release();
  }

  #serve(generation: LocalGeneration): void {
    const request = this.#request;
    const representation = request.hasConditions ? representationOf(generation.meta) : generation.meta;
    const verdict = request.hasConditions ? evaluateConditions(conditionsOf(request), representation) : 'proceed';
    const { sizeBytes } = generation.meta;
    const part =
      this.#spec !== undefined && ifRangeHolds(request.ifRange, representation)
        ? (resolveRange(this.#spec, sizeBytes) ?? 'unsatisfiable')
        : undefined;
    if (verdict === 412) this.#refuse(412, {});
    else if (verdict === 304) this.#finish(304, commonFields(generation, this.#state, 'hit'));
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
    if (!complete && this.#request.method === 'GET' && isOnlyIfCached(this.#request.cacheControl)) {
      this.#refuse(504, {});
      return;
    }
    const head = (): string => contentHeadText(generation, this.#state, status, part, this.#connection.keepAlive);
    if (this.#request.method === 'HEAD') {
      this.#finishWith(head());
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
      this.#connection,
      range,
      () => this.#claimed,
      this.#isHealth,
      head,
    );
    this.#answer = answer;
    this.#state.touch(generation.meta.id);
    answer.send();
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

  #upstream(): UpstreamTarget {
    const { origin, key, target, namedOrigin } = this.#target;
    return { key, host: origin.host, target, namedOrigin };
  }

  #passThrough(): void {
    const answer = this.#answer;
    if (answer?.isOver === true || this.#connection.isGone) return;
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
    if (this.#connection.isGone) return;
    if (sent !== undefined) this.#connection.sending = true;
    this.#passing = passThrough(
      {
        method: this.#request.method === 'HEAD' ? 'HEAD' : 'GET',
        isHttp10: this.#request.minorVersion === 0,
        origin: this.#target.origin,
        target: this.#target.target,
        fields: forwardedFields(this.#request),
        rest: sent,
        hideClientErrors: this.#target.namedOrigin && this.#state.hideClientErrors,
        statusFields: { 'Cache-Status': `${this.#state.name}; fwd=bypass`, Via: `1.1 ${this.#state.via}` },
        isHealth: this.#isHealth,
      },
      this.#state.upstream,
      this.#state.pacer,
      this.#state.books,
      this.#connection,
      {
        refuse: (status) => this.#refuse(status, status === 503 ? { 'Retry-After': '5' } : {}),
        ended: () => this.#release(),
      },
    );
  }

  /** An answer without a body, for trouble: nothing in it can be mistaken for content. */
  #refuse(status: number, fields: Fields): void {
    this.#answer?.abandon();
    this.#state.books.errorCount += 1;
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
    this.#connection.answerCount += 1;
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

function isSame(a: GenerationMeta, b: GenerationMeta): boolean {
  return (
    a.sizeBytes === b.sizeBytes && a.etag === b.etag && (a.etag !== undefined || a.lastModified === b.lastModified)
  );
}

const conditionsOf = (request: RequestHead): ConditionFields => ({
  'if-match': request.ifMatch,
  'if-none-match': request.ifNoneMatch,
  'if-modified-since': request.ifModifiedSince,
  'if-unmodified-since': request.ifUnmodifiedSince,
  'if-range': request.ifRange,
});

/** What of the client's own fields an origin must see when a request goes through. */
function forwardedFields(request: RequestHead): (readonly [string, string])[] {
  const all: readonly (readonly [string, string | undefined])[] = [
    ['Range', request.range],
    ['If-Match', request.ifMatch],
    ['If-None-Match', request.ifNoneMatch],
    ['If-Modified-Since', request.ifModifiedSince],
    ['If-Unmodified-Since', request.ifUnmodifiedSince],
    ['If-Range', request.ifRange],
    ['Authorization', request.authorization],
  ];
  return all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
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
