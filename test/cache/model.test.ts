// The invariant: bytes of two generations never meet in one answer, on disk, across restarts, or through a parent. Random
// requests, faults, versions, evictions and restarts, through one node and through two, against a model that knows which
// version was current when.
//
// MODEL_MS (how long the first property looks, whatever its runs) and MODEL_SEED make it look longer, or again.

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ContentFunction, describeDifference } from '../../common/content.ts';
import { IntervalSet } from '../../common/interval-set.ts';
import { randomCases } from '../random-cases.ts';
import { ModelObject, ModelOrigin, sizeOf, type ValidatorKind, validators } from './model-origin.ts';
import type { Reply } from './node-process.ts';
import { ScriptedNode } from './scripted-node.ts';

/** Runs, not time: a busy machine looks as often as a quiet one, where all take 7 s. */
const runs = { mixing: randomCases(45), union: randomCases(80) };
const budgetMs = process.env['MODEL_MS'] === undefined ? undefined : Number(process.env['MODEL_MS']);
const seed = process.env['MODEL_SEED'] === undefined ? undefined : Number(process.env['MODEL_SEED']);
/** A request may join one that was sent to the origin before it. */
const joinedMs = 1000;
const objectCount = 3;

type Wish = {
  readonly kind: 'request';
  readonly object: number;
  readonly range: { readonly from: number; readonly length: number } | { readonly suffix: number } | 'all';
  readonly condition: 'none' | 'if-range' | 'if-none-match' | 'if-match';
  /** Gives up after so many bytes. */
  readonly stopAt: number | undefined;
};
type Step = Wish | { readonly kind: 'change'; readonly object: number };
type Plan = {
  readonly kinds: readonly ValidatorKind[];
  readonly control: string;
  readonly faultRatio: number;
  readonly seed: number;
  readonly batches: readonly (readonly Step[])[];
  /** After which batches the node ends, and how. */
  readonly restarts: readonly (NodeJS.Signals | undefined)[];
};

const largest = sizeOf(49);
const range: fc.Arbitrary<Wish['range']> = fc.oneof(
  { weight: 1, arbitrary: fc.constant('all' as const) },
  { weight: 1, arbitrary: fc.record({ suffix: fc.integer({ min: 1, max: largest + 10 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      from: fc.nat(largest + 100),
      length: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 150_000 })),
    }),
  },
);
const wish: fc.Arbitrary<Wish> = fc.record({
  kind: fc.constant('request' as const),
  object: fc.nat(objectCount - 1),
  range,
  condition: fc.constantFrom('none', 'none', 'none', 'if-range', 'if-none-match', 'if-match'),
  stopAt: fc.option(fc.integer({ min: 1, max: 100_000 }), { freq: 8, nil: undefined }),
});
const change = fc.record({ kind: fc.constant('change' as const), object: fc.nat(objectCount - 1) });
const step: fc.Arbitrary<Step> = fc.oneof({ weight: 8, arbitrary: wish }, { weight: 1, arbitrary: change });
const plan: fc.Arbitrary<Plan> = fc.record({
  kinds: fc.array(fc.constantFrom('etag', 'etag', 'date', ...validators), { minLength: 3, maxLength: 3 }),
  control: fc.constantFrom('no-cache', 'max-age=3600'),
  faultRatio: fc.constantFrom(0, 0.1, 0.4),
  seed: fc.nat(),
  batches: fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 }),
  restarts: fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom('SIGTERM' as const, 'SIGKILL' as const) },
    ),
    {
      minLength: 5,
      maxLength: 5,
    },
  ),
});

/** What must hold of an answer: no byte but of one version, which was current while it was asked for, or since. */
class Witness {
  readonly #objects: readonly ModelObject[];
  readonly #mustAsk: boolean;
  /** By object: the newest version that an answer has named by the end of a batch; none older may be served after it. */
  readonly #floors: number[];
  readonly #seen: number[];

  constructor(objects: readonly ModelObject[], mustAsk: boolean) {
    this.#objects = objects;
    this.#mustAsk = mustAsk;
    this.#floors = objects.map(() => 0);
    this.#seen = objects.map(() => 0);
  }

  hear(wanted: Wish, reply: Reply, startedAtMs: number): void {
    const object = this.#objects[wanted.object];
    if (object === undefined) throw new Error('no such object');
    expect([0, 200, 206, 304, 404, 412, 416, 502, 503, 504]).toContain(reply.status);
    if (reply.status !== 200 && reply.status !== 206) {
      expect(reply.body.length).toBe(0);
      return;
    }
    const version = Number(reply.headers['x-version']);
    const fromMs = this.#mustAsk ? startedAtMs - joinedMs : 0;
    expect([object.id, version, object.wasCurrent(version, fromMs, performance.now())]).toEqual([
      object.id,
      version,
      true,
    ]);
    expect(version).toBeGreaterThanOrEqual(this.#floors[wanted.object] ?? 0);
    this.#seen[wanted.object] = Math.max(this.#seen[wanted.object] ?? 0, version);
    const { start, end } = this.#extent(reply, sizeOf(version));
    if (reply.complete) expect(reply.body.length).toBe(end - start);
    const content = new ContentFunction(object.id, version);
    const wrongAt = content.firstDifference(reply.body, 0, start, reply.body.length);
    if (wrongAt >= 0) {
      throw new Error(describeDifference(content, reply.body, 0, start, reply.body.length));
    }
  }

  endOfBatch(wasKilled: boolean): void {
    // A kill may lose what was learnt within the last moments: an older version is current again until it is stale.
    for (const [i, seen] of this.#seen.entries()) this.#floors[i] = wasKilled ? 0 : seen;
    if (wasKilled) this.#seen.fill(0);
  }

  #extent(reply: Reply, sizeBytes: number): { readonly start: number; readonly end: number } {
    const match = /^bytes ([0-9]+)-([0-9]+)\/([0-9]+)$/.exec(reply.headers['content-range'] ?? '');
    if (reply.status === 200) return { start: 0, end: sizeBytes };
    expect(Number(match?.[3])).toBe(sizeBytes);
    return { start: Number(match?.[1]), end: Number(match?.[2]) + 1 };
  }
}

function headersOf({ range: wanted, condition }: Wish, object: ModelObject): Record<string, string> {
  const headers: Record<string, string> = {};
  if (wanted !== 'all') {
    headers['Range'] =
      'suffix' in wanted ? `bytes=-${wanted.suffix}` : `bytes=${wanted.from}-${wanted.from + wanted.length - 1}`;
  }
  const etag = object.current.fields?.['ETag'];
  if (condition !== 'none' && etag !== undefined) headers[condition] = etag;
  return headers;
}

const origin = new ModelOrigin();
const nodes = new Map<boolean, ScriptedNode>();
afterAll(async () => {
  for (const node of nodes.values()) await node.stop();
});
let count = 0;

async function play(
  node: ScriptedNode,
  { kinds, control, faultRatio, seed: faultSeed, batches, restarts }: Plan,
): Promise<void> {
  origin.reset(faultSeed, faultRatio);
  const objects = kinds.map((kind) => new ModelObject(`m${count++}`, kind, control));
  for (const object of objects) origin.objects.set(object.id, object);
  const witness = new Witness(objects, control === 'no-cache');
  for (const [i, batch] of batches.entries()) {
    await Promise.all(
      batch.map(async (one) => {
        const object = objects[one.object];
        if (object === undefined) return;
        if (one.kind === 'change') {
          object.change();
          return;
        }
        const startedAtMs = performance.now();
        let bytes = 0;
        const reply = await node.get(`/${object.id}`, headersOf(one, object), {
          onBody: (more, request) => {
            bytes += more;
            if (one.stopAt !== undefined && bytes >= one.stopAt) request.destroy();
          },
        });
        witness.hear(one, reply, startedAtMs);
      }),
    );
    const signal = restarts[i];
    if (signal !== undefined) await node.restart(signal);
    witness.endOfBatch(signal === 'SIGKILL');
  }
}

describe.each([{ isNested: false }, { isNested: true }])(
  'through a node (before a parent: $isNested)',
  ({ isNested }) => {
    const start = async (): Promise<ScriptedNode> => {
      // Room for a few objects only: they are evicted all the time.
      const node =
        nodes.get(isNested) ??
        (await ScriptedNode.start((asked) => origin.answer(asked), { isNested, driveBytes: 2e6 }));
      nodes.set(isNested, node);
      return node;
    };

    it(
      'no answer holds bytes of two versions, or of one that was not current (property)',
      async () => {
        const node = await start();
        let runCount = 0;
        await fc.assert(
          fc.asyncProperty(plan, async (one) => {
            runCount += 1;
            await play(node, one);
          }),
          {
            ...(budgetMs === undefined
              ? { numRuns: runs.mixing }
              : { numRuns: 1_000_000, interruptAfterTimeLimit: budgetMs }),
            endOnFailure: true,
            ...(seed === undefined ? {} : { seed }),
          },
        );
        process.stderr.write(`model: ${runCount} runs\n`);
      },
      (budgetMs ?? 0) + 60_000,
    );

    it('an origin without faults sends the union of what was asked, once (property)', async () => {
      const node = await ScriptedNode.start((asked) => origin.answer(asked), { isNested });
      const wishes = fc.array(fc.array(wish, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 });
      try {
        await fc.assert(
          fc.asyncProperty(wishes, fc.constantFrom('no-cache', 'max-age=3600'), async (batches, control) => {
            origin.reset(0, 0);
            const object = new ModelObject(`m${count++}`, 'etag', control);
            origin.objects.set(object.id, object);
            const union = new IntervalSet();
            const size = object.current.sizeBytes;
            for (const batch of batches) {
              const ranges = batch.map((one) =>
                one.range === 'all' || 'suffix' in one.range ? { from: 7, length: 900 } : one.range,
              );
              await Promise.all(
                ranges.map(async ({ from, length }) => {
                  const end = Math.min(size, from + length);
                  const reply = await node.get(`/${object.id}`, { Range: `bytes=${from}-${from + length - 1}` });
                  if (from >= size) expect(reply.status).toBe(416);
                  else {
                    union.add(from, end);
                    expect([reply.status, reply.complete, reply.body.length]).toEqual([206, true, end - from]);
                  }
                }),
              );
            }
            expect(object.sentBytes).toBe(union.bytes);
          }),
          { numRuns: runs.union, endOnFailure: true },
        );
      } finally {
        await node.stop();
      }
    });
  },
);
