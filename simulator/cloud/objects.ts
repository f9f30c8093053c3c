// What the CDN has: any object that a path of the form /object/<id>/<size in bytes> names, a run's content under its own
// hosts and paths, and the health object. Only names, sizes and versions are kept, never bytes.

/** One object as a request found it. */
export type CdnObject = {
  readonly kind: 'object' | 'health';
  /** What its bytes are made of (`ContentFunction`), with `version`. */
  readonly id: string;
  /** 1, 2, 3 … */
  readonly version: number;
  readonly sizeBytes: number;
  readonly contentType: string;
};

/** A run's content: the object `id` of `sizeBytes` under `host` (any case, no port) and `path` (from the slash, no query). */
export type Registration = {
  readonly id: string;
  readonly host: string;
  readonly path: string;
  readonly sizeBytes: number;
};

/** The object that clients and nodes test a path with (facts, 3.4): 969,710 bytes of image/gif under any host. */
export const healthPath = '/mscomtest/wuidt.gif';
export const healthObject = { kind: 'health', id: 'wuidt.gif', sizeBytes: 969_710, contentType: 'image/gif' } as const;

export class ObjectTable {
  readonly #registered = new Map<string, Registration>();
  readonly #versions = new Map<string, number>();

  /** Finds what a request asks for; `undefined` is a 404. `target` is the request target, with or without a query. */
  find(hostHeader: string | undefined, target: string): CdnObject | undefined {
    const { host, path } = splitTarget(hostHeader, target);
    if (path === healthPath) return { ...healthObject, version: this.versionOf(healthObject.id) };
    const registered = this.#registered.get(host + path);
    const found = registered ?? generatedObject(path);
    if (found === undefined) return undefined;
    const { id, sizeBytes } = found;
    return { kind: 'object', id, sizeBytes, version: this.versionOf(id), contentType: 'application/octet-stream' };
  }

  /** Registers content; a host and path that are known already get the new content. `version` sets the id's version. */
  register(registration: Registration, version?: number): void {
    const host = normalHost(registration.host);
    this.#registered.set(host + registration.path, { ...registration, host });
    if (version !== undefined) this.#versions.set(registration.id, version);
  }

  versionOf(id: string): number {
    return this.#versions.get(id) ?? 1;
  }

  /** Makes the object's bytes new under the same name; returns the version that requests get from now on. */
  bumpVersion(id: string): number {
    const version = this.versionOf(id) + 1;
    this.#versions.set(id, version);
    return version;
  }
}

/** Lower-case, without port and final dot. */
export function normalHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '');
}

/** A request target may be a path or a whole URL (RFC 9112, 3.2.2), whose host then counts. */
function splitTarget(hostHeader: string | undefined, target: string): { host: string; path: string } {
  const absolute = /^https?:\/\/([^/?#]*)([^?#]*)/i.exec(target);
  if (absolute !== null) return { host: normalHost(absolute[1] ?? ''), path: absolute[2] || '/' };
  const query = target.indexOf('?');
  return { host: normalHost(hostHeader ?? ''), path: query < 0 ? target : target.slice(0, query) };
}

function generatedObject(path: string): { id: string; sizeBytes: number } | undefined {
  const match = /^\/object\/([^/]+)\/([0-9]{1,16})$/.exec(path);
  if (match?.[1] === undefined) return undefined;
  const sizeBytes = Number(match[2]);
  const id = decoded(match[1]);
  return id === undefined || !Number.isSafeInteger(sizeBytes) ? undefined : { id, sizeBytes };
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // a broken escape names no object
  }
}
