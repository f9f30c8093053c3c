import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseScenario } from '../../simulator/scenario/load.ts';

const replayOf = (more: string) => `name: Replay
nodes: [{ id: hq }]
fleet: [{ id: clients, cacheHosts: [hq] }]
replay: { log: logs/access.log${more} }
`;
const errorsOf = (text: string): string => {
  try {
    parseScenario(text, 'folder/a.yaml');
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a scenario with a log', () => {
  it('has its defaults, and its log beside it', () => {
    const { scenario } = parseScenario(replayOf(''), 'folder/a.yaml');
    expect(scenario).toMatchObject({
      content: [],
      sites: [],
      events: [],
      fleet: [{ id: 'clients', client: 'windows', wants: [] }],
    });
    expect(scenario.replay).toEqual({
      log: resolve('folder/logs/access.log'),
      format: 'auto',
      speed: 1,
      fromEpochMs: undefined,
      forMs: undefined,
      host: 'au.download.windowsupdate.com',
      device: 'address',
      connectionsPerDevice: 6,
      driveBytes: undefined,
      unusableRatioMax: 0.05,
    });
  });

  it('may say everything, in the units of the file', () => {
    const more = `, format: "$msec $request", speed: 0.5, from: "2026-11-20T08:00:00+01:00", for: 2 h, host: Files.Test, device: addressAndAgent, connectionsPerDevice: 2, drive: 20 GB, unusableRatioMax: 0`;
    expect(parseScenario(replayOf(more), 'a.yaml').scenario.replay).toMatchObject({
      format: '$msec $request',
      speed: 0.5,
      fromEpochMs: Date.parse('2026-11-20T07:00:00Z'),
      forMs: 7_200_000,
      host: 'files.test',
      device: 'addressAndAgent',
      connectionsPerDevice: 2,
      driveBytes: 20e9,
      unusableRatioMax: 0,
    });
  });

  it.each([
    [
      'a format that is none',
      replayOf(', format: cobmined'),
      /a\.yaml:4:41 {2}replay\.format: expected auto, combined, json, or the text of an nginx log_format/,
    ],
    [
      'a time without a zone',
      replayOf(', from: "2026-11-20 08:00"'),
      /replay\.from: expected a date and time with its zone, such as 2026-11-20T08:00:00\+01:00/,
    ],
    ['a time that is none', replayOf(', from: "2026-13-20T08:00:00Z"'), /replay\.from: expected a date and time/],
    ['no speed', replayOf(', speed: 0'), /replay\.speed: expected a number above 0, found 0/],
    ['a misspelt key', replayOf(', sped: 2'), /replay\.sped: expected one of the keys log, .* did you mean speed\?/],
    [
      'a misspelt replay',
      replayOf('').replace('replay:', 'relpay:'),
      /relpay: expected one of the keys .* did you mean replay\?/,
    ],
    [
      'content beside it',
      `${replayOf('')}content: [{ id: a, size: 1 MB }]\n`,
      /content: expected one of the keys .*found the unknown key "content"/,
    ],
    [
      'a live window beside it',
      `${replayOf('')}live: { window: 5 s, demand: max }\n`,
      /live: expected one of the keys/,
    ],
    [
      'wants of its group',
      replayOf('').replace('id: clients', 'id: clients, wants: [a]'),
      /wants: expected one of the keys id, client, cacheHosts, policy/,
    ],
    [
      'two groups',
      replayOf('').replace('}]\nreplay', '}, { id: b }]\nreplay'),
      /fleet: expected a list of one group: the devices of the log/,
    ],
    [
      'a node that is none',
      replayOf('').replace('cacheHosts: [hq]', 'cacheHosts: [qh]'),
      /expected a node of this file \(hq\), found "qh"; did you mean hq\?/,
    ],
    [
      'the virtual world only',
      `${replayOf('')}worlds: [virtual]\n`,
      /replay: expected no replay where worlds is virtual only/,
    ],
  ])('is told of %s', (_what, text, message) => {
    expect(errorsOf(text)).toMatch(message);
  });
});
