// From the request line and Host to the object that is asked for. A fleet asks for the same few targets millions of times:
// the last ones are remembered.

import type { OriginTable } from '../http/origin-table.ts';
import { type Refusal, type RequestTarget, readRequestTarget } from '../http/request-target.ts';
import type { KeyQuery } from '../settings.ts';

/** The test object by which clients and operators see whether a node serves content (Microsoft, "Verify cache node"). */
const healthPath = '/mscomtest/wuidt.gif';
const rememberedMax = 4096;
/** A longer target is read anew each time: what is remembered is bounded in bytes too. */
const rememberedTargetLength = 1024;

export type ReadTarget = (RequestTarget & { readonly isHealth: boolean }) | Refusal;

export class TargetReader {
  readonly #origins: OriginTable;
  readonly #keyQuery: KeyQuery;
  /** By Host and target; the older half is forgotten when it is full. */
  #recent = new Map<string, ReadTarget>();
  #older = new Map<string, ReadTarget>();

  constructor(origins: OriginTable, keyQuery: KeyQuery) {
    this.#origins = origins;
    this.#keyQuery = keyQuery;
  }

  read(target: string, host: string | undefined): ReadTarget {
    const name = `${host ?? ''} ${target}`;
    const known = this.#recent.get(name) ?? this.#older.get(name);
    if (known !== undefined) return known;
    const read = readRequestTarget(target, host, this.#origins, this.#keyQuery);
    const found = 'status' in read ? read : { ...read, isHealth: read.target.split('?', 1)[0] === healthPath };
    if (name.length <= rememberedTargetLength) this.#remember(name, found);
    return found;
  }

  #remember(name: string, target: ReadTarget): void {
    if (this.#recent.size >= rememberedMax) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(name, target);
  }
}
