// The model's side of the property test: objects with a list of versions and since when each was current, an origin that
// answers from the last one, and faults it commits on the way.

import { contentRangeHeader } from '../../common/byte-range.ts';
import { type RandomStream, randomStream } from '../../common/random.ts';
import { type Asked, contentOf, type Honest, honest, send, type Version } from './scripted-origin.ts';

/** How versions of an object are told apart. */
export const validators = ['etag', 'date', 'weak', 'none'] as const;
export type ValidatorKind = (typeof validators)[number];

export const faults = [
  '503',
  '404',
  'reset',
  'resetInBody',
  'shortBody',
  'wrongContentRange',
  'noContentRange',
  'wrongLength',
  'wholeForRange',
  'changedInBody',
  'slow',
] as const;
export type Fault = (typeof faults)[number];

type ModelVersion = Version & { readonly sinceMs: number };

export class ModelObject {
  readonly id: string;
  readonly versions: ModelVersion[] = [];
  readonly #kind: ValidatorKind;
  readonly #control: string;
  /** Body bytes that the origin sent of it. */
  sentBytes = 0;

  constructor(id: string, kind: ValidatorKind, control: string) {
    this.id = id;
    this.#kind = kind;
    this.#control = control;
    this.change();
  }

  get current(): ModelVersion {
    const version = this.versions.at(-1);
    if (version === undefined) throw new Error('an object has a version');
    return version;
  }

  /** From now on the origin has another version, of another size. */
  change(): void {
    const version = this.versions.length + 1;
    const fields: Record<string, string> = { 'X-Version': String(version), 'Cache-Control': this.#control };
    if (this.#kind === 'etag') fields['ETag'] = `"${this.id}-${version}"`;
    if (this.#kind === 'weak') fields['ETag'] = `W/"${this.id}-${version}"`;
    if (this.#kind === 'date') fields['Last-Modified'] = new Date(1e12 + version * 1000).toUTCString();
    this.versions.push({ id: this.id, version, sizeBytes: sizeOf(version), fields, sinceMs: performance.now() });
  }

  /** Whether a version was current at some time of [fromMs, toMs]. */
  wasCurrent(version: number, fromMs: number, toMs: number): boolean {
    const since = this.versions[version - 1]?.sinceMs ?? Number.POSITIVE_INFINITY;
    const until = this.versions[version]?.sinceMs ?? Number.POSITIVE_INFINITY;
    return since <= toMs && until >= fromMs;
  }
}

/** Versions differ in size, so that one can be recognised by it. */
export const sizeOf = (version: number): number => 300_000 + ((version * 7919) % 50) * 1000;

export class ModelOrigin {
  readonly objects = new Map<string, ModelObject>();
  /** Share of requests that meet a fault. */
  faultRatio = 0;
  allowed: readonly Fault[] = faults;
  #random: RandomStream = randomStream(0, 'faults');

  reset(seed: number, faultRatio: number): void {
    this.#random = randomStream(seed, 'faults');
    this.faultRatio = faultRatio;
  }

  answer(asked: Asked): void {
    const object = this.objects.get(asked.target.slice(1).split('?', 1)[0] ?? '');
    if (object === undefined) {
      asked.socket.destroy();
      return;
    }
    const version = object.current;
    const answer = honest(asked, version);
    const fault =
      this.#random() < this.faultRatio ? this.allowed[Math.floor(this.#random() * this.allowed.length)] : undefined;
    if (fault === undefined) sendCounted(object, asked, version, answer);
    else commit(fault, object, asked, version, answer);
  }
}

function sendCounted(object: ModelObject, asked: Asked, version: Version, answer: Honest): void {
  send(asked, version, answer);
  object.sentBytes += asked.sentBytes;
}

function commit(fault: Fault, object: ModelObject, asked: Asked, version: Version, answer: Honest): void {
  const { response, socket } = asked;
  const { fields, start, end } = answer;
  const isPart = answer.status === 206;
  const bare = (status: number): void => void response.writeHead(status, { 'Content-Length': '0' }).end();
  /** Sends a head and half of what it promises. */
  const half = (then: () => void): void => {
    response.writeHead(answer.status, { 'Content-Length': String(end - start), ...fields });
    response.write(contentOf(version, start, start + Math.floor((end - start) / 2)), () => setImmediate(then));
  };
  if (asked.method === 'HEAD' || end === start) {
    if (fault === 'reset') socket.destroy();
    else if (fault === '503') bare(503);
    else sendCounted(object, asked, version, answer);
    return;
  }
  switch (fault) {
    case '503':
      bare(503);
      return;
    case '404':
      bare(404);
      return;
    case 'reset':
      socket.resetAndDestroy();
      return;
    case 'resetInBody':
      half(() => socket.resetAndDestroy());
      return;
    case 'shortBody':
      half(() => socket.destroy());
      return;
    case 'changedInBody':
      half(() => {
        object.change();
        response.end(contentOf(version, start + Math.floor((end - start) / 2), end));
      });
      return;
    case 'wrongContentRange':
      if (isPart) fields['Content-Range'] = contentRangeHeader({ start: start + 1, end: end + 1 }, version.sizeBytes);
      send(asked, version, answer);
      return;
    case 'noContentRange':
      delete fields['Content-Range'];
      send(asked, version, answer);
      return;
    case 'wrongLength':
      send(asked, version, isPart ? { ...answer, end: Math.max(start + 1, end - 1) } : answer);
      return;
    case 'wholeForRange':
      delete fields['Content-Range'];
      send(asked, version, { status: 200, fields, start: 0, end: version.sizeBytes });
      return;
    case 'slow':
      setTimeout(() => sendCounted(object, asked, version, answer), 30);
      return;
  }
}
