// Filling, beside nginx (`proxy_cache`; the same with `slice 1m` and `proxy_cache_lock`) and Varnish: what those who come
// second wait for while an object is still arriving, and what an origin is asked for. The cold fill is in cold-fill.ts.

import { type Asked, ask } from './ask.ts';
import { benchColdFill } from './cold-fill.ts';
import { type Effort, inRounds, type Measurement } from './measurement.ts';
import { installed, missing, type Server, startProgram, startProxy, startVarnish } from './peers.ts';
import { delayMs, pacedBytes, SlowOrigin } from './slow-origin.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

/** A cache under test, and how it is asked for a path of the origin. */
type Cache = { readonly name: string; readonly server: Server; target(path: string): string };

/** When the first follower comes, after the leader: while the object's first MiB arrives, and when 8 MB are there. */
const followEarlyMs = 50;
const followAfterMs = 1000;
const waiterCount = 10;
const noStoreClientCount = 6;
const leaderLeavesAtBytes = 200_000;

export async function benchFilling(effort: Effort): Promise<Measurement[]> {
  const absent = missing('nginx');
  if (absent !== undefined) return [{ name: 'filling beside nginx and Varnish', skipped: absent }];
  return await inWorkspace(async (workspace) => {
    const origin = workspace.keep(await SlowOrigin.start());
    const caches = await startCaches(workspace, origin);
    const skipped: Measurement[] =
      installed('varnishd') === undefined ? [{ name: 'Varnish', skipped: 'not installed: varnishd' }] : [];
    return [
      ...skipped,
      ...(await followers(caches, origin, effort.quick ? 3 : 10)),
      ...(await waiters(caches, origin, effort.quick ? 2 : 5)),
      ...(await unstorable(caches, effort.quick ? 2 : 5)),
      ...(await leaderLeaves(caches, origin, effort.quick ? 1 : 3)),
      ...(await benchColdFill(workspace, effort)),
    ];
  });
}

async function startCaches(workspace: Workspace, origin: SlowOrigin): Promise<Cache[]> {
  const { folder } = workspace;
  const node = workspace.keep(
    await startProgram('cache/main', [
      ...['--drive', `${folder}/drive=4 GB`, '--listen', '127.0.0.1:0', '--workers', '1'],
      ...['--origin', `bench.test=127.0.0.1:${origin.port}`],
    ]),
  );
  const plain = workspace.keep(await startProxy(folder, 'plain', origin.port, 'proxy_cache_valid 200 1h;'));
  const sliced = workspace.keep(
    await startProxy(
      folder,
      'sliced',
      origin.port,
      `slice 1m; proxy_cache_lock on; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range;
       proxy_cache_valid 200 206 1h;`,
    ),
  );
  const same = (path: string): string => path;
  const caches: Cache[] = [
    { name: 'node', server: node, target: (path) => `${path}?cacheHostOrigin=bench.test` },
    { name: 'nginx', server: plain, target: same },
    { name: 'nginx, slices', server: sliced, target: same },
  ];
  if (installed('varnishd') !== undefined) {
    caches.push({ name: 'Varnish', server: workspace.keep(await startVarnish(folder, origin.port)), target: same });
  }
  return caches;
}

async function followers(caches: readonly Cache[], origin: SlowOrigin, rounds: number): Promise<Measurement[]> {
  const ranges = [
    ['the whole', undefined],
    ['bytes=0-', 'bytes=0-'],
    ['64 KiB that are there', 'bytes=4000000-4065535'],
  ] as const;
  const samples = await inRounds(caches, rounds, async (cache, round) => {
    const early = await follow(cache, origin, `/paced/early-${round}-${idOf(cache)}`, followEarlyMs, [undefined]);
    const path = `/paced/follow-${round}-${idOf(cache)}`;
    const later = await follow(
      cache,
      origin,
      path,
      followAfterMs,
      ranges.map(([, range]) => range),
    );
    return { earlyMs: early.firstByteMs[0] ?? Number.NaN, ...later };
  });
  const by = (what: string, of: (sample: Followed & { readonly earlyMs: number }) => number): Measurement[] =>
    caches.map(({ name }) => ({ name: `${what}, ${name}`, values: (samples.get(name) ?? []).map(of) }));
  return [
    ...by(`follower after ${followEarlyMs} ms, the whole: ms to the first byte`, ({ earlyMs }) => earlyMs),
    ...ranges.flatMap(([what], i) =>
      by(`follower after 1 s, ${what}: ms to the first byte`, ({ firstByteMs }) => firstByteMs[i] ?? Number.NaN),
    ),
    ...by('leader and three followers: times byte 0 was fetched', ({ firstByteCount }) => firstByteCount),
  ];
}

type Followed = { readonly firstByteMs: readonly number[]; readonly firstByteCount: number };

/** A leader asks for the whole; after a while followers come, one after the other, and leave at their first byte. */
async function follow(
  { server, target }: Cache,
  origin: SlowOrigin,
  path: string,
  afterMs: number,
  ranges: readonly (string | undefined)[],
): Promise<Followed> {
  const wanted = { port: server.port, target: target(path) };
  let stopLeader = (): void => undefined;
  const stop = new Promise<void>((resolve) => {
    stopLeader = resolve;
  });
  const leader = ask({ ...wanted, stop });
  await after(afterMs);
  const firstByteMs: number[] = [];
  for (const range of ranges) firstByteMs.push((await ask({ ...wanted, range, stopAfterBytes: 1 })).firstByteMs);
  const { firstByteCount } = origin.of(path);
  stopLeader();
  await leader;
  return { firstByteMs, firstByteCount };
}

async function waiters(caches: readonly Cache[], origin: SlowOrigin, rounds: number): Promise<Measurement[]> {
  const samples = await inRounds(caches, rounds, async (cache, round) => {
    const { name, server, target } = cache;
    const path = `/fault/${round}-${idOf(cache)}`;
    const asked = await together(waiterCount, server.port, target(path));
    const wrong = asked.find(({ status }) => !(status >= 500));
    if (wrong !== undefined) throw new Error(`${name}: expected 5xx of an origin that fails, found ${wrong.status}`);
    return { slowestMs: slowest(asked), requestCount: origin.of(path).requestCount };
  });
  return caches.flatMap(({ name }) => [
    {
      name: `${waiterCount} waiters, 503 after ${delayMs} ms: slowest, ms, ${name}`,
      values: (samples.get(name) ?? []).map(({ slowestMs }) => slowestMs),
    },
    {
      name: `${waiterCount} waiters, 503 after ${delayMs} ms: upstream requests, ${name}`,
      values: (samples.get(name) ?? []).map(({ requestCount }) => requestCount),
    },
  ]);
}

async function unstorable(caches: readonly Cache[], rounds: number): Promise<Measurement[]> {
  const samples = await inRounds(caches, rounds, async (cache, round) => {
    const { name, server, target } = cache;
    const asked = await together(noStoreClientCount, server.port, target(`/no-store/${round}-${idOf(cache)}`));
    const wrong = asked.find(({ outcome }) => outcome !== 'complete');
    if (wrong !== undefined) throw new Error(`${name}: expected whole answers, found one that ${wrong.outcome}`);
    return slowest(asked);
  });
  return caches.map(({ name }) => ({
    name: `${noStoreClientCount} clients of a no-store object, ${delayMs} ms: slowest, ms, ${name}`,
    values: samples.get(name) ?? [],
  }));
}

async function leaderLeaves(caches: readonly Cache[], origin: SlowOrigin, rounds: number): Promise<Measurement[]> {
  const samples = await inRounds(caches, rounds, async (cache, round) => {
    const { server, target } = cache;
    const path = `/paced/leave-${round}-${idOf(cache)}`;
    const wanted = { port: server.port, target: target(path) };
    await ask({ ...wanted, stopAfterBytes: leaderLeavesAtBytes });
    await origin.quiet(path, 300);
    const fetchedAlone = origin.of(path).bodyBytes / pacedBytes;
    const second = await ask(wanted);
    const gotAll = second.outcome === 'complete' && second.bodyBytes === pacedBytes;
    return { fetchedAlone, gotAll: gotAll ? 1 : 0, fetched: origin.of(path).bodyBytes / pacedBytes };
  });
  return caches.flatMap(({ name }) => {
    const of = samples.get(name) ?? [];
    return [
      {
        name: `leader leaves at 200 kB: share of the object fetched for nobody, ${name}`,
        values: of.map(({ fetchedAlone }) => fetchedAlone),
      },
      {
        name: `leader leaves at 200 kB: second client gets all (1: yes), ${name}`,
        values: of.map(({ gotAll }) => gotAll),
      },
      {
        name: `leader leaves at 200 kB: upstream bytes ÷ object, in all, ${name}`,
        values: of.map(({ fetched }) => fetched),
      },
    ];
  });
}

/** A cache's part of a path: each has objects of its own, and its requests are counted apart. */
function idOf({ name }: Cache): string {
  return name.replace(/\W/g, '');
}

async function together(count: number, port: number, target: string): Promise<Asked[]> {
  return await Promise.all(Array.from({ length: count }, () => ask({ port, target })));
}

function slowest(asked: readonly Asked[]): number {
  return Math.max(...asked.map(({ endMs }) => endMs));
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
