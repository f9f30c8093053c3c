import { describe, expect, it } from 'vitest';
import { mistakesOf, parse } from './scenario-text.ts';

/** A region with 200 branches; `hub` is one node for all, `cell` is one a branch. */
const branches = `name: Branches
content:
  - { id: update, size: 1 GB }
sites:
  - { id: region, link: 1 Gbit/s }
  - { id: branch, link: 100 Mbit/s, count: 200, parent: region }
  - { id: floor, count: 400, parent: branch }
  - { id: home }
nodes:
  - { id: hub, site: region, memory: 8 GB }
  - { id: cell, site: branch, parent: hub }
fleet:
  - { id: office, site: branch, devices: 5000, cacheHosts: [cell, hub], wants: [update], downlink: { from: 10 Mbit/s, to: 1 Gbit/s } }
`;
const withSite = (site: string) => branches.replace('- { id: home }', site);
const withNode = (node: string) => branches.replace('fleet:', `  - ${node}\nfleet:`);
const withGroup = (keys: string) => `${branches}  - { id: other, devices: 1, wants: [update], ${keys} }\n`;

describe('places', () => {
  it('load in inner units, with their defaults', () => {
    const scenario = parse(branches);
    expect(scenario.sites).toEqual([
      { id: 'region', linkBytesPerMs: 125_000, count: 1 },
      { id: 'branch', linkBytesPerMs: 12_500, count: 200, parent: 'region' },
      { id: 'floor', count: 400, parent: 'branch' },
      { id: 'home', count: 1 },
    ]);
    expect(scenario.nodes).toEqual([
      { id: 'hub', site: 'region', memoryBytes: 8e9 },
      { id: 'cell', site: 'branch', parent: 'hub' },
    ]);
    expect(scenario.fleet[0]).toMatchObject({
      site: 'branch',
      downlink: { bytesPerMsMin: 1250, bytesPerMsMax: 125_000 },
    });
  });

  it.each([
    ['the site of the node', 'site: branch, cacheHosts: [cell]'],
    ['a site that lies in it', 'site: floor, cacheHosts: [cell]'],
    ['another site, of a node that is there once', 'site: home, cacheHosts: [hub]'],
    ['no site, of a node that is there once', 'cacheHosts: [hub]'],
  ])('let a group use a node from %s', (_what, keys) => {
    expect(mistakesOf(withGroup(keys))).toEqual(['no error']);
  });

  it.each([
    [
      'a site that is not there',
      withGroup('site: brnch'),
      'fleet.1.site: expected a site of this file (region, branch, floor, home), found "brnch"; did you mean branch?',
    ],
    [
      'a node at a site that is not there',
      withNode('{ id: x, site: regino }'),
      'nodes.2.site: expected a site of this file (region, branch, floor, home), found "regino"; did you mean region?',
    ],
    [
      'a parent that is not there',
      withSite('- { id: home, parent: rgion }'),
      'sites.3.parent: expected a site of this file (region, branch, floor, home), found "rgion"; did you mean region?',
    ],
    [
      'sites that lie in each other',
      withSite('- { id: home, parent: den }\n  - { id: den, parent: home }'),
      'sites.3.parent: expected parents that lead to the CDN, found the loop home → den → home',
    ],
    [
      'an id that is there twice',
      withSite('- { id: branch }'),
      'sites.3.id: expected an id that no other entry of sites has, found "branch"',
    ],
    [
      'no copy at all',
      withSite('- { id: home, count: 0 }'),
      'sites.3.count: expected a whole number of sites, 1 to 100000, found 0',
    ],
    [
      'a link that carries nothing',
      withSite('- { id: home, link: 0 Mbit/s }'),
      'sites.3.link: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found "0 Mbit/s"',
    ],
    [
      'a group outside of the sites that have the node each',
      withGroup('site: home, cacheHosts: [hub, cell]'),
      'fleet.1.cacheHosts.1: expected a node that this group can tell from its copies, found cell, which each of the 200 sites branch has, while this group is in home, outside of them',
    ],
    [
      'a group around the sites that have the node each',
      withGroup('site: region, cacheHosts: [cell]'),
      'fleet.1.cacheHosts.0: expected a node that this group can tell from its copies, found cell, which each of the 200 sites branch has, while this group is in region, outside of them',
    ],
    [
      'a parent of which there are many',
      withNode('{ id: x, parent: cell }'),
      'nodes.2.parent: expected a node that this node can tell from its copies, found cell, which each of the 200 sites branch has, while this node is where the CDN is, outside of them',
    ],
    [
      'speeds in the wrong order',
      withGroup('downlink: { from: 2 MB/s, to: 1 MB/s }'),
      'fleet.1.downlink: expected from that is at most to, found an object with the keys from, to',
    ],
    [
      'a speed without a unit',
      withGroup('downlink: { from: 2, to: 1 MB/s }'),
      'fleet.1.downlink.from: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found the bare number 2',
    ],
  ])('are refused: %s', (_what, text, mistake) => {
    expect(mistakesOf(text)).toEqual([mistake]);
  });
});

describe('worlds', () => {
  const virtual = `${branches}worlds: [virtual]\n`;

  it('are both, or those that the file names', () => {
    expect(parse(branches).worlds).toEqual(['live', 'virtual']);
    expect(parse(virtual).worlds).toEqual(['virtual']);
  });

  it.each([
    ['none', `${branches}worlds: []\n`, ['worlds: expected a list of worlds, at least 1, found an empty list']],
    ['one twice', `${branches}worlds: [live, live]\n`, ['worlds.1: expected each world once, found live again']],
    [
      'an unknown one',
      `${branches}worlds: [virtaul]\n`,
      ['worlds.0: expected live or virtual, found "virtaul"; did you mean virtual?'],
    ],
    [
      'what the virtual one does not have',
      `${virtual.replace('{ id: hub, ', '{ id: hub, url: "http://192.0.2.7", ')}live: { window: 5 s, demand: max }\n`,
      [
        'nodes.0.url: expected a modelled node where worlds is virtual only, found http://192.0.2.7',
        'live: expected no live window where worlds is virtual only, found one',
      ],
    ],
    [
      'expectations that no run could judge',
      `${virtual}expect:
  - { world: live, that: devices.completedRatio == 1 }
  - { world: virtual, that: devices.completedRatio == 1 }
  - { world: virtual, that: integrity.corruptBytes == 0 }
  - integrity.corruptBytes == 0
`,
      [
        'expect.0.world: expected a world that worlds names (virtual), found live',
        'expect.2.that: expected a metric that the virtual world can measure, found integrity.corruptBytes, which is live only',
        'expect.3: expected a metric that the virtual world can measure, found integrity.corruptBytes, which is live only',
      ],
    ],
    [
      'an event that the window leaves out',
      `${branches}events:
  - { at: 60 s, kill: hub }
  - { at: 2 min, restart: hub }
live: { window: 60 s, demand: max }
`,
      ['events.1.at: expected a time within the window of 60 s, found 2 min'],
    ],
  ])('are refused: %s', (_what, text, mistakes) => {
    expect(mistakesOf(text)).toEqual(mistakes);
  });
});
