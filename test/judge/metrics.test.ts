import { describe, expect, it } from 'vitest';
import { allMetrics, findMetric, findScopedMetric, suggestMetric } from '../../simulator/result/metrics.ts';

/** Every name of the contract's section "Metrics", with the braces as there. */
const contractNames = [
  'devices.{count,connectedCountMax,completedCount,completedRatio,failedCount}',
  'devices.completionMs.{p50,p90,p95,p99,max}',
  'fleet.finishMs',
  'fleet.{bytesFromCacheServer,bytesFromCdn,rangeCount,refetchedBytes}',
  'group.office.devices.completedRatio',
  'group.office.fleet.{finishMs,bytesFromCdn}',
  'range.latencyMs.{p50,p99,p999,max}',
  'range.serviceMs.{p50,p99,p999,max}',
  'range.firstByteMs.{p50,p99,p999,max}',
  'node.hq.{hitBytes,missBytes,egressBytes,hitRatioBytes,hitRatioRequests}',
  'node.hq.egressBitsPerSecond.{peak,mean,sustained}',
  'cdn.{requestCount,egressBytes}',
  'cdn.egressBitsPerSecond.peak',
  'integrity.{verifiedBytes,uncheckedBytes,corruptBytes}',
  'accounting.{imbalanceBytes,cutBytes,lostLedgerBytes}',
  'fallback.deviceCount',
  'fallback.byCause.{refused,reset,timeout,stall,status4xx,status5xx,badResponse,corrupt}',
  'fallback.timeMs.{p50,max}',
  'generator.{latenessMs.p99,saturated,cpuRatio}',
].flatMap((name) => {
  const [, before = '', inner, after = ''] = /^(.*)\{(.*)\}(.*)$/.exec(name) ?? [];
  return inner === undefined ? [name] : inner.split(',').map((each) => `${before}${each}${after}`);
});

describe('the registry of metrics', () => {
  it.each(contractNames)('knows %s', (name) => {
    expect(findMetric(name)).toBeDefined();
  });

  it('has each name once, with a meaning', () => {
    const names = allMetrics().map((each) => each.name);
    expect(new Set(names).size).toBe(names.length);
    for (const each of allMetrics()) expect(each.meaning, each.name).toMatch(/^\S.*[^.]$/);
  });

  it('puts the unit into the name', () => {
    for (const { name, unit } of allMetrics()) {
      if (unit === 'ms') expect(name).toMatch(/Ms(\.|$)/);
      if (unit === 'bitsPerSecond') expect(name).toMatch(/BitsPerSecond(\.|$)/);
      if (unit === 'ratio') expect(name).toMatch(/Ratio/);
      if (unit === 'bytes') expect(name).toMatch(/[bB]ytes/);
    }
  });

  it('compares rates and times with a tolerance, everything that is counted exactly', () => {
    for (const { name, unit, noise } of allMetrics()) {
      const isMeasured = unit === 'ms' || unit === 'bitsPerSecond' || /^generator\..*Ratio$/.test(name);
      expect({ name, noise }).toEqual({ name, noise: isMeasured ? 'measured' : 'exact' });
    }
  });

  it.each([
    ['node.hq.hitBytes', 'node.<id>.hitBytes', { kind: 'node', id: 'hq' }],
    ['group.a-b_1.fleet.finishMs', 'group.<id>.fleet.finishMs', { kind: 'group', id: 'a-b_1' }],
    ['fleet.finishMs', 'fleet.finishMs', undefined],
  ])('finds %s with its scope', (name, pattern, scope) => {
    expect(findScopedMetric(name)).toMatchObject({ definition: { name: pattern } });
    expect(findScopedMetric(name)?.scope).toEqual(scope);
  });

  it.each([
    '',
    'fleet',
    'node.hq',
    'node..hitBytes',
    'node.<id>.hitBytes',
    'node.hitBytes',
    'toString',
    'node.a.b.hitBytes',
  ])('does not find %j', (name) => {
    expect(findMetric(name)).toBeUndefined();
  });

  it.each([
    ['fleet.finish', 'fleet.finishMs'],
    ['device.completedRatio', 'devices.completedRatio'],
    ['node.hq.hitbytes', 'node.hq.hitBytes'],
    ['nodes.hq.egressBitsPerSecond.sustain', 'node.hq.egressBitsPerSecond.sustained'],
    ['group.late.completedRatio', 'group.late.devices.completedRatio'],
    ['fallback.byCause.status4x', 'fallback.byCause.status4xx'],
    ['something.else.entirely', undefined],
  ])('takes %s for %s', (wrong, meant) => {
    expect(suggestMetric(wrong)).toBe(meant);
  });
});
