import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { errorsOf, parse, small } from './scenario-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-load-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Word for word as in the contract. */
const contractExample = `# Can one node feed 35,000 devices 2 GB each within a day?  Expected: yes, with 4 minutes to spare at 6.5 Gbit/s.
name: Large enterprise, 35,000 devices
source: Microsoft Connected Cache for Enterprises, hardware recommendation
seed: 7
content:
  - { id: feature-update, size: 2 GB, host: au.download.windowsupdate.com }
cdn: { egress: 10 Gbit/s, latency: 20 ms }
nodes:
  - { id: hq, profile: large-enterprise, egress: 6.5 Gbit/s }       # the modelled machine: binds the virtual world only
fleet:
  - { id: office, devices: 35000, client: windows, cacheHosts: [hq], downlink: 1 Gbit/s, wants: [feature-update], arrive: { over: 5 min } }
live: { window: 60 s, demand: 7 Gbit/s }                            # what the live world samples of the claim
expect:
  - { world: virtual, that: devices.completedRatio == 1 }
  - { world: virtual, that: fleet.finishMs <= 24 h }
  - { world: live, that: node.hq.egressBitsPerSecond.sustained >= 6.5 Gbit/s }
  - cdn.egressBytes <= 2 GB
  - integrity.corruptBytes == 0
  - accounting.imbalanceBytes == 0
`;

/** The contract's other keys, with the node \`spare\` and the content that they refer to. */
const otherKeys = `name: Other keys
content:
  - { id: feature-update, size: 2 GB }
nodes:
  - { id: hq }
  - { id: spare }
  - { id: branch, egress: 1 Gbit/s, wan: 100 Mbit/s, drives: [50 GB], cores: 4, limit: { egress: 1 Gbit/s } }   # limit: enforced in both worlds
  - { id: real, url: "http://192.0.2.7" }                             # live only: a node that we did not start
  - { id: cell, parent: hq }
fleet:
  - { id: lab, devices: 200, client: linux, cacheHosts: [hq, spare], wants: [feature-update], policy: { fallbackDelayBackground: 60 s, maxBackgroundDownload: 2 MB/s }, arrive: { at: 2 h } }
events:
  - { at: 30 s, kill: hq }              # kill -9 of owner and workers; then: { at: …, restart: hq } on the same port and drives
  - { at: 40 s, restart: hq }
  - { at: 45 s, freeze: hq }            # SIGSTOP: connections hang instead of being refused; thaw: hq
  - { at: 50 s, thaw: hq }
  - { at: 1 h, cut: hq.wan }            # virtual; live where the machine allows it, else refused before the run; join: hq.wan
  - { at: 2 h, join: hq.wan }
  - { at: 1 h, cdn: { status: 503, for: 10 min } }
  - { at: 1 h, version: feature-update }
expected: fail                          # this scenario shows something that does not work; default pass
`;

describe('a scenario file', () => {
  it('loads as the contract shows it, in inner units', () => {
    expect(parse(contractExample)).toEqual({
      name: 'Large enterprise, 35,000 devices',
      source: 'Microsoft Connected Cache for Enterprises, hardware recommendation',
      worlds: ['live', 'virtual'],
      seed: 7,
      content: [
        {
          id: 'feature-update',
          sizeBytes: 2e9,
          host: 'au.download.windowsupdate.com',
          path: '/filestreamingservice/files/feature-update',
        },
      ],
      cdn: { egressBytesPerMs: 1_250_000, latencyMs: 20 },
      sites: [],
      nodes: [
        {
          id: 'hq',
          profile: 'large-enterprise',
          egressBytesPerMs: 812_500,
          hardware: expect.objectContaining({ id: 'large-enterprise', nicWireBytesPerMs: 625_000 }),
        },
      ],
      fleet: [
        {
          id: 'office',
          devices: 35_000,
          client: 'windows',
          cacheHosts: ['hq'],
          downlink: { bytesPerMsMin: 125_000, bytesPerMsMax: 125_000 },
          wants: ['feature-update'],
          arrive: { atMs: 0, overMs: 300_000 },
          policy: { priority: 'background' },
        },
      ],
      startsAtMs: 0,
      events: [],
      live: { windowMs: 60_000, demandBytesPerMs: 875_000 },
      expect: [
        expect.objectContaining({ world: 'virtual', metric: 'devices.completedRatio', op: '==', limit: 1 }),
        expect.objectContaining({ world: 'virtual', metric: 'fleet.finishMs', op: '<=', limit: 86_400_000 }),
        expect.objectContaining({
          world: 'live',
          metric: 'node.hq.egressBitsPerSecond.sustained',
          op: '>=',
          limit: 6.5e9,
          unit: 'bitsPerSecond',
          scope: { kind: 'node', id: 'hq' },
        }),
        expect.objectContaining({ world: undefined, metric: 'cdn.egressBytes', limit: 2e9, unit: 'bytes' }),
        expect.objectContaining({ metric: 'integrity.corruptBytes', limit: 0 }),
        expect.objectContaining({ metric: 'accounting.imbalanceBytes', limit: 0 }),
      ],
      bodies: 'verify',
      expected: 'pass',
    });
  });

  it('takes every other key of the contract, and orders events by time, then as in the file', () => {
    const scenario = parse(otherKeys);
    expect(scenario.nodes.slice(2)).toEqual([
      {
        id: 'branch',
        egressBytesPerMs: 125_000,
        wanBytesPerMs: 12_500,
        drivesBytes: [50e9],
        cores: 4,
        limit: { egressBytesPerMs: 125_000 },
      },
      { id: 'real', url: 'http://192.0.2.7' },
      { id: 'cell', parent: 'hq' },
    ]);
    expect(scenario.fleet[0]).toMatchObject({
      client: 'linux',
      cacheHosts: ['hq', 'spare'],
      policy: { fallbackDelayBackgroundMs: 60_000, maxBackgroundDownloadBytesPerMs: 2000 },
      arrive: { atMs: 7_200_000, overMs: 0 },
    });
    expect(scenario.events).toEqual([
      { kind: 'kill', atMs: 30_000, node: 'hq' },
      { kind: 'restart', atMs: 40_000, node: 'hq' },
      { kind: 'freeze', atMs: 45_000, node: 'hq' },
      { kind: 'thaw', atMs: 50_000, node: 'hq' },
      { kind: 'cut', atMs: 3_600_000, link: { kind: 'wan', node: 'hq' } },
      { kind: 'cdn', atMs: 3_600_000, fault: { kind: 'status', status: 503 }, forMs: 600_000 },
      { kind: 'version', atMs: 3_600_000, content: 'feature-update' },
      { kind: 'join', atMs: 7_200_000, link: { kind: 'wan', node: 'hq' } },
    ]);
    expect(scenario.expected).toBe('fail');
  });

  it('takes every fault of the CDN', () => {
    const text = `${small}events:
  - { at: 1 s, cdn: { delay: 300 ms, content: update, count: 3 } }
  - { at: 1 s, cdn: { stall: true, after: 64 KiB, for: 5 s } }
  - { at: 1 s, cdn: { reset: true } }
  - { at: 1 s, cdn: { shortBody: true, after: 0 B } }
  - { at: 1 s, cdn: { wrongContentRange: true } }
`;
    expect(parse(text).events).toEqual([
      { kind: 'cdn', atMs: 1000, fault: { kind: 'delay', delayMs: 300 }, content: 'update', count: 3 },
      { kind: 'cdn', atMs: 1000, fault: { kind: 'stall', afterBytes: 65_536 }, forMs: 5000 },
      { kind: 'cdn', atMs: 1000, fault: { kind: 'reset' } },
      { kind: 'cdn', atMs: 1000, fault: { kind: 'shortBody', afterBytes: 0 } },
      { kind: 'cdn', atMs: 1000, fault: { kind: 'wrongContentRange' } },
    ]);
  });

  it('may say where the CDN listens', () => {
    expect(parse(`${small}cdn: { listen: 127.0.0.1:9000 }\n`).cdn).toEqual({
      latencyMs: 0,
      listen: { host: '127.0.0.1', port: 9000 },
    });
    expect(parse(small, ['cdn.listen=localhost:0']).cdn.listen).toEqual({ host: 'localhost', port: 0 });
    for (const wrong of ['9000', '127.0.0.1', 'http://127.0.0.1:9000', '127.0.0.1:99999', ':9000', '"[::1]"']) {
      const found = errorsOf(`${small}cdn: { listen: ${wrong} }\n`);
      expect(found, wrong).toMatch(
        /^a\.yaml:8:\d+ {2}cdn\.listen: expected an address of the form 127\.0\.0\.1:9000, found /,
      );
    }
  });

  it('has stated defaults', () => {
    expect(parse(small)).toMatchObject({
      seed: 1,
      content: [{ host: 'au.download.windowsupdate.com', path: '/filestreamingservice/files/update' }],
      cdn: { latencyMs: 0 },
      fleet: [{ client: 'windows', arrive: { atMs: 0, overMs: 0 }, policy: { priority: 'background' } }],
      events: [],
      expect: [],
      expected: 'pass',
    });
  });

  it('may ask for as much as goes, and use anchors', () => {
    const text = `${small}  - { id: lab, devices: 2, cacheHosts: &hosts [hq], wants: [update] }
  - { id: den, devices: 2, cacheHosts: *hosts, wants: [update], connectionsPerFile: 4 }
live: { window: 5 s, demand: max }
`;
    expect(parse(text).live).toEqual({ windowMs: 5000, demandBytesPerMs: 'max' });
    expect(parse(text).fleet[2]).toMatchObject({ cacheHosts: ['hq'], connectionsPerFile: 4 });
  });

  it('may warm up for a part of its window', () => {
    const live = (warmUp: string) => `${small}live: { window: 30 s, demand: max, warmUp: ${warmUp} }\n`;
    expect(parse(live('10 s')).live).toEqual({ windowMs: 30_000, demandBytesPerMs: 'max', warmUpMs: 10_000 });
    expect(() => parse(live('30 s'))).toThrow(
      'live.warmUp: expected less than the window of 30 s, of which it is a part, found 30 s',
    );
  });

  it('is read with its text, its checksum and its overrides', () => {
    const path = join(folder, 'small.yaml');
    writeFileSync(path, small);
    const loaded = loadScenario(path, ['seed=5', 'fleet.0.devices=50000', 'fleet.0.arrive.over=5 min']);
    expect(loaded).toMatchObject({
      path,
      text: small,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      overrides: { seed: '5', 'fleet.0.devices': '50000', 'fleet.0.arrive.over': '5 min' },
      scenario: { seed: 5, fleet: [{ devices: 50_000, arrive: { atMs: 0, overMs: 300_000 } }] },
    });
  });
});

describe('a scenario with mistakes', () => {
  it('is told all of them at once, each with its place, what was expected and what was found', () => {
    const text = `name: Ten mistakes
sede: 7
content:
  - { id: update, size: 2, host: au.download.windowsupdate.com }
cdn: { egress: 10 Gbps, latency: 20 ms }
nodes:
  - { id: hq, egress: 0 Gbit/s }
fleet:
  - id: office
    devices: 35,000
    client: window
    cacheHosts: [hqq]
    wants: []
events:
  - { at: 30 s, restart: hq }
expect:
  - devices.completedRatio == 100 %
  - { world: virtual, that: fleet.finish <= 24 h }
`;
    expect(errorsOf(text)).toMatchInlineSnapshot(`
      "a.yaml:2:1  sede: expected one of the keys name, source, description, question, worlds, seed, content, cdn, sites, nodes, fleet, startsAt, events, live, replay, bodies, expect, expected, found the unknown key "sede"; did you mean seed?
      a.yaml:4:25  content.0.size: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found the bare number 2
      a.yaml:5:16  cdn.egress: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found "10 Gbps"; did you mean 10 Gbit/s?
      a.yaml:7:23  nodes.0.egress: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found "0 Gbit/s"
      a.yaml:10:14  fleet.0.devices: expected a whole number of devices, 1 or more, found "35,000"; did you mean 35000?
      a.yaml:11:13  fleet.0.client: expected windows or linux, found "window"; did you mean windows?
      a.yaml:12:18  fleet.0.cacheHosts.0: expected a node of this file (hq), found "hqq"; did you mean hq?
      a.yaml:13:12  fleet.0.wants: expected a list of ids of content, at least 1, found an empty list
      a.yaml:15:26  events.0.restart: expected a node that an event killed or drained before, found hq, running by then
      a.yaml:17:5  expect.0: expected a ratio from 0 to 1 for devices.completedRatio, found "100 %"; did you mean 1?
      a.yaml:18:29  expect.1.that: expected a metric ("sim metrics" lists them all), found "fleet.finish"; did you mean fleet.finishMs?
      a.yaml: 11 mistakes, nothing was run"
    `);
  });

  it.each([
    ['an empty file', ''],
    ['a file that is a list', '- a\n- b\n'],
    ['a syntax error', 'name: [a\ncontent: }\n'],
    ['a key that is there twice, beside another mistake', `${small}name: Again\nexpected: no\n`],
    ['two documents in one file', `${small}---\n${small}`],
    ['a duplicate id', small.replace('nodes:', 'nodes:\n  - { id: hq }')],
    [
      'two contents at one URL',
      small.replace('nodes:', '  - { id: b, size: 1 B, path: /filestreamingservice/files/update }\nnodes:'),
    ],
    [
      'parents that loop',
      small.replace('{ id: hq }', '{ id: hq, parent: b }\n  - { id: b, parent: hq }\n  - { id: c, parent: hq }'),
    ],
    ['a node that is its own parent', small.replace('{ id: hq }', '{ id: hq, parent: hq }')],
    ['an unknown parent', small.replace('{ id: hq }', '{ id: hq, parent: qh }')],
    [
      'a node that we did not start',
      small.replace('{ id: hq }', '{ id: hq, url: "https://x/y", limit: { egress: 1 MB/s } }'),
    ],
    [
      'an event at such a node',
      `${small.replace('{ id: hq }', '{ id: hq, url: "http://x:80/" }')}events: [{ at: 1 s, kill: hq }]\n`,
    ],
    ['an event without action', `${small}events: [{ at: 1 s }]\n`],
    ['an event with two actions', `${small}events: [{ at: 1 s, kill: hq, version: update }]\n`],
    ['an event with an unknown action', `${small}events: [{ at: 1 s, kil: hq }]\n`],
    ['a bare number as time', `${small}events: [{ at: 30, kill: hq }]\n`],
    [
      'an unknown node and content in events',
      `${small}events: [{ at: 1 s, kill: hp }, { at: 1 s, cut: hp.wan }, { at: 1 s, cut: hq }, { at: 1 s, version: updat }]\n`,
    ],
    ['a thaw without freeze', `${small}events: [{ at: 2 s, freeze: hq }, { at: 1 s, thaw: hq }]\n`],
    ['a second kill', `${small}events: [{ at: 1 s, kill: hq }, { at: 2 s, kill: hq }, { at: 3 s, restart: hq }]\n`],
    [
      'faults that are none',
      `${small}events:
  - { at: 1 s, cdn: { for: 5 s } }
  - { at: 1 s, cdn: { status: 200 } }
  - { at: 1 s, cdn: { status: 500, stall: true } }
  - { at: 1 s, cdn: { status: 500, after: 5 kB, content: updat } }
  - { at: 1 s, cdn: { reset: 5 kB } }
  - { at: 1 s, cdn: { rest: true } }
`,
    ],
    ['keys that every object inherits', `${small}__proto__: 5\nconstructor: 6\n`],
    ['an alias without anchor', small.replace('[hq]', '*hosts')],
    [
      'aliases that explode',
      `${small}source: [${'&a [1,1,1,1,1,1,1,1,1,1], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b,*b], [*c,*c,*c,*c,*c,*c]'}]\n`,
    ],
    [
      'an expectation of an unknown node or group',
      `${small}expect: [node.qh.hitBytes > 1 MB, group.offic.fleet.rangeCount > 1, 5]\n`,
    ],
    ['a wanted content twice', small.replace('[update]', '[update, update]')],
    ['ids of a wrong form', small.replaceAll('hq', '"a.b"').replace('id: office', 'id: _x')],
    [
      'a policy out of range',
      small.replace(
        'wants:',
        'policy: { fallbackDelayBackground: 31 d, fallbackDelayForeground: 2 Sec, priority: back }, wants:',
      ),
    ],
    ['an empty value', `${small}live:\n`],
    ['a size past 2^53', small.replace('1 MB', '10 PB')],
  ])('is told of %s', (_what, text) => {
    expect(errorsOf(text)).toMatchSnapshot();
  });

  it('that cannot be found, with a suggestion when a name is near', () => {
    writeFileSync(join(folder, 'failover.yaml'), small);
    const path = join(folder, 'failovre.yaml');
    expect(() => loadScenario(path)).toThrow(
      `${path}: expected a scenario file that can be read, found ENOENT; did you mean ${join(folder, 'failover.yaml')}?`,
    );
    expect(() => loadScenario(join(folder, 'no', 'such.yaml'))).toThrow(/found ENOENT$/);
    expect(() => loadScenario(folder)).toThrow(/found EISDIR$/);
  });

  it('gives an OperatorError with a stable code and the exit code for bad input', () => {
    const caught = (() => {
      try {
        return parse('name: x');
      } catch (error) {
        return error;
      }
    })();
    expect(caught).toMatchObject({ name: 'OperatorError', code: 'BAD_SCENARIO', exitCode: 2 });
  });

  it('always ends in a scenario or an OperatorError, whatever stands at a place', () => {
    const places = [
      'name',
      'seed',
      'content',
      'content.0',
      'content.0.size',
      'cdn',
      'nodes',
      'nodes.0',
      'nodes.0.parent',
    ];
    places.push('fleet', 'fleet.0', 'fleet.0.wants', 'fleet.0.arrive', 'events', 'live', 'expect', 'expected');
    const value = fc.oneof(
      fc.json({ maxDepth: 2 }),
      fc.constantFrom('hq', '5 min', '2 GB', '[hq]', '{ at: 1 s, kill: hq }', '[{ at: 1 s, kill: hq }]', '~', 'max'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), value, (place, text) => {
        const errors = errorsOf(small, [`${place}=${text}`]);
        expect(errors === 'no error' || errors.endsWith('nothing was run')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('does not break on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void errorsOf(text)));
  });
});

describe('--set', () => {
  it.each([
    ['a wrong value', 'fleet.0.devices=0'],
    ['an unknown key', 'fleet.0.devcies=5'],
    ['an index past the list', 'fleet.1.devices=5'],
    ['a name instead of an index', 'fleet.office.devices=5'],
    ['a path through a value', 'name.first=5'],
    ['no value', 'fleet.0.devices'],
    ['no path', '=5'],
    ['a value that is no YAML', 'fleet.0.wants=[update'],
    ['an unknown reference', 'fleet.0.wants.0=updat'],
    ['a prototype', '__proto__.polluted=1'],
  ])('is an error with %s', (_what, override) => {
    expect(errorsOf(small, [override])).toMatchSnapshot();
  });

  it('makes the keys on its way, and the later one counts', () => {
    const scenario = parse(small, ['live.window=60 s', 'live.demand=max', 'live.window=5 s', 'events=[]']);
    expect(scenario.live).toEqual({ windowMs: 5000, demandBytesPerMs: 'max' });
  });

  it('changes one entry even where the file shares it by an alias', () => {
    const text = `${small.replace('wants: [update]', 'wants: &w [update]')}  - { id: lab, devices: 1, wants: *w }\n`;
    const shared = parse(text.replace('nodes:', '  - { id: other, size: 1 B }\nnodes:'), ['fleet.1.wants.0=other']);
    expect(shared.fleet.map((group) => group.wants)).toEqual([['update'], ['other']]);
  });
});
