import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { OperatorError } from '../../common/errors.ts';
import { parseScenario } from '../../simulator/scenario/load.ts';
import { wholeFleet } from '../../simulator/world/fleet-plan.ts';
import { diskProblems, type Load, planResources } from '../../simulator/world/live/machine-limits.ts';
import type { MachineReadings } from '../../simulator/world/live/machine-readings.ts';

function scenario(devices: number, more = 'nodes: [{ id: hq }]', connections = 1) {
  const text = `
name: Limits
content: [{ id: update, size: 2 MB }]
${more}
fleet: [{ id: office, devices: ${devices}, wants: [update], connectionsPerFile: ${connections} }]
`;
  return parseScenario(text, 'limits.yaml').scenario;
}

const whole: Load = { part: wholeFleet, environment: true };

describe('what a live run takes of the machine', () => {
  test('one device process for 500 devices, at most one a core', async () => {
    expect(await planResources(scenario(500), 4, whole)).toMatchObject({ connections: 500, deviceProcesses: 1 });
    expect(await planResources(scenario(501), 4, whole)).toMatchObject({ deviceProcesses: 2 });
    expect(await planResources(scenario(5000, 'nodes: [{ id: hq }]', 1), 4, whole)).toMatchObject({
      deviceProcesses: 4,
    });
  });

  test('a shard has its part of the connections, the environment the other end of all', async () => {
    const shard = { part: { index: 1, count: 4 }, environment: false };
    expect(await planResources(scenario(5000), 4, shard)).toMatchObject({ connections: 1250, deviceProcesses: 3 });
    const environment = { part: undefined, environment: true };
    expect(await planResources(scenario(5000), 4, environment)).toMatchObject({ connections: 5000 });
  });

  test('no source addresses of loopback for a shard whose environment is elsewhere', async () => {
    const load = { part: { index: 0, count: 2 }, environment: false, addresses: [{ host: '192.0.2.7', port: 7071 }] };
    expect((await planResources(scenario(10), 2, load)).sourceNetwork).toBeUndefined();
  });

  test.each([
    { more: 'nodes: [{ id: far, url: "http://192.0.2.7" }]', why: 'nothing outside is reached from 127.16.0.1' },
    { more: 'nodes: [{ id: near, url: "http://localhost:80" }]', why: 'a name may stand for ::1' },
    { more: 'cdn: { listen: "192.0.2.8:80" }', why: 'nothing outside is reached from 127.16.0.1' },
  ])('no source addresses of loopback with $more: $why', async ({ more }) => {
    expect((await planResources(scenario(10, more), 2, whole)).sourceNetwork).toBeUndefined();
  });

  test.skipIf(process.platform !== 'linux')(
    'source addresses of loopback when all is there (Linux has all of 127/8)',
    async () => {
      const more = 'cdn: { listen: "127.0.0.1:8080" }\nnodes: [{ id: near, url: "http://127.0.0.1:8081" }]';
      expect((await planResources(scenario(10, more), 2, whole)).sourceNetwork).toBe('127.16');
    },
  );
});

/** A machine that has enough of everything. */
const ample: MachineReadings = {
  openFilesMax: 1_048_576,
  systemFilesFree: 2e6,
  threadsFree: 30_000,
  ephemeralPorts: 28_232,
  listenQueueMax: 4096,
  tcpMemoryBytesMax: 8e9,
  trackedConnectionsFree: 1e6,
  temporaryFilesAreMemory: false,
  memoryBytesFree: 64e9,
};

/** The main job, at this many devices; the drive it needs is small. */
const mainJob = (devices: number, more = '') => {
  const text = `
name: Main
content: [{ id: update, size: 20 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: ${devices}, cacheHosts: [hq], wants: [update], connectionsPerFile: 1${more} }]
live: { window: 60 s, demand: 7 Gbit/s }
`;
  return parseScenario(text, 'main.yaml').scenario;
};

async function refusal(devices: number, machine: Partial<MachineReadings>, more = '', load = whole): Promise<string[]> {
  const planned = planResources(mainJob(devices, more), 2, load, { ...ample, ...machine });
  const error = await planned.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return [];
  if (!(error instanceof OperatorError)) throw error;
  expect({ code: error.code, exitCode: error.exitCode }).toEqual({ code: 'LIMITS_TOO_LOW', exitCode: 3 });
  const [first, ...lines] = error.message.split('\n');
  expect(first).toBe('This machine cannot carry the live run:');
  expect(lines.pop()).toBe('Nothing was run.');
  return lines.map((line) => line.trim());
}

describe.skipIf(process.platform !== 'linux')('a machine whose limits are too low (all of 127/8: Linux)', () => {
  test.each([35_000, 100_000])('%d devices run on one that has enough', async (devices) => {
    expect(await refusal(devices, {})).toEqual([]);
  });

  test.each([35_000, 100_000])('and %d on one that tells nothing of its limits', async (devices) => {
    const silent = Object.fromEntries(Object.keys(ample).map((name) => [name, undefined]));
    const { openFilesMax, ephemeralPorts, temporaryFilesAreMemory } = ample;
    expect(await refusal(devices, { ...silent, openFilesMax, ephemeralPorts, temporaryFilesAreMemory })).toEqual([]);
  });

  test.each<{
    name: string;
    devices: number;
    machine: Partial<MachineReadings>;
    more?: string;
    says: RegExp;
    enough: Partial<MachineReadings>;
  }>([
    {
      name: 'open files of a process',
      devices: 100_000,
      machine: { openFilesMax: 1024 },
      says: /^open files: 100,000 connections need 5,953 open files a process, found a limit of 1,024\. .*ulimit -n 5953/,
      enough: { openFilesMax: 20_000 },
    },
    {
      name: 'open files of the system',
      devices: 100_000,
      machine: { systemFilesFree: 200_000 },
      says: /^open files of the system: 100,000 connections need 220,000, found 200,000 left\. Raise fs\.file-max/,
      enough: { systemFilesFree: 220_001 },
    },
    {
      name: 'threads',
      devices: 35_000,
      machine: { threadsFree: 50, openFilesMax: 20_000 },
      says: /^threads: the processes of the run need 120, found 50\. .*"ulimit -u", TasksMax=/,
      enough: { threadsFree: 120, openFilesMax: 20_000 },
    },
    {
      name: 'the listen queue',
      devices: 35_000,
      machine: { listenQueueMax: 128 },
      says: /^listen queue: with 35,000 connections up to 500 wait to be accepted, found room for 128: .*net\.core\.somaxconn/,
      enough: { listenQueueMax: 500 },
    },
    {
      name: 'kernel memory for sockets',
      devices: 100_000,
      machine: { tcpMemoryBytesMax: 300e6 },
      says: /^kernel memory for TCP: about 512 MB for 100,000 connections, found a limit of 300 MB\. Raise net\.ipv4\.tcp_mem/,
      enough: { tcpMemoryBytesMax: 513e6 },
    },
    {
      name: 'connection tracking',
      devices: 100_000,
      machine: { trackedConnectionsFree: 65_536 },
      says: /^connection tracking: 100,000 connections need 220,000 entries, found 65,536 left: .*nf_conntrack_max/,
      enough: { trackedConnectionsFree: 220_001 },
    },
    {
      name: 'memory',
      devices: 35_000,
      machine: { memoryBytesFree: 1e9, openFilesMax: 20_000 },
      says: /^memory: about 1\.\d\d GB for 35,000 connections, the processes that hold them, found 1\.00 GB \(of the machine, or of this control group\)/,
      enough: { memoryBytesFree: 2e9, openFilesMax: 20_000 },
    },
    {
      name: 'memory, with drives in it',
      devices: 100,
      machine: { memoryBytesFree: 400e6, temporaryFilesAreMemory: true },
      says: /^memory: about 517 MB for 100 connections, .* and the nodes' drives in a file system of memory \(TMPDIR\), found 400 MB/,
      enough: { memoryBytesFree: 518e6, temporaryFilesAreMemory: true },
    },
  ])(
    '$name: named, with what to change; and no word when it is enough',
    async ({ devices, machine, says, enough, more }) => {
      const problems = await refusal(devices, machine, more);
      expect(problems).toEqual([expect.stringMatching(says)]);
      expect(await refusal(devices, enough, more)).toEqual([]);
    },
  );

  test('all that are too low are named at once', async () => {
    const low = { openFilesMax: 256, listenQueueMax: 16, memoryBytesFree: 1e6, tcpMemoryBytesMax: 1e6, threadsFree: 1 };
    const names = (await refusal(100_000, { ...low, trackedConnectionsFree: 1, systemFilesFree: 1 })).map(
      (line) => /^[^:]*/.exec(line)?.[0],
    );
    expect(names).toEqual([
      'open files',
      'kernel memory for TCP',
      'memory',
      'open files of the system',
      'threads',
      'connection tracking',
      'listen queue',
    ]);
  });

  test('many connections a device need the ports of the address that a thousand devices share', async () => {
    const greedy = (connections: number) => ({
      ...mainJob(1000),
      fleet: mainJob(1000).fleet.map((group) => ({ ...group, connectionsPerFile: connections })),
    });
    const plan = (connections: number, ephemeralPorts: number) =>
      planResources(greedy(connections), 2, whole, { ...ample, ephemeralPorts });
    await expect(plan(40, 28_232)).rejects.toThrow(
      /source ports: 1,000 devices share a source address, and with 40 connections each need 40,000 of its ports, found 28,232\. Widen net\.ipv4\.ip_local_port_range/,
    );
    expect(await plan(40, 64_512)).toMatchObject({ connections: 40_000, sourceNetwork: '127.16' });
    expect(await plan(22, 28_232)).toMatchObject({ connections: 22_000 });
  });

  test('a shard needs its part only, and no listen queue', async () => {
    const shard: Load = { part: { index: 0, count: 4 }, environment: false };
    const machine = { openFilesMax: 2000, listenQueueMax: 1, systemFilesFree: 30_000, memoryBytesFree: 2.5e9 };
    expect((await refusal(100_000, machine)).length).toBeGreaterThan(2);
    expect(await refusal(100_000, machine, '', shard)).toEqual([]);
  });
});

describe('where the nodes keep their drives', () => {
  test('a folder that is not there', () => {
    expect(diskProblems('/nowhere/at/all', mainJob(1))).toEqual([
      'temporary folder: expected one that can be written, found ENOENT at /nowhere/at/all. Make it, or name another folder by the environment variable TMPDIR.',
    ]);
  });

  test('a disk that is too small for the content', () => {
    const huge = parseScenario(
      'name: Huge\ncontent: [{ id: update, size: 4000 TB }]\nnodes: [{ id: hq }]\nfleet: [{ id: office, devices: 1, wants: [update] }]\n',
      'huge.yaml',
    ).scenario;
    expect(diskProblems(tmpdir(), huge)).toEqual([
      expect.stringMatching(
        /^disk: the nodes' caches need 4.20 PB in .*, found .* free\. Make room, or name another folder/,
      ),
    ]);
    expect(diskProblems(tmpdir(), mainJob(1))).toEqual([]);
  });
});

describe('kernel memory', () => {
  const refusalOf = async (keys: string, window = ''): Promise<string> => {
    const { scenario: many } = parseScenario(
      `name: Limits
content: [{ id: update, size: 2 MB }]
fleet: [{ id: office, devices: 20000000, wants: [update], connectionsPerFile: 1, ${keys} }]
${window}`,
      'limits.yaml',
    );
    return await planResources(many, 2, whole, ample).then(
      () => 'none',
      (error: unknown) => String(error),
    );
  };

  test.skipIf(process.platform !== 'linux')(
    'of devices that take less than they are sent holds what waits for them',
    async () => {
      expect(await refusalOf('downlink: 1 Gbit/s')).toContain('kernel memory for TCP: about 1.31 TB');
      expect(await refusalOf('downlink: 1 Mbit/s')).toContain('kernel memory for TCP: about 12.3 TB');
      expect(await refusalOf('policy: { maxBackgroundDownload: 100 kB/s }')).toContain('about 12.3 TB');
      // 10,000 ranges/s of 8.4 s each are under way: 84,000 of the connections.
      const window = 'live: { window: 5 s, demand: 10485760000 B/s }';
      expect(await refusalOf('downlink: 1 Mbit/s', window)).toContain('about 133 GB');
    },
  );
});
