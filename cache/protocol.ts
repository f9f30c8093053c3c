// What owner and workers say to each other (over the cluster's channel: JSON, in order).
//
//   worker                                    owner
//     │ ask (key, range, why) ──────────────▶ │  finds or discovers the object, plans fetches
//     │ ◀────── object (snapshot, once) ───── │
//     │ ◀────── serve (generation) ────────── │
//     │ ◀────── claimed (this ask's bytes) ── │
//     │ ◀────── stored (bytes arrived) ────── │  to every worker that has the object
//     │ release ────────────────────────────▶ │
//
// What a worker knows of stored bytes can be out of date only by missing some: stored bytes of a generation never
// change, and an extent's number is never used again.

import type { LedgerEntry } from '../common/ledger.ts';
import type { Books } from './books.ts';

/** An object's identity and head, fixed for one generation. */
export type GenerationMeta = {
  readonly id: number;
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** End-to-end header fields of the origin that every answer repeats (names as it wrote them; a weak ETag is among them). */
  readonly fields: readonly (readonly [string, string])[];
};

/** Until when a generation may be served without asking (0: its origin has another one), and what its age is. All epoch ms. */
export type Freshness = { readonly freshUntilMs: number; readonly generatedAtMs: number };

export type ExtentPlace = { readonly id: number; readonly index: number; readonly path: string };

export type AskRange =
  | { readonly kind: 'all' }
  | { readonly kind: 'from'; readonly start: number; readonly end: number | undefined }
  | { readonly kind: 'suffix'; readonly suffixBytes: number };

/** Where and how to ask upstream for the object. */
export type UpstreamTarget = {
  readonly key: string;
  readonly host: string;
  /** Path and query as the origin shall see them. */
  readonly target: string;
  /** Whether the client named its origin by `cacheHostOrigin`. */
  readonly namedOrigin: boolean;
  /** The client's own Via: nodes that the request came through. */
  readonly via?: string | undefined;
};

export type WorkerMessage =
  | { readonly kind: 'ready' }
  /** Connections by their ids: those that the worker has now, and those that are closed. */
  | { readonly kind: 'connections'; readonly taken: readonly number[]; readonly left: readonly number[] }
  | { readonly kind: 'ask'; readonly ask: number; readonly upstream: UpstreamTarget; readonly range: AskRange }
  /** Wants what is stored and nothing fetched: answered by `serve`, or `passThrough` where nothing may be used. */
  | { readonly kind: 'look'; readonly ask: number; readonly key: string }
  | { readonly kind: 'release'; readonly ask: number }
  | { readonly kind: 'refresh'; readonly upstream: UpstreamTarget; readonly generation: number }
  | { readonly kind: 'touched'; readonly generations: readonly number[] }
  | { readonly kind: 'unreadable'; readonly generation: number; readonly extent: number }
  | { readonly kind: 'closing'; readonly books: Books }
  | { readonly kind: 'books'; readonly query: number; readonly books: Books; readonly residentBytes: number }
  | { readonly kind: 'synced'; readonly query: number }
  | {
      readonly kind: 'ledger';
      readonly query: number;
      readonly served: readonly LedgerEntry[];
      readonly upstream: readonly LedgerEntry[];
    };

export type OwnerMessage =
  | {
      readonly kind: 'object';
      readonly meta: GenerationMeta;
      readonly freshness: Freshness;
      readonly extents: readonly ExtentPlace[];
      readonly stored: readonly (readonly [number, number])[];
    }
  | { readonly kind: 'serve'; readonly ask: number; readonly generation: number }
  | {
      readonly kind: 'claimed';
      readonly ask: number;
      readonly generation: number;
      readonly start: number;
      readonly end: number;
    }
  /** Bytes that were claimed for this ask and did not come: who claims them next has the miss. */
  | {
      readonly kind: 'unclaimed';
      readonly ask: number;
      readonly generation: number;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'extent'; readonly generation: number; readonly place: ExtentPlace }
  | { readonly kind: 'stored'; readonly generation: number; readonly start: number; readonly end: number }
  /** The generation is the current one (again), with this freshness and these fields. */
  | {
      readonly kind: 'fresh';
      readonly generation: number;
      readonly freshness: Freshness;
      readonly fields: GenerationMeta['fields'];
    }
  | { readonly kind: 'evicted'; readonly generation: number; readonly index: number; readonly extent: number }
  | { readonly kind: 'superseded'; readonly generation: number }
  | { readonly kind: 'forgotten'; readonly generation: number }
  | {
      readonly kind: 'refused';
      readonly ask: number;
      readonly status: number;
      readonly fields: readonly (readonly [string, string])[];
    }
  | { readonly kind: 'again'; readonly ask: number }
  | { readonly kind: 'passThrough'; readonly ask: number }
  /** Upstream's whole answer, which is this client's alone; the body in base64. */
  | { readonly kind: 'relay'; readonly ask: number; readonly head: string; readonly body: string }
  | { readonly kind: 'booksQuery'; readonly query: number }
  | { readonly kind: 'ledgerQuery'; readonly query: number }
  /** To be answered by `synced`: what was said before it is heard by then, as the channel keeps its order. */
  | { readonly kind: 'sync'; readonly query: number }
  | { readonly kind: 'reopenLog' }
  /** Comes with the socket. */
  | { readonly kind: 'connection'; readonly id: number }
  | { readonly kind: 'drain' };

/** Bytes of an object that one sparse extent file covers. */
export const extentBytes = 64 * 2 ** 20;
