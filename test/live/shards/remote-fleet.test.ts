// Shards and their environment, over HTTP: real links against a real RemoteFleet; only the devices are made up.

import { afterEach, describe, expect, test } from 'vitest';
import type { Address } from '../../../common/address.ts';
import { thisMachine } from '../../../simulator/result/machine.ts';
import type { DeviceProgress, DeviceReport } from '../../../simulator/world/live/device-protocol.ts';
import type { DevicesPart } from '../../../simulator/world/live/parts.ts';
import { EnvironmentLink } from '../../../simulator/world/live/shards/environment-link.ts';
import { type RunIdentity, sealPart } from '../../../simulator/world/live/shards/part.ts';
import { RemoteFleet, type RemoteFleetOptions } from '../../../simulator/world/live/shards/remote-fleet.ts';
import { reportOf } from '../../world/device-report.ts';
import { scenarioOf } from '../../world/fleet-run.ts';

const run: RunIdentity = {
  toolVersion: '0.1.0',
  scenario: { name: 'Test', path: 'test.yaml', sha256: 'a'.repeat(64), text: 'name: Test' },
  overrides: {},
  seed: 7,
};
const scenario = scenarioOf(`
content: [{ id: update, size: 1000 B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 12, cacheHosts: [hq], wants: [update] }]`);
const node: Address = { host: '0.0.0.0', port: 8081 };
const cdn: Address = { host: '127.0.0.1', port: 8082 };

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

type Environment = { readonly fleet: RemoteFleet; at: Address; started: Promise<string | undefined>; broken: string[] };

async function environment(options: Partial<RemoteFleetOptions> = {}, snapshots = false): Promise<Environment> {
  const broken: string[] = [];
  let onListening: (address: Address) => void = () => undefined;
  const listening = new Promise<Address>((resolve) => {
    onListening = resolve;
  });
  const terms = { listen: { host: '127.0.0.1', port: 0 }, run, waitMs: 20_000, onListening, ...options };
  const fleet = new RemoteFleet(terms, (what) => broken.push(what));
  const started = fleet.start({ scenario, nodes: { hq: node }, cdns: [cdn], deviceRows: true, snapshots });
  toClose.push(() => fleet.close());
  return { fleet, at: await listening, started, broken };
}

async function shard(at: Address, index: number, count: number, more: object = {}): Promise<EnvironmentLink> {
  const { signal } = new AbortController();
  const options = { environment: at, shard: { index, count }, run, waitMs: 5000, signal, ...more };
  const link = await EnvironmentLink.join(options);
  toClose.unshift(async () => {
    await link.say('gone');
    link.close();
  });
  return link;
}

function partOf(index: number, count: number, change: Partial<DevicesPart> = {}, of: RunIdentity = run): string {
  const devices: DevicesPart = { shard: { index, count }, reports: [], lost: false, ...change };
  return sealPart({ kind: 'devices', run: of, startEpochMs: 5000, machine: thisMachine(), devices });
}

const progress: DeviceProgress = {
  ...{ waiting: 1, connected: 2, downloading: 3, onCdn: 0, completed: 4, failed: 0 },
  ...{ bytesFromCacheServer: 5, bytesFromCdn: 6, failedRanges: 0 },
};

/** What a device process says that has received so many bytes in each second. */
const reportWith = (bytes: readonly number[], startSecond = 100): DeviceReport =>
  reportOf({
    startSecond,
    ...{ servers: ['hq'], bytesPerSecond: { hq: bytes }, connectedPerSecond: bytes.map(() => 1) },
    verifiedBytes: bytes.reduce((sum, value) => sum + value, 0),
    ...{ latency: '', ledgers: {}, groups: [] },
  });

describe('an environment and its shards', () => {
  test('find each other, begin and end together, and the environment has all parts in order', async () => {
    const { fleet, at, started, broken } = await environment();
    expect(fleet.waitsFor).toBe('the first shard');
    const second = await shard(at, 1, 2);
    // What listens on every address is reached at the one that the environment was asked at.
    expect(second.place).toEqual({
      nodes: { hq: { host: '127.0.0.1', port: 8081 } },
      cdns: [cdn],
      deviceRows: true,
      snapshots: false,
    });
    expect(Math.abs(second.clock.aheadMs)).toBeLessThanOrEqual(second.clock.errorMs + 2);
    await second.say('ready');
    expect(fleet.waitsFor).toBe('shards: 1 of 2 are ready');
    const first = await shard(at, 0, 2);
    first.watch(
      () => progress,
      () => [],
    );
    await first.say('ready');
    expect(await started).toBeUndefined();
    fleet.begin(1_234_000);
    expect(await Promise.all([first.begin, second.begin])).toEqual([1_234_000, 1_234_000]);
    expect(fleet.progress()).toContainEqual(expect.objectContaining({ completed: 4, bytesFromCdn: 6 }));

    await first.say('idle');
    await second.say('idle');
    await fleet.idle;
    const reported = fleet.report(700, new AbortController().signal, undefined);
    expect(await first.end).toEqual({ graceMs: 700 });
    await second.handIn(partOf(1, 2));
    await first.handIn(partOf(0, 2));
    expect((await reported).map((part) => part.shard.index)).toEqual([0, 1]);
    expect(broken).toEqual([]);
  });

  test('tell on the way what was measured, each second once, and nothing twice for nothing', async () => {
    const { fleet, at } = await environment({}, true);
    const links = [await shard(at, 0, 2), await shard(at, 1, 2)] as const;
    expect(links[0].place.snapshots).toBe(true);
    const told: DeviceReport[][] = [[], []];
    for (const [index, link] of links.entries()) {
      link.watch(
        () => progress,
        () => told[index] ?? [],
      );
    }
    told[0] = [reportWith([1, 2, 3]), reportWith([4, 5])];
    await links[0].say('ready');
    expect(fleet.snapshot()).toBeUndefined(); // the other one has not said anything
    told[1] = [reportWith([6], 101)];
    await links[1].say('ready');
    told[0] = [reportWith([1, 2, 3, 7]), reportWith([4, 5, 8, 9])];
    await links[0].say('ready');
    await links[0].say('ready');
    const parts = fleet.snapshot() ?? [];
    expect(parts.map(({ shard: { index } }) => index)).toEqual([0, 1]);
    expect(parts.map(({ reports }) => reports)).toEqual(told);
  });

  test('that are asked to end early hear why', async () => {
    const { fleet, at } = await environment();
    const link = await shard(at, 0, 1);
    const reported = fleet.report(0, new AbortController().signal, 'it was interrupted');
    expect(await link.end).toEqual({ graceMs: 0, because: 'it was interrupted' });
    await link.handIn(partOf(0, 1));
    expect(await reported).toHaveLength(1);
  });

  test('are told that the environment ends, when it does so before them', async () => {
    const { fleet, at } = await environment();
    const link = await shard(at, 0, 1);
    await Promise.all([
      fleet.close(),
      expect(link.end).resolves.toMatchObject({ because: 'the environment has ended' }),
    ]);
  });
});

describe('the environment refuses', () => {
  test('a second command with the same number, and another number of shards', async () => {
    const { at } = await environment();
    await shard(at, 0, 2);
    const double = await shard(at, 0, 2);
    expect(await double.end).toMatchObject({ because: 'shard 0/2 is there already: another command has this number' });
    const other = await shard(at, 1, 3);
    expect(await other.end).toMatchObject({ because: 'this run has 2 shards, found shard 1/3' });
  });

  test('a shard that comes after the start', async () => {
    const { fleet, at, started } = await environment();
    await (await shard(at, 0, 1)).say('ready');
    await started;
    fleet.begin(5000);
    const late = await shard(at, 0, 1);
    expect(await late.end).toMatchObject({ because: 'shard 0/1 is there already: another command has this number' });
  });

  test('a part that is damaged, of another shard, or of another run', async () => {
    const { at } = await environment();
    const link = await shard(at, 0, 2);
    const damaged = partOf(0, 2).replace('"seed":7', '"seed":8');
    await expect(link.handIn(damaged)).rejects.toThrow('it was edited, or damaged');
    await expect(link.handIn(partOf(1, 2))).rejects.toThrow('expected the part of shard 0/2, found another one');
    const foreign = partOf(0, 2, {}, { ...run, seed: 8 });
    await expect(link.handIn(foreign)).rejects.toThrow('shard 0/2 is not of this run: its seed is 8, expected 7');
  });

  test('whatever else is asked', async () => {
    const { at } = await environment();
    const statusOf = async (method: string, path: string, body?: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${at.port}${path}`, { method, ...(body === undefined ? {} : { body }) })).status;
    expect(await statusOf('GET', '/')).toBe(404);
    expect(await statusOf('POST', '/shards/2-of-2', '{}')).toBe(404);
    expect(await statusOf('GET', '/shards/0-of-2')).toBe(404);
    expect(await statusOf('POST', '/shards/0-of-2', '{"state":"ready"}')).toBe(400);
    expect(await statusOf('PUT', '/shards/0-of-2/part', 'nothing')).toBe(400);
  });
});

describe('a shard refuses', () => {
  test('an environment of another run, or with another start', async () => {
    const { at } = await environment({ startAtEpochMs: 60_000 });
    await expect(shard(at, 0, 1, { run: { ...run, seed: 8 } })).rejects.toThrow(
      'is of another run than this shard: its seed is 8, expected 7.',
    );
    await expect(shard(at, 0, 1, { startAtEpochMs: 61_000 })).rejects.toThrow(
      'begins at 1970-01-01T00:01:00.000Z, --start-at of this shard is 1970-01-01T00:01:01.000Z.',
    );
  });

  test('to wait for longer than it was told, or after Ctrl-C', async () => {
    const nobody = { host: '127.0.0.1', port: 1 };
    await expect(shard(nobody, 0, 1, { waitMs: 300 })).rejects.toThrow(
      /^--environment 127\.0\.0\.1:1: expected the environment of this run to answer within 300 ms \(--wait\), found ECONNREFUSED\./,
    );
    await expect(shard(nobody, 0, 1, { signal: AbortSignal.abort() })).rejects.toThrow('Interrupted');
  });
});

describe('the environment says', () => {
  test('which shards did not come in time', async () => {
    const { at, started } = await environment({ waitMs: 600 });
    await (await shard(at, 1, 3)).say('ready');
    expect(await started).toBe('not every shard was ready within 600 ms (--wait): shard 0/3, shard 2/3');
    expect(await (await environment({ waitMs: 50 })).started).toBe('no shard came within 50.0 ms (--wait)');
  });

  test('what kept a shard from getting ready', async () => {
    const { at, started } = await environment();
    await (await shard(at, 0, 2)).say('gone', 'shard 0/2: no room');
    expect(await started).toBe('shard 0/2: no room');
  });

  test('which shard is silent, and does not wait for it', async () => {
    const { fleet, at, broken } = await environment({ silenceMs: 1500 });
    const [dead, living] = [await shard(at, 0, 2), await shard(at, 1, 2)];
    dead.close();
    const isBroken = new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (broken.length === 0) return;
        clearInterval(timer);
        resolve();
      }, 10);
    });
    await isBroken;
    expect(broken[0]).toBe('shard 0/2 has not been heard of for 1.50 s');
    const reported = fleet.report(0, new AbortController().signal, broken[0]);
    expect(await living.end).toMatchObject({ because: 'shard 0/2 has not been heard of for 1.50 s' });
    await living.handIn(partOf(1, 2, { broken: 'it ran out' }));
    expect((await reported).map((part) => part.shard.index)).toEqual([1]);
    expect(broken).toContain('shard 1/2: it ran out');
  });
});
