// What the documents' tables say of sizes, row by row, at the ends of their ranges.

import { describe, expect, it } from 'vitest';
import { documentedBeside } from '../../simulator/capacity/documented.ts';
import { parsePlan } from '../../simulator/capacity/load-plan.ts';
import type { Documented, Figures } from '../../simulator/result/capacity-plan.ts';

const figures: Figures = {
  ...{ holds: true, finishMs: 28_800_000, devices: 1, completedCount: 1, wantedBytes: 1, cdnBytes: 1, binds: [] },
  ...{ wanPeakBitsPerSecond: 1, wanP95BitsPerSecond: 1, stepSeconds: 1, storedBytes: 401e9 },
};

/** One GB each within 8 hours, by one node of the class that has to send so much. */
function beside({ devices = 50, egressBitsPerSecond = 1e6, classId = 'large-enterprise-2025' }): Documented[] {
  const sites = `sites: [{ id: s, devices: ${devices}, link: 100 Mbit/s }]`;
  const spec = parsePlan(`payload: 1 GB\ndeadline: 8 h\n${sites}\n`, 'plan.yaml');
  const [site] = spec.sites as [(typeof spec.sites)[number]];
  const rate = { egressBitsPerSecond, wireBitsPerSecond: (egressBitsPerSecond * 1538) / 1448 };
  return documentedBeside({ spec, site, chosen: { classId, nodes: 1, figures }, rate, withoutNodes: figures });
}

const saysOf = (all: readonly Documented[]): string => all.map(({ says }) => says).join('\n');

describe('the documents', () => {
  it.each([
    [50, 'one node of the class “branch office” (10 to 50)'],
    [51, 'one node of the class “small to medium enterprise” (50 to 500)'],
    [500, 'one node of the class “small to medium enterprise” (50 to 500)'],
    [501, 'one node of the class “large enterprise” (500 to 5,000)'],
    [5000, 'one node of the class “large enterprise” (500 to 5,000)'],
    [5001, 'no class: the largest is for 5,000 devices'],
  ])('have for %d devices %s', (devices, says) => {
    expect(saysOf(beside({ devices }))).toContain(says);
  });

  it.each([
    [0.999e9, 'the class “branch office” (below 1.00 Gbit/s; card of 1.00 Gbit/s)'],
    [1e9, 'the class “small to medium enterprise” (1.00 Gbit/s to 5.00 Gbit/s; card of 5.00 Gbit/s)'],
    [5e9, 'the class “large enterprise” (5.00 Gbit/s to 10.0 Gbit/s; card of 10.0 Gbit/s)'],
    [10e9, 'the class “large enterprise” (5.00 Gbit/s to 10.0 Gbit/s; card of 10.0 Gbit/s)'],
    [10.1e9, 'no class sends 10.1 Gbit/s'],
  ])('have for a peak of %d bit/s %s', (egressBitsPerSecond, says) => {
    expect(saysOf(beside({ egressBitsPerSecond }))).toContain(says);
  });

  it.each([
    [17_000, 'the class “edge” (below 5.00 Gbit/s)'],
    [18_000, 'the class “metro” (5.00 Gbit/s to 20.0 Gbit/s)'],
    [144_000, 'the class “data center” (20.0 Gbit/s to 40.0 Gbit/s)'],
    [144_100, 'no class for 40.0 Gbit/s'],
  ])('have for a provider of %d devices, a GB each in 8 hours, %s', (devices, says) => {
    expect(saysOf(beside({ devices }))).toContain(says);
  });

  it('have volumes by link, and drives by class', () => {
    expect(saysOf(beside({}))).toContain('100 Mbit/s is 360 GB in 8 h: 66 min 40 s for all of it without a node');
    const drive = (classId: string) => beside({ classId }).find(({ computed }) => computed.includes('stored'));
    expect(drive('branch-enterprise-2025')).toMatchObject({ agrees: false });
    expect(drive('branch-enterprise-2025')?.says).toMatch(/^100 GB for/);
    expect(drive('medium-enterprise-2025')).toMatchObject({ agrees: true });
    expect(drive('medium-enterprise-2025')?.says).toMatch(/^500 GB for/);
    expect(drive('large-enterprise-2025')).toMatchObject({ agrees: false });
    expect(drive('large-enterprise-2025')?.says).toMatch(/^two drives of 200 to 500 GB for/);
  });

  it('contradict themselves in the preview: its headline does not go through its own card', () => {
    const own = (bits: number) => beside({ egressBitsPerSecond: bits }).find(({ says }) => says.includes('at least 5'));
    expect(own(4.7e9)).toMatchObject({ agrees: true });
    expect(own(6.5e9)).toMatchObject({ agrees: false, why: expect.stringContaining('carries 4.71 Gbit/s') as string });
  });
});
