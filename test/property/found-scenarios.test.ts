// Scenarios that random search found something wrong with, as small as it could make them. Each is a run that has to end, obey
// the laws of every run, and complete every device unless something happens in it.

import { describe, expect, it } from 'vitest';
import { runVirtual } from '../../simulator/world/virtual/virtual-world.ts';
import { scenarioOfDocument } from './random-scenario.ts';
import { brokenLaws } from './run-invariants.ts';

const mib = (count: number): string => `${count} MiB`;
const linux = { client: 'linux', cacheHosts: ['n0'], wants: ['c0'] };
const common = { seed: 8, cdn: {}, sites: [], nodes: [{ id: 'n0' }], events: [] };

const found = [
  {
    what: 'a Linux device that falls behind the frontier does not join it again at the same instant',
    document: {
      ...common,
      sites: [{ id: 's0', count: 2 }],
      content: ['c0', 'c1'].map((id) => ({ id, size: mib(1) })),
      fleet: [{ ...linux, id: 'g0', devices: 2, site: 's0', downlink: '2 Mbit/s', wants: ['c1', 'c0'] }],
    },
  },
  {
    what: 'what is missing at a parent is anywhere, too, when a child is asked for pieces',
    document: {
      ...common,
      content: [
        { id: 'c0', size: mib(27) },
        { id: 'c1', size: '1 B' },
      ],
      sites: [{ id: 's0', count: 1, link: '141 Mbit/s' }],
      nodes: [
        { id: 'n0', egress: '162 Mbit/s', wan: '891 Mbit/s' },
        { id: 'n1', egress: '380 Mbit/s', site: 's0', parent: 'n0' },
      ],
      fleet: [
        { id: 'g0', devices: 29, cacheHosts: ['n1'], wants: ['c1', 'c0'], arrive: { at: '17313 ms' } },
        { ...linux, id: 'g1', devices: 25, downlink: '10.78 Mbit/s', wants: ['c0', 'c1'], arrive: { at: '640 ms' } },
      ],
    },
  },
  {
    what: 'Linux bodies that run go on when the object changes at its origin',
    document: {
      ...common,
      seed: 874993,
      content: [{ id: 'c0', size: mib(1) }],
      fleet: [
        {
          ...linux,
          id: 'g0',
          devices: 4,
          downlink: { from: '600 kbit/s', to: '60 Mbit/s' },
          arrive: { at: '10604 ms', over: '50087 ms' },
        },
        { ...linux, id: 'g1', cacheHosts: [], devices: 1 },
      ],
      events: [
        { at: '18833 ms', version: 'c0' },
        { at: '60585 ms', cdn: { status: 429 } },
      ],
    },
  },
  {
    what: 'bytes are whole after a new version',
    document: {
      ...common,
      content: [{ id: 'c0', size: '42991617 B' }],
      fleet: [
        {
          id: 'g0',
          devices: 10,
          cacheHosts: ['n0'],
          wants: ['c0'],
          arrive: { over: '42248 ms' },
          downlink: '13 Mbit/s',
        },
      ],
      events: [{ at: '27 s', version: 'c0' }],
    },
  },
  {
    what: 'a device does not lose more than it got',
    document: {
      ...common,
      content: [{ id: 'c0', size: mib(70) }],
      // Three quarters of a byte in a millisecond.
      fleet: [{ id: 'g0', devices: 28, cacheHosts: [], wants: ['c0'], downlink: '6 kbit/s' }],
      events: [{ at: '1 ms', cdn: { status: 404 } }],
    },
  },
  {
    what: 'a download that is complete is so, also while another one of its device never will be',
    document: {
      ...common,
      content: [
        { id: 'c0', size: '83317 B' },
        { id: 'c1', size: mib(43) },
        { id: 'c2', size: '957494 B' },
      ],
      fleet: [
        { id: 'g0', devices: 11, cacheHosts: [], wants: ['c2', 'c1', 'c0'], arrive: { at: '60 s', over: '5 s' } },
      ],
      events: [{ at: '58858 ms', cdn: { status: 500, content: 'c1' } }],
    },
  },
];

describe('in virtual time', () => {
  it.each(found)('$what', async ({ document }) => {
    const scenario = scenarioOfDocument(document);
    const result = await runVirtual(scenario);
    expect(brokenLaws(scenario, result)).toEqual([]);
    expect(result.run.problems.filter((problem) => /never finish/.test(problem))).toEqual([]);
    if (document.events.length === 0) expect(result.run.metrics['devices.completedRatio']).toBe(1);
  });
});
