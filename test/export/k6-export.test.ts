// What of a scenario becomes what, and what is refused: the command as a user types it.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { repositoryRoot } from '../../common/child-program.ts';
import { exportExpectation } from '../../simulator/export/k6/expectations.ts';
import { resourceName } from '../../simulator/export/k6/test-run.ts';
import { parseExpectation } from '../../simulator/judge/expectation.ts';
import { runProgram } from '../../simulator/program.ts';
import { allMetrics } from '../../simulator/result/metrics.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-export-k6-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const text = `name: Small
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq }, { id: region }, { id: there, url: "http://192.0.2.7:8081" }]
fleet:
  - { id: office, devices: 5000, cacheHosts: [hq, there], wants: [update], arrive: { over: 1 min }, downlink: 1 Gbit/s }
events: [{ at: 5 s, kill: hq }]
expect:
  - devices.completedRatio == 1
  - cdn.egressBytes <= 4 MB
`;

/** Runs `sim export k6` in this process on a scenario's text. */
async function exportK6(scenario: string, ...options: string[]) {
  const path = join(folder, 'Small fleet.yaml');
  writeFileSync(path, scenario);
  const out = join(folder, 'out');
  rmSync(out, { recursive: true, force: true });
  let stdout = '';
  let stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += String(chunk);
    return true;
  });
  const exitCode = await runProgram(['export', 'k6', path, '--out', out, ...options]);
  vi.restoreAllMocks();
  return { exitCode, stdout: stdout.replaceAll(out, '<out>'), stderr: stderr.replaceAll(path, '<scenario>'), out };
}

describe('sim export k6', () => {
  it('writes a script in two languages and a TestRun, and says what k6 leaves out', async () => {
    const { exitCode, stdout, stderr, out } = await exportK6(text, '--node', 'hq=http://192.0.2.9/');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(readdirSync(out).sort()).toEqual(['small-fleet.js', 'small-fleet.ts', 'testrun.yaml']);
    expect(stdout).toMatchInlineSnapshot(`
      "Written: <out>/small-fleet.js, <out>/small-fleet.ts, <out>/testrun.yaml

      Judged by k6
        devices.completedRatio == 1  →  devices_completed_ratio rate==1

      Not judged by k6
        cdn.egressBytes <= 4 MB: the CDN's own books have it (GET /books of its admin)

      Not carried
        event at 5.00 s, kill hq: do it by hand, or by sim run
        downlink of group office: k6 cannot limit a virtual user's rate
        arrivals at random of group office: its devices arrive at equal distances

      Up to 5,000 virtual users at a time. To run it:
        k6 run -e CDN=http://… <out>/small-fleet.js
      "
    `);
    expect(readFileSync(join(out, 'small-fleet.js'), 'utf8')).toContain('"url": "http://192.0.2.9"');
  });

  it('names one pod for every 2,000 virtual users, and what each pod is told', async () => {
    const { out } = await exportK6(text, '--cdn', 'http://192.0.2.8');
    const manifest = readFileSync(join(out, 'testrun.yaml'), 'utf8');
    expect(parseYaml(manifest)).toEqual({
      apiVersion: 'k6.io/v1alpha1',
      kind: 'TestRun',
      metadata: { name: 'small-fleet' },
      spec: {
        parallelism: 3,
        script: { configMap: { name: 'small-fleet', file: 'small-fleet.js' } },
        runner: {
          env: [
            { name: 'NODE_HQ', value: 'SET THIS: http://host[:port]' },
            { name: 'NODE_THERE', value: 'http://192.0.2.7:8081' },
            { name: 'CDN', value: 'http://192.0.2.8' },
            { name: 'PODS', value: '3' },
          ],
        },
      },
    });
    expect(manifest).toContain('kubectl create configmap small-fleet');
  });

  it.each([
    {
      what: 'a node that is none',
      options: ['--node', 'hqq=http://192.0.2.9'],
      says: '--node hqq=…: expected a node that devices ask (hq, there), found hqq; did you mean hq?',
    },
    {
      what: 'a node that no device asks',
      options: ['--node', 'region=http://192.0.2.9'],
      says: 'found region, which no device asks',
    },
    {
      what: 'no URL',
      options: ['--node', 'hq=192.0.2.9'],
      says: 'Expected http://host or http://host:port; found "192.0.2.9"',
    },
    { what: 'a node without its URL', options: ['--node', 'hq'], says: 'Expected id=http://host[:port]; found "hq"' },
    { what: 'a URL with a path', options: ['--cdn', 'http://192.0.2.9/a'], says: 'found "http://192.0.2.9/a"' },
  ])('refuses $what, and writes nothing', async ({ options, says }) => {
    const { exitCode, stdout, stderr, out } = await exportK6(text, ...options);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(existsSync(out)).toBe(false);
  });

  it.each([
    {
      what: 'copies of a site',
      scenario: text.replace('fleet:', 'sites: [{ id: branch, count: 9 }]\nfleet:'),
      says: 'sites branch: k6 has no 9 copies of a site',
    },
    {
      what: 'a window of whole files',
      scenario: `${text
        .replace('devices: 5000', 'devices: 5, client: linux')
        .replace(/events.*\n/, '')
        .replace('downlink: 1 Gbit/s', '')}live: { window: 10 s, demand: max }\n`,
      says: 'fleet office: k6 has no live window for client linux',
    },
    {
      what: 'two nodes with one variable',
      scenario: text
        .replace('id: region', 'id: H-Q')
        .replace('id: hq }', 'id: h_q }')
        .replaceAll('hq', 'h_q')
        .replace('there]', 'H-Q]'),
      says: 'both would be told to k6 as NODE_H_Q',
    },
    {
      what: 'a scenario with mistakes',
      scenario: text.replace('4 MB }]', '4 }]'),
      says: '<scenario>:2:31  content.0.size',
    },
  ])('refuses $what', async ({ scenario, says }) => {
    const { exitCode, stderr } = await exportK6(scenario);
    expect(stderr).toContain(says);
    expect(exitCode).toBe(2);
  });

  it('carries the example of its documentation', async () => {
    const example = /^```yaml\n(name: [\s\S]*?)^```$/m.exec(
      readFileSync(join(repositoryRoot, 'docs/k6.md'), 'utf8'),
    )?.[1];
    const { exitCode, stdout } = await exportK6(example ?? '');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('fleet.bytesFromCdn == 0  →  fleet_bytes_from_cdn count==0');
  });

  it('takes the values of --set', async () => {
    const { stdout } = await exportK6(text, '--set', 'fleet.0.devices=70');
    expect(stdout).toContain('Up to 70 virtual users');
  });
});

describe('an expectation', () => {
  const exported = (expectation: string, isRangesDue = false, world?: 'live' | 'virtual') => {
    const parsed = parseExpectation(expectation, world);
    if (parsed.kind === 'problem') throw new Error(`${expectation}: ${parsed.problem.expected}`);
    return exportExpectation(parsed.expectation, isRangesDue);
  };

  it.each([
    {
      text: 'devices.completedRatio == 1',
      metric: 'devices_completed_ratio',
      threshold: 'rate==1',
      ofWholeFleet: false,
    },
    { text: 'devices.completedCount >= 90', metric: 'devices_completed', threshold: 'count>=90', ofWholeFleet: true },
    { text: 'devices.failedCount == 0', metric: 'devices_failed', threshold: 'count==0', ofWholeFleet: false },
    { text: 'devices.failedCount <= 7', metric: 'devices_failed', threshold: 'count<=7', ofWholeFleet: true },
    {
      text: 'devices.completionMs.p50 < 1.5 min',
      metric: 'devices_completion_ms',
      threshold: 'med<90000',
      ofWholeFleet: false,
    },
    { text: 'fleet.finishMs <= 24 h', metric: 'fleet_finish_ms', threshold: 'max<=86400000', ofWholeFleet: false },
    {
      text: 'fleet.bytesFromCacheServer >= 70 TB',
      metric: 'fleet_bytes_from_cache_server',
      threshold: 'count>=70000000000000',
      ofWholeFleet: true,
    },
    {
      text: 'group.late.fleet.bytesFromCdn == 0',
      metric: 'fleet_bytes_from_cdn{fleet_group:late}',
      threshold: 'count==0',
      ofWholeFleet: false,
    },
    {
      text: 'range.latencyMs.p999 <= 0.25 ms',
      metric: 'range_latency_ms',
      threshold: 'p(99.9)<=0.25',
      ofWholeFleet: false,
    },
    { text: 'fallback.timeMs.max <= 10 s', metric: 'fallback_time_ms', threshold: 'max<=10000', ofWholeFleet: false },
    {
      text: 'fallback.byCause.refused >= 100',
      metric: 'fallback_device_count{cause:refused}',
      threshold: 'count>=100',
      ofWholeFleet: true,
    },
  ])('$text becomes a threshold of $metric', ({ text: expects, ...rest }) => {
    expect(exported(expects)).toEqual({ expects, ...rest });
  });

  it('that k6 cannot judge says why, and none is lost', () => {
    const reasons = new Map<string, string>();
    for (const { name, unit } of allMetrics()) {
      const limit = { bytes: '0', ms: '1 ms', bitsPerSecond: '1 bit/s', ratio: '1', count: '1', boolean: '1' }[unit];
      const result = exported(`${name.replace('<id>', 'a')} == ${limit}`);
      if ('notJudged' in result) reasons.set(name, result.notJudged);
      else expect(result.threshold).toMatch(/^(count|rate|med|max|p\([0-9.]+\))==[0-9.]+$/);
    }
    expect(reasons.get('node.<id>.hitRatioBytes')).toContain('books');
    expect(reasons.get('integrity.corruptBytes')).toContain('unread');
    expect(reasons.get('fallback.cdnByteRatio')).toContain('no ratio of two sums');
    expect(reasons.get('group.<id>.devices.connectedCountMax')).toContain('virtual users');
    expect([...reasons.values()]).not.toContain('no metric of k6 measures it');
  });

  it('about the virtual world, or about devices of a live window, is none of k6', () => {
    expect(exported('fleet.finishMs <= 1 h', false, 'virtual')).toHaveProperty('notJudged');
    expect(exported('devices.completedRatio == 1', true)).toHaveProperty('notJudged');
    expect(exported('range.latencyMs.p99 <= 1 s', true)).toHaveProperty('threshold');
  });
});

describe('a name in Kubernetes', () => {
  it.each([
    ['smoke', 'smoke'],
    ['Größe 7_b', 'gr-e-7-b'],
    ['---', 'scenario'],
    [`${'a'.repeat(49)}-b`, 'a'.repeat(49)],
  ])('of %s is %s', (fileName, name) => expect(resourceName(fileName)).toBe(name));
});
