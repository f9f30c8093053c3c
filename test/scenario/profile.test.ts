import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { checkProfile, isProfileFile, loadProfile } from '../../simulator/scenario/load-profile.ts';
import { errorsOf, mistakesOf, parse, small } from './scenario-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-profile-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'profiles'));

const profileFile = (name: string, text: string): string => {
  const path = join(folder, 'profiles', `${name}.yaml`);
  writeFileSync(path, text);
  return path;
};

const scenarioFile = join(folder, 'a.yaml');
const withProfile = (name: string) => small.replace('{ id: hq }', `{ id: hq, profile: ${name} }`);

/** Every key that there is. */
const all = `name: Rack 7
source: sim calibrate, 2026-11-20
nic: 10 Gbit/s
bodyPerWireRatio: 0.95
egress: 8 Gbit/s
wan: 1 Gbit/s
cores: 16
memory: 32 GB
pageCacheRatio: 0.7
drives: [1 TB, 500 GB]
disk: { read: 500 MB/s, write: 400 MB/s }
cpu: { perConnection: 0.3 ms, perRequest: 0.05 ms, perGB: 160 ms, readPerGB: 90 ms, perFetch: 0.2 ms, fetchPerGB: 400 ms }
latency: { hit: 0.3 ms, miss: 0.6 ms }
concurrency: { sigma: 0.02, kappa: 0.0001, connectionsMax: 1024 }
harness: { clientPerConnection: 0.2 ms, clientPerRequest: 0.04 ms, clientPerGB: 200 ms, cdnPerRequest: 0.03 ms, cdnPerGB: 100 ms }
basis: { nic: given, disk: measured, cpu: measured, wan: assumed }
`;

/** What is wrong with a profile's text. */
const mistakesIn = (text: string): readonly string[] =>
  checkProfile(text, 'profiles/x.yaml').mistakes.map(({ place, message }) => `${place}  ${message}`);

describe('a hardware profile', () => {
  it('loads in inner units, with every key', () => {
    expect(loadProfile(profileFile('rack-7', all))).toEqual({
      id: 'rack-7',
      name: 'Rack 7',
      source: 'sim calibrate, 2026-11-20',
      basis: { nic: 'given', disk: 'measured', cpu: 'measured', wan: 'assumed' },
      nicWireBytesPerMs: 1_250_000,
      bodyPerWireRatio: 0.95,
      egressBytesPerMs: 1_000_000,
      wanBytesPerMs: 125_000,
      cores: 16,
      memoryBytes: 32e9,
      pageCacheRatio: 0.7,
      drivesBytes: [1e12, 500e9],
      diskReadBytesPerMs: 500_000,
      diskWriteBytesPerMs: 400_000,
      cpu: {
        msPerConnection: 0.3,
        msPerRequest: 0.05,
        msPerByte: 160e-9,
        msPerByteRead: 90e-9,
        msPerFetch: 0.2,
        msPerByteFetched: 400e-9,
      },
      latency: { hitMs: 0.3, missMs: 0.6 },
      concurrency: { sigma: 0.02, kappa: 0.0001, connectionsMax: 1024 },
      harness: {
        clientMsPerConnection: 0.2,
        clientMsPerRequest: 0.04,
        clientMsPerByte: 200e-9,
        cdnMsPerRequest: 0.03,
        cdnMsPerByte: 100e-9,
      },
    });
  });

  it('limits by nothing but what it says; what stands in for a figure is assumed', () => {
    const { profile } = checkProfile('name: X\nsource: Y\ncpu: { perRequest: 1 ms, perGB: 0 ms }\n', 'profiles/x.yaml');
    expect(profile).toEqual({
      id: 'x',
      name: 'X',
      source: 'Y',
      basis: { bodyPerWireRatio: 'assumed', pageCacheRatio: 'assumed' },
      bodyPerWireRatio: 1448 / 1538,
      pageCacheRatio: 0.5,
      cpu: { msPerConnection: 0, msPerRequest: 1, msPerByte: 0, msPerByteRead: 0, msPerFetch: 0, msPerByteFetched: 0 },
    });
  });

  it('is told of all its mistakes at once, each with its place', () => {
    const text = `nam: X
nic: 10 Gbps
memory: 8
pageCacheRatio: 50
drives: []
disk: { raed: 500 MB/s }
cpu: { perRequest: 0.05 ms }
concurrency: { sigma: -1, kappa: 0, connectionsMax: 0 }
basis: { nic: guessed, wan: given, memroy: given }
`;
    expect(mistakesIn(text)).toMatchInlineSnapshot(`
      [
        "profiles/x.yaml:1:1  source: expected a text, found nothing",
        "profiles/x.yaml:1:1  nam: expected one of the keys name, source, nic, bodyPerWireRatio, egress, wan, cores, memory, pageCacheRatio, drives, disk, cpu, latency, concurrency, harness, basis, found the unknown key "nam"; did you mean name?",
        "profiles/x.yaml:2:6  nic: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found "10 Gbps"; did you mean 10 Gbit/s?",
        "profiles/x.yaml:3:9  memory: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found the bare number 8",
        "profiles/x.yaml:4:17  pageCacheRatio: expected a number from 0 to 1, found 50",
        "profiles/x.yaml:5:9  drives: expected a list of drive sizes such as 50 GB, at least 1, found an empty list",
        "profiles/x.yaml:6:9  disk.raed: expected one of the keys read, write, found the unknown key "raed"; did you mean read?",
        "profiles/x.yaml:7:6  cpu.perGB: expected a duration with a unit, such as 20 ms, 60 s, 5 min, 24 h or 30 d, found nothing",
        "profiles/x.yaml:8:23  concurrency.sigma: expected a number from 0 to 1, found -1",
        "profiles/x.yaml:8:53  concurrency.connectionsMax: expected a whole number of connections, 1 or more, found 0",
        "profiles/x.yaml:9:15  basis.nic: expected given or measured or assumed, found "guessed"",
        "profiles/x.yaml:9:36  basis.memroy: expected one of the keys nic, bodyPerWireRatio, egress, wan, cores, memory, pageCacheRatio, drives, disk, cpu, latency, concurrency, harness, found the unknown key "memroy"; did you mean memory?",
      ]
    `);
  });

  it.each([
    ['no YAML', 'name: [', [/^profiles\/x\.yaml:1:8 {2}YAML: /]],
    ['an empty file', '', [/^profiles\/x\.yaml:1:1 {2}the whole file: expected a hardware profile, an object with/]],
    [
      'a basis without its figure',
      'name: X\nsource: Y\nbasis: { wan: given }\n',
      [/^profiles\/x\.yaml:3:15 {2}basis\.wan: expected the name of a figure of this profile, found wan, which/],
    ],
    ['a key twice', 'name: X\nname: X\nsource: Y\n', [/^profiles\/x\.yaml:2:1 {2}YAML: Map keys must be unique/]],
  ])('is told of %s', (_what, text, mistakes) => {
    expect(mistakesIn(text)).toEqual(mistakes.map((each) => expect.stringMatching(each)));
  });

  it('is what lies in a folder of that name', () => {
    expect(isProfileFile('scenarios/profiles/vm.yaml')).toBe(true);
    expect(isProfileFile('scenarios/vm.yaml')).toBe(false);
    expect(() => loadProfile(join(folder, 'profiles', 'none.yaml'))).toThrow(
      /none\.yaml: expected a hardware profile that can be read, found ENOENT$/,
    );
  });
});

describe('the profile of a node', () => {
  it('is found in the repository, whatever the file is called', () => {
    expect(parse(withProfile('large-enterprise')).nodes[0]).toMatchObject({
      profile: 'large-enterprise',
      hardware: { id: 'large-enterprise', nicWireBytesPerMs: 625_000, drivesBytes: [200e9], memoryBytes: 8e9 },
    });
  });

  it('is found beside the scenario first', () => {
    profileFile('vm', 'name: Our machine\nsource: here\negress: 2 Gbit/s\n');
    writeFileSync(scenarioFile, withProfile('vm'));
    expect(loadScenario(scenarioFile).scenario.nodes[0]?.hardware).toMatchObject({
      name: 'Our machine',
      egressBytesPerMs: 250_000,
    });
    expect(parse(withProfile('vm')).nodes[0]?.hardware?.egressBytesPerMs).toBe(137_500);
  });

  it('can be another one by --set, whose mistakes are its own', () => {
    expect(parse(small, ['nodes.0.profile=vm']).nodes[0]?.hardware?.id).toBe('vm');
    expect(mistakesOf(small, ['nodes.0.profile=vn'])[0]).toMatch(
      /^--set nodes\.0\.profile=vn {2}nodes\.0\.profile: expected a hardware profile \(branch-enterprise, .*\), found "vn"; did you mean vm\?$/,
    );
  });

  it('that is not known is an error at its place, with the names that are', () => {
    expect(errorsOf(withProfile('large-entreprise'), [], scenarioFile)).toMatch(
      /a\.yaml:5:24 {2}nodes\.0\.profile: expected a hardware profile \(.*large-enterprise, .*\), found "large-entreprise"; did you mean large-enterprise\?\n.*1 mistake, nothing was run$/,
    );
  });

  it('with mistakes is reported with the lines of its file, after those of the scenario, once for all its nodes', () => {
    const file = profileFile('bad', 'name: Bad\nsource: here\nnic: 10\n');
    const text = withProfile('bad').replace('fleet:', '  - { id: b, profile: bad }\nfleet:').replace('1 MB', '1');
    expect(errorsOf(text, [], scenarioFile)).toBe(
      [
        `${scenarioFile}:3:25  content.0.size: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found the bare number 1`,
        `${file}:3:6  nic: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found the bare number 10`,
        `${scenarioFile}: 2 mistakes, nothing was run`,
      ].join('\n'),
    );
  });
});
