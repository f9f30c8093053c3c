// What a machine says of its limits, from files in a folder of the test's own in place of /proc and /sys.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MachineReadings, readMachine } from '../../simulator/world/live/machine-readings.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'do-sim-machine-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function readingsOf(files: Readonly<Record<string, string>>): MachineReadings {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return readMachine(root);
}

const meminfo = 'MemTotal:       24684092 kB\nMemFree:        21274336 kB\nMemAvailable:   23316888 kB';

describe('the limits of a machine', () => {
  it('are those of the kernel', () => {
    expect(
      readingsOf({
        'proc/sys/net/ipv4/ip_local_port_range': '32768\t60999',
        'proc/sys/net/core/somaxconn': '4096',
        'proc/sys/net/ipv4/tcp_mem': '287901\t383868\t575802',
        'proc/sys/fs/file-nr': '1310\t0\t2466177',
        'proc/sys/net/netfilter/nf_conntrack_count': '12',
        'proc/sys/net/netfilter/nf_conntrack_max': '262144',
        'proc/meminfo': meminfo,
      }),
    ).toMatchObject({
      ephemeralPorts: 28_232,
      listenQueueMax: 4096,
      tcpMemoryBytesMax: 575_802 * 4096,
      systemFilesFree: 2_464_867,
      trackedConnectionsFree: 262_132,
      memoryBytesFree: 23_316_888 * 1024,
    });
  });

  it('are not known where nothing says them, as on other systems', () => {
    const { openFilesMax, temporaryFilesAreMemory, ...others } = readingsOf({});
    expect(openFilesMax).toBeGreaterThan(0);
    expect(typeof temporaryFilesAreMemory).toBe('boolean');
    expect(others).toEqual({
      ephemeralPorts: 16_384,
      listenQueueMax: undefined,
      tcpMemoryBytesMax: undefined,
      systemFilesFree: undefined,
      trackedConnectionsFree: undefined,
      threadsFree: undefined,
      memoryBytesFree: undefined,
    });
  });

  it('are not known where what is said makes no sense', () => {
    expect(
      readingsOf({
        'proc/sys/net/core/somaxconn': '',
        'proc/sys/net/ipv4/tcp_mem': 'x',
        'proc/sys/fs/file-nr': '1',
        'proc/meminfo': 'MemAvailable: lots',
        'proc/self/cgroup': 'nonsense',
      }),
    ).toMatchObject({
      listenQueueMax: undefined,
      tcpMemoryBytesMax: undefined,
      systemFilesFree: undefined,
      memoryBytesFree: undefined,
    });
  });

  it('have no connection tracking while that counts nothing', () => {
    const { trackedConnectionsFree } = readingsOf({
      'proc/sys/net/netfilter/nf_conntrack_count': '0',
      'proc/sys/net/netfilter/nf_conntrack_max': '262144',
    });
    expect(trackedConnectionsFree).toBeUndefined();
  });
});

describe('the limits of a control group', () => {
  it.each([
    {
      name: 'version 2',
      files: {
        'proc/self/cgroup': '0::/run.slice/sim',
        'sys/fs/cgroup/run.slice/sim/memory.max': '4000000000',
        'sys/fs/cgroup/run.slice/sim/memory.current': '3500000000',
        'sys/fs/cgroup/run.slice/sim/memory.stat': 'anon 400000000\nfile 3000000000\ninactive_file 2500000000',
        'sys/fs/cgroup/run.slice/sim/pids.max': '500',
        'sys/fs/cgroup/run.slice/sim/pids.current': '20',
      },
    },
    {
      name: 'version 2, seen from within a container',
      files: {
        'proc/self/cgroup': '0::/docker/0123',
        'sys/fs/cgroup/memory.max': '4000000000',
        'sys/fs/cgroup/memory.current': '3500000000',
        'sys/fs/cgroup/memory.stat': 'inactive_file 2500000000',
        'sys/fs/cgroup/pids.max': '500',
        'sys/fs/cgroup/pids.current': '20',
      },
    },
    {
      name: 'version 1',
      files: {
        'proc/self/cgroup': '9:name=systemd:/\n8:pids:/sim\n4:memory:/sim\n1:cpu,cpuacct:/\n0::/',
        'sys/fs/cgroup/memory/sim/memory.limit_in_bytes': '4000000000',
        'sys/fs/cgroup/memory/sim/memory.usage_in_bytes': '3500000000',
        'sys/fs/cgroup/memory/sim/memory.stat': 'inactive_file 1\ntotal_inactive_file 2500000000',
        'sys/fs/cgroup/pids/sim/pids.max': '500',
        'sys/fs/cgroup/pids/sim/pids.current': '20',
      },
    },
  ])('$name: less what is used, and not the page cache', ({ files }) => {
    const { memoryBytesFree, threadsFree } = readingsOf({ 'proc/meminfo': meminfo, ...files });
    expect(threadsFree).toBe(480);
    expect(memoryBytesFree).toBe(3_000_000_000);
  });

  it.each([
    {
      name: 'version 2',
      limit: 'max',
      file: 'sys/fs/cgroup/memory.max',
      used: 'sys/fs/cgroup/memory.current',
      group: '0::/',
    },
    {
      name: 'version 1',
      limit: '9223372036854771712',
      file: 'sys/fs/cgroup/memory/memory.limit_in_bytes',
      used: 'sys/fs/cgroup/memory/memory.usage_in_bytes',
      group: '4:memory:/',
    },
  ])('$name: without a limit the machine binds', ({ limit, file, used, group }) => {
    const { memoryBytesFree } = readingsOf({
      'proc/meminfo': meminfo,
      'proc/self/cgroup': group,
      [file]: limit,
      [used]: '1000',
    });
    expect(memoryBytesFree).toBe(23_316_888 * 1024);
  });
});
