// What is wrong with a plan is said with its place, what was expected, what was found, and what was probably meant.

import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../common/errors.ts';
import { loadPlan, parsePlan, planOfOptions } from '../../simulator/capacity/load-plan.ts';

const sound = `payload: 2 GB
deadline: 24 h
sites:
  - { id: hq, devices: 35000, link: 1 Gbit/s }
`;

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof OperatorError) return error.message;
    throw error;
  }
  return 'no error';
}

const rows: readonly (readonly [what: string, from: string, to: string, message: string])[] = [
  ['an unknown key', 'payload:', 'paylod:', 'plan.yaml:1:1  paylod: expected one of the keys name, question'],
  ['an unknown key', 'payload:', 'paylod:', 'found the unknown key "paylod"; did you mean payload?'],
  ['a size without a unit', '2 GB', '2', 'plan.yaml:1:10  payload: expected a list of sizes of files, such as 2 GB'],
  [
    'a unit of another case',
    '2 GB',
    '2 gb',
    'plan.yaml:1:10  payload: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found "2 gb"; did you mean 2 GB?',
  ],
  ['no deadline', 'deadline: 24 h\n', '', 'deadline: expected a duration above zero with a unit'],
  ['a deadline that has passed', '24 h', '0 h', 'plan.yaml:2:11  deadline: expected a duration above zero'],
  ['no devices', '35000', '0', 'plan.yaml:4:24  sites.0.devices: expected a whole number of devices, 1 to 5000000'],
  ['a number with a comma', '35000', '"35,000"', 'did you mean 35000?'],
  ['bps', '1 Gbit/s', '1 Gbps', 'plan.yaml:4:37  sites.0.link: expected a rate above zero'],
  ['bps', '1 Gbit/s', '1 Gbps', 'did you mean 1 Gbit/s?'],
  [
    'no site',
    '  - { id: hq, devices: 35000, link: 1 Gbit/s }',
    ' []',
    'sites: expected a list of kinds of sites, at least 1',
  ],
  [
    'a site twice',
    'sites:',
    'sites:\n  - { id: hq, devices: 3 }',
    'plan.yaml:5:11  sites.1.id: expected an id of its own',
  ],
  ['late arrivals', 'deadline', 'arrive: 24 h\ndeadline', 'plan.yaml:2:9  arrive: expected less than the deadline'],
  [
    'no such class',
    'deadline',
    'classes: [isp-edgy]\ndeadline',
    'classes.0: expected a hardware profile (branch-enterprise',
  ],
  ['no such class', 'deadline', 'classes: [isp-edgy]\ndeadline', 'found "isp-edgy"; did you mean isp-edge?'],
  ['a class twice', 'deadline', 'classes: [vm, vm]\ndeadline', 'classes.1: expected each class once, found "vm" again'],
  [
    'no class',
    'deadline',
    'classes: []\ndeadline',
    'classes: expected a list of names of hardware profiles, at least 1',
  ],
  [
    'too many nodes',
    'deadline',
    'nodesMax: 65\ndeadline',
    'nodesMax: expected a whole number of nodes, 1 to 64, found 65',
  ],
  [
    'another client',
    'deadline',
    'client: windos\ndeadline',
    'client: expected windows or linux, found "windos"; did you mean windows?',
  ],
  ['no YAML', 'sites:', 'sites: [', 'plan.yaml:'],
  [
    'a scenario',
    sound,
    'name: x\nfleet: []\n',
    'plan.yaml: expected a capacity plan (payload, deadline, sites), found a scenario. Run it with “sim run plan.yaml”',
  ],
];

describe('a plan file', () => {
  it('is read into inner units, with the classes of the current table', () => {
    const spec = parsePlan(sound, 'plan.yaml');
    expect(spec).toMatchObject({
      payloadBytes: [2e9],
      deadlineMs: 86_400_000,
      fallbackDelayMs: 86_400_000,
      arriveOverMs: 0,
      nodesMax: 16,
      sites: [{ id: 'hq', count: 1, devices: 35_000, linkBytesPerMs: 125_000 }],
    });
    expect(spec.classes.map(({ id }) => id)).toEqual([
      'branch-enterprise-2025',
      'medium-enterprise-2025',
      'large-enterprise-2025',
    ]);
  });

  it.each(rows)('with %s is refused (%s → %s)', (_what, from, to, message) => {
    expect(sound).toContain(from);
    const said = messageOf(() => parsePlan(sound.replace(from, to), 'plan.yaml'));
    expect(said).toContain(message);
    if (!message.includes('found a scenario')) expect(said).toMatch(/plan\.yaml: \d+ mistakes?, nothing was run$/);
  });

  it('has all its mistakes told at once, those of --set after them', () => {
    const text = sound.replace('2 GB', '2 gb').replace('35000', 'many');
    const said = messageOf(() => parsePlan(text, 'plan.yaml', ['deadline=soon', 'arrive=5 min']));
    expect(said.split('\n').map((line) => line.split('  ')[0])).toEqual([
      'plan.yaml:1:10',
      'plan.yaml:4:24',
      '--set deadline=soon',
      'plan.yaml: 3 mistakes, nothing was run',
    ]);
  });

  it('that is not there is named, with what to do', () => {
    expect(messageOf(() => loadPlan('no/such/plan.yaml'))).toMatch(
      /^no\/such\/plan\.yaml: expected a plan file .* ENOENT\. Write one/,
    );
  });
});

describe('options', () => {
  it('come to the same as a file', () => {
    const { spec, text } = planOfOptions({ devices: 35_000, payload: '2 GB', deadline: '24h', link: '1 Gbit/s' });
    expect(parsePlan(text, 'plan.yaml')).toEqual(spec);
    expect({ ...spec, sites: spec.sites.map((site) => ({ ...site, id: 'hq' })) }).toEqual(
      parsePlan(sound, 'plan.yaml'),
    );
  });

  it('are named by their flags when something is wrong with them', () => {
    const said = messageOf(() =>
      planOfOptions({
        devices: '3x',
        payload: '2',
        sites: 0,
        cdnEgress: '1 Gbps',
        classes: ['vn'],
        fallbackDelay: 'nine',
      }),
    );
    const flags = said.split('\n').map((line) => line.split('  ')[0]);
    expect(flags.sort()).toEqual(
      [
        '--cdn-egress',
        '--class',
        '--deadline',
        '--devices',
        '--fallback-delay',
        '--payload',
        '--sites',
        'sim plan: 7 mistakes, nothing was run',
      ].sort(),
    );
  });
});
