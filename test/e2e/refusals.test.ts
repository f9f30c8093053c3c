// What `sim run` refuses, with what it says and how it ends; and how verdicts become exit codes.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { canLookUp, SimRun } from './sim-run.ts';

const small = `
name: Small
content: [{ id: update, size: 2 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 10, cacheHosts: [hq], wants: [update] }]
expect: [devices.completedRatio == 1]
`;

/** It ends so, has measured nothing, and leaves not even an empty folder. */
async function expectRefused(run: SimRun, code: number): Promise<string> {
  expect(await run.exitCode()).toBe(code);
  expect(run.stdout).toBe('');
  expect(existsSync(run.out)).toBe(false);
  return run.said();
}

describe.concurrent('refused before anything is started (exit code 2)', () => {
  test('a scenario with mistakes: all of them, with their places', async ({ expect: ok }) => {
    const run = new SimRun(small.replace('size: 2 MB', 'size: 2').replace('devices: 10', 'devicez: 10'));
    ok(await expectRefused(run, 2)).toMatchInlineSnapshot(`
      "<folder>/scenario.yaml:3:31  content.0.size: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found the bare number 2
      <folder>/scenario.yaml:5:23  fleet.0.devicez: expected one of the keys id, devices, site, client, cacheHosts, downlink, line, wants, arrive, policy, connectionsPerFile, found the unknown key "devicez"; did you mean devices?
      <folder>/scenario.yaml: 2 mistakes, nothing was run
      "
    `);
  });

  test('a link that the live world cannot cut and join: both at once', async ({ expect: ok }) => {
    const run = new SimRun(`${small}events: [{ at: 1 s, cut: hq.wan }, { at: 2 s, join: hq.wan }]\n`);
    ok(await expectRefused(run, 2)).toMatchInlineSnapshot(`
      "This scenario cannot run in the live world:
        events: cut hq.wan: links are modelled in the virtual world only
        events: join hq.wan: links are modelled in the virtual world only
      "
    `);
  });

  test.for([
    [['--shard', '4/4'], 'Expected i/n with i from 0 to n-1, such as 0/4 to 3/4; found "4/4".'],
    [['--shard', '0/11'], '--shard 0/11: expected at most 10 shards, one for each device'],
    [['--shard', '0/2', '--role', 'environment'], '--shard and --role: expected one of them, found both'],
    [['--shard', '0/2', '--devices'], '--devices: give it to --role environment, which writes the file'],
    [['--environment', '127.0.0.1:7070'], '--environment: only a --shard looks for one'],
    [['--listen', '127.0.0.1:7070'], '--listen: only --role environment listens'],
    [['--role', 'environment', '--listen', '7070'], 'Expected address:port, such as 127.0.0.1:7070; found "7070".'],
    [['--role', 'environment', '--start-at', 'noon'], '--start-at noon: expected a time such as <time>'],
  ] as const)('%j', async ([words, message]) => {
    expect(await expectRefused(new SimRun(small, { options: words }), 2)).toContain(message);
  });

  test('an unknown option', async () => {
    const run = new SimRun(small, { options: ['--device'] });
    const said = await expectRefused(run, 2);
    expect(said).toContain("error: unknown option '--device'\n(Did you mean --devices?)");
  });

  test('an unknown world', async () => {
    const run = new SimRun(small, { world: 'default', options: ['--world', 'real'] });
    expect(await expectRefused(run, 2)).toContain('Allowed choices are live, virtual, both.');
  });
});

describe.concurrent('cannot be carried out (exit code 3)', () => {
  test('the port of the CDN is in use', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as net.AddressInfo;
    const run = new SimRun(small, { set: { 'cdn.listen': `127.0.0.1:${port}` } });
    const said = await expectRefused(run, 3);
    taken.close();
    expect(said).toContain('the CDN did not start: it ended with code 3.');
    expect(said).toContain(`127.0.0.1:${port}`);
  });

  test.skipIf(!canLookUp)(
    'too few open files: says how many are needed, and what to change',
    async ({ expect: ok }) => {
      const run = new SimRun(small, {
        set: { 'fleet.0.devices': 5000 },
        prefix: ['bash', '-c', 'ulimit -n 256; exec "$@"', '-'],
      });
      ok(await expectRefused(run, 3)).toMatchInlineSnapshot(`
        "This machine cannot carry the live run:
          open files: 5,000 connections need 298 open files a process, found a limit of 256. Raise it ("ulimit -n 298", or LimitNOFILE= of the service), or take fewer devices (--set fleet.0.devices=…).
        Nothing was run.
        "
      `);
    },
  );

  test.skipIf(!canLookUp)('few open files that are enough, with more processes: it runs', async () => {
    const run = new SimRun(small, {
      set: { 'fleet.0.devices': 300 },
      prefix: ['bash', '-c', 'ulimit -n 256; exec "$@"', '-'],
    });
    expect(await run.exitCode()).toBe(0);
    expect(run.metrics()).toMatchObject({ 'devices.completedCount': 300 });
  });

  test('--out is a file', async () => {
    const run = new SimRun(small, { out: 'file', files: { file: '' } });
    expect(await run.exitCode()).toBe(3);
    expect(run.said()).toBe(`--out file: expected a folder that can be written, found EEXIST. Choose another one.\n`);
  });

  test.skipIf(!canLookUp)('--out is below a folder that nobody may write to', async () => {
    const run = new SimRun(small, { out: '/proc/sim-out' });
    const said = await expectRefused(run, 3);
    expect(said).toBe(
      '--out /proc/sim-out: expected a folder that can be written, found ENOENT. Choose another one.\n',
    );
  });

  test('there is no temporary folder', async () => {
    const run = new SimRun(small, {
      prefix: ['sh', '-c', 'export TMPDIR="$TMPDIR/missing"; exec "$@"', '-'],
    });
    const said = await expectRefused(run, 3);
    expect(said).toContain('temporary folder: expected one that can be written, found ENOENT');
    expect(said).toContain('TMPDIR');
  });
});

describe.concurrent('exit codes', () => {
  test('an expectation failed: 1; in a scenario that is expected to fail: 0', async () => {
    const failing = small.replace('devices.completedRatio == 1', 'cdn.egressBytes == 1 MB');
    const [plain, expected] = [new SimRun(failing), new SimRun(`${failing}expected: fail\n`)];
    expect(await plain.exitCode()).toBe(1);
    expect(plain.result()).toMatchObject({ verdict: 'fail', reason: '1 of 3 judged expectations failed' });
    expect(plain.stdout).toContain('FAIL  1 of 3 judged expectations failed');
    expect(await expected.exitCode()).toBe(0);
    expect(expected.result()).toMatchObject({
      verdict: 'fail',
      reason: '1 of 3 judged expectations failed, as expected',
    });
  });

  test('a scenario that is expected to fail, and holds: 1', async () => {
    const run = new SimRun(`${small}expected: fail\n`);
    expect(await run.exitCode()).toBe(1);
    expect(run.result().reason).toBe('3 judged expectations hold, but one was expected to fail');
  });

  test('none of its expectations could be judged: 4', async () => {
    const only = small.replace(
      '[devices.completedRatio == 1]',
      '[{ world: virtual, that: devices.completedRatio == 1 }]',
    );
    const run = new SimRun(only);
    expect(await run.exitCode()).toBe(4);
    expect(run.result()).toMatchObject({ verdict: 'inconclusive', runs: [{ world: 'live' }] });
    expect(run.stdout).toContain('INCONCLUSIVE  nothing was judged');
  });
});

/** As root, who may mount: a folder with so many bytes. */
function mountable(): string {
  if (process.platform !== 'linux') return 'tmpfs is of Linux';
  if (process.getuid?.() !== 0) return 'only root may mount';
  const probe = new URL('.', import.meta.url).pathname;
  const works = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', probe]).status === 0;
  return works ? '' : 'tmpfs cannot be mounted here';
}

const noMount = mountable();
const skipped = noMount === '' ? '' : ` (skipped: ${noMount})`;
/** In a mount namespace of its own: nothing is left mounted, however the test ends. */
const onDisk = (size: string): string[] => [
  'unshare',
  '-m',
  'sh',
  '-c',
  `mount -t tmpfs -o size=${size} none "$TMPDIR" && exec "$@"`,
  '-',
];

describe.concurrent('disk', () => {
  test.skipIf(noMount !== '')(`too small for the caches: refused${skipped}`, async ({ expect: ok }) => {
    const run = new SimRun(small, { prefix: onDisk('16m') });
    ok(await expectRefused(run, 3)).toMatchInlineSnapshot(`
      "This machine cannot carry the live run:
        disk: the nodes' caches need 69.2 MB in <folder>/tmp, found 16.8 MB free. Make room, or name another folder by the environment variable TMPDIR.
      Nothing was run.
      "
    `);
  });

  test.skipIf(noMount !== '')(`fills up during the run: the node passes through${skipped}`, async () => {
    const run = new SimRun(
      `
name: Disk full
content: [{ id: update, size: 8 MB }, { id: other, size: 8 MB }]
cdn: { egress: 160 Mbit/s }
nodes: [{ id: hq }]
fleet:
  - { id: early, devices: 5, cacheHosts: [hq], wants: [update] }
  - { id: late, devices: 5, cacheHosts: [hq], wants: [other], arrive: { at: 1 s } }
expect: [devices.completedRatio == 1]
`,
      { prefix: onDisk('90m') },
    );
    await run.isDownloading();
    const owner = run.nodeProcesses()[0]?.pid;
    // Seen through the node's own mount namespace.
    const fill = `/proc/${owner}/root${run.temporaryFolder}/fill`;
    spawnSync('sh', ['-c', `cat /dev/zero > '${fill}'`]);
    expect(await run.exitCode()).toBe(0);
    const metrics = run.metrics();
    // What could not be stored is fetched for each device anew.
    expect(metrics['cdn.egressBytes']).toBeGreaterThan(16e6);
    expect(metrics).toMatchObject({
      'devices.completedRatio': 1,
      'fleet.usefulBytes': 80e6,
      'integrity.corruptBytes': 0,
      'accounting.imbalanceBytes': 0,
    });
  });
});
