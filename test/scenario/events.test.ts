import { describe, expect, it } from 'vitest';
import { mistakesOf, parse, small } from './scenario-text.ts';

const withEvents = (...events: readonly string[]) =>
  `${small
    .replace('{ id: hq }', '{ id: hq, site: branch, drives: [50 GB, 50 GB] }\n  - { id: spare }')
    .replace('wants:', 'downlink: 10 Mbit/s, wants:')}sites: [{ id: branch, link: 100 Mbit/s }]
events:
${events.map((event) => `  - ${event}\n`).join('')}`;

describe('events', () => {
  it('of links, drives and policies load in inner units', () => {
    const scenario = parse(
      withEvents(
        '{ at: 1 s, narrow: { link: branch.link, to: 10 Mbit/s, for: 5 min } }',
        '{ at: 2 s, narrow: { link: hq.wan, to: 10 Mbit/s } }',
        '{ at: 3 s, cut: hq.wan }',
        '{ at: 4 s, join: hq.wan }',
        '{ at: 5 s, loseDrive: hq }',
        '{ at: 6 s, drain: hq }',
        '{ at: 7 s, restart: hq }',
        '{ at: 8 s, policy: { group: office, maxBackgroundRatio: 0.5, fallbackDelayForeground: never } }',
      ),
    );
    expect(scenario.events).toEqual([
      { kind: 'narrow', atMs: 1000, link: { kind: 'site', site: 'branch' }, toBytesPerMs: 1250, forMs: 300_000 },
      { kind: 'narrow', atMs: 2000, link: { kind: 'wan', node: 'hq' }, toBytesPerMs: 1250 },
      { kind: 'cut', atMs: 3000, link: { kind: 'wan', node: 'hq' } },
      { kind: 'join', atMs: 4000, link: { kind: 'wan', node: 'hq' } },
      { kind: 'loseDrive', atMs: 5000, node: 'hq' },
      { kind: 'drain', atMs: 6000, node: 'hq' },
      { kind: 'restart', atMs: 7000, node: 'hq' },
      {
        kind: 'policy',
        atMs: 8000,
        group: 'office',
        policy: { maxBackgroundRatio: 0.5, fallbackDelayForegroundMs: Number.POSITIVE_INFINITY },
      },
    ]);
  });

  it.each([
    ['a link narrowed step by step', ['{ at: 1 s, narrow: { link: hq.wan, to: 9 MB/s } }'], '1 MB/s', 2],
    [
      'a link narrowed again after its time',
      ['{ at: 1 s, narrow: { link: hq.wan, to: 9 MB/s, for: 1 s } }'],
      '1 MB/s',
      2,
    ],
  ])('may be %s', (_what, before, to, at) => {
    expect(mistakesOf(withEvents(...before, `{ at: ${at} s, narrow: { link: hq.wan, to: ${to} } }`))).toEqual([
      'no error',
    ]);
  });

  it('that a profile makes possible are: its drives can be lost', () => {
    const text = withEvents('{ at: 1 s, loseDrive: spare }').replace(
      '{ id: spare }',
      '{ id: spare, profile: isp-edge }',
    );
    expect(mistakesOf(text)).toEqual(['no error']);
    expect(mistakesOf(text.replace('events:', 'events:\n  - { at: 0 s, loseDrive: spare }'))).toEqual([
      'events.1.loseDrive: expected a node with a drive left, of its own or of its profile, found spare, which has none by then',
    ]);
  });

  it.each([
    [
      'a link of a site that is not there',
      ['{ at: 1 s, cut: brnch.link }'],
      'events.0.cut: expected a site of this file (branch), found "brnch.link"; did you mean branch.link?',
    ],
    [
      'the WAN of a site',
      ['{ at: 1 s, narrow: { link: branch.wan, to: 1 MB/s } }'],
      'events.0.narrow.link: expected a node of this file (hq, spare), found "branch.wan"',
    ],
    [
      'a link of no kind',
      ['{ at: 1 s, cut: branch }'],
      'events.0.cut: expected a link of the form <node>.wan or <site>.link, found "branch"',
    ],
    [
      'a link that becomes nothing',
      ['{ at: 1 s, narrow: { link: branch.link, to: 0 MB/s } }'],
      'events.0.narrow.to: expected a rate above zero with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found "0 MB/s"',
    ],
    [
      'a join of a whole link',
      ['{ at: 1 s, join: branch.link }'],
      'events.0.join: expected a link that an event cut or narrowed before, found branch.link, which is whole by then',
    ],
    [
      'a join after the time of a narrow',
      ['{ at: 1 s, narrow: { link: hq.wan, to: 1 MB/s, for: 5 s } }', '{ at: 6 s, join: hq.wan }'],
      'events.1.join: expected a link that an event cut or narrowed before, found hq.wan, which is whole by then',
    ],
    [
      'a second cut',
      ['{ at: 1 s, cut: branch.link }', '{ at: 2 s, cut: branch.link }'],
      'events.1.cut: expected a link that is not cut, found branch.link, which is cut by then',
    ],
    [
      'a narrow of a cut link',
      ['{ at: 1 s, cut: hq.wan }', '{ at: 2 s, narrow: { link: hq.wan, to: 1 MB/s } }'],
      'events.1.narrow.link: expected a link that is not cut, found hq.wan, which is cut by then',
    ],
    [
      'a narrow within the time of another',
      [
        '{ at: 1 s, narrow: { link: hq.wan, to: 1 MB/s, for: 5 s } }',
        '{ at: 2 s, narrow: { link: hq.wan, to: 2 MB/s } }',
      ],
      'events.1.narrow.link: expected a link that no event narrowed for a time, found hq.wan, which is still narrowed by then',
    ],
    [
      'a drain of a frozen node',
      ['{ at: 1 s, freeze: hq }', '{ at: 2 s, drain: hq }'],
      'events.1.drain: expected a node that is running, found hq, frozen by then',
    ],
    [
      'a kill of a drained node',
      ['{ at: 1 s, drain: hq }', '{ at: 2 s, kill: hq }'],
      'events.1.kill: expected a node that is alive, found hq, drained by then',
    ],
    [
      'a drive of a node without',
      ['{ at: 1 s, loseDrive: spare }'],
      'events.0.loseDrive: expected a node with a drive left, of its own or of its profile, found spare, which has none by then',
    ],
    [
      'a third drive of two',
      ['{ at: 3 s, loseDrive: hq }', '{ at: 1 s, loseDrive: hq }', '{ at: 2 s, loseDrive: hq }'],
      'events.0.loseDrive: expected a node with a drive left, of its own or of its profile, found hq, which has none by then',
    ],
    [
      'policies of a group that is not there',
      ['{ at: 1 s, policy: { group: offcie, priority: foreground } }'],
      'events.0.policy.group: expected a group of this file (office), found "offcie"; did you mean office?',
    ],
    [
      'no policy',
      ['{ at: 1 s, policy: { group: office } }'],
      'events.0.policy: expected at least one policy beside group, found none',
    ],
    [
      'an unknown policy',
      ['{ at: 1 s, policy: { group: office, maxBackgruondRatio: 0.5 } }'],
      'events.0.policy.maxBackgruondRatio: expected one of the keys group, priority, fallbackDelayBackground, fallbackDelayForeground, maxBackgroundDownload, maxForegroundDownload, maxBackgroundRatio, maxForegroundRatio, limitedHours, found the unknown key "maxBackgruondRatio"; did you mean maxBackgroundRatio?',
    ],
  ])('are refused: %s', (_what, events, mistake) => {
    expect(mistakesOf(withEvents(...events))).toEqual([mistake]);
  });

  it('cannot happen to a node that we did not start', () => {
    const text = `${small.replace('{ id: hq }', '{ id: hq, url: "http://192.0.2.7" }')}events:
  - { at: 1 s, drain: hq }
  - { at: 2 s, loseDrive: hq }
  - { at: 3 s, narrow: { link: hq.wan, to: 1 MB/s } }
`;
    expect(mistakesOf(text)).toEqual([
      'events.0.drain: expected a node that this run starts, found hq, which has a url',
      'events.1.loseDrive: expected a node that this run starts, found hq, which has a url',
      'events.2.narrow.link: expected a node that this run starts, found hq, which has a url',
    ]);
  });
});

describe('policies', () => {
  const withPolicy = (policy: string, downlink = 'downlink: 10 Mbit/s, ') =>
    small.replace('wants:', `${downlink}policy: { ${policy} }, wants:`);

  it('limit hours of the day, and shares of the downlink', () => {
    const text = `${withPolicy('limitedHours: { from: "22:30", to: 06:00, insideRatio: 0.25 }, maxForegroundRatio: 1')}startsAt: 08:00\n`;
    expect(parse(text).startsAtMs).toBe(8 * 3_600_000);
    expect(parse(text).fleet[0]?.policy).toEqual({
      priority: 'background',
      maxForegroundRatio: 1,
      limitedHours: { fromMs: 22.5 * 3_600_000, toMs: 6 * 3_600_000, insideRatio: 0.25, outsideRatio: 1 },
    });
  });

  it.each([
    [
      'a share of a downlink that is not given',
      withPolicy('maxBackgroundRatio: 0.5, limitedHours: { from: 08:00, to: 17:00, insideRatio: 0.5 }', ''),
      [
        'fleet.0.policy.maxBackgroundRatio: expected a downlink of the group office, of which maxBackgroundRatio is a share, found none',
        'fleet.0.policy.limitedHours: expected a downlink of the group office, of which limitedHours is a share, found none',
      ],
    ],
    [
      'such a share in an event',
      `${small}events: [{ at: 1 s, policy: { group: office, maxForegroundRatio: 0.5 } }]\n`,
      [
        'events.0.policy.maxForegroundRatio: expected a downlink of the group office, of which maxForegroundRatio is a share, found none',
      ],
    ],
    [
      'no share at all',
      withPolicy('maxBackgroundRatio: 0, maxForegroundRatio: 50'),
      [
        'fleet.0.policy.maxBackgroundRatio: expected a share above 0, up to 1, found 0',
        'fleet.0.policy.maxForegroundRatio: expected a share above 0, up to 1, found 50',
      ],
    ],
    [
      'times that are none',
      withPolicy('limitedHours: { from: 8, to: 24:00, insideRatio: 0.5 }'),
      [
        'fleet.0.policy.limitedHours.from: expected a time of day such as 08:30, found the bare number 8',
        'fleet.0.policy.limitedHours.to: expected a time of day such as 08:30, found "24:00"',
      ],
    ],
    [
      'hours without an end',
      withPolicy('limitedHours: { from: 08:00, to: 08:00, insideRatio: 0.5 }'),
      [
        'fleet.0.policy.limitedHours: expected from and to that differ, found an object with the keys from, to, insideRatio',
      ],
    ],
    [
      'a start that is no time of day',
      `${small}startsAt: 8 h\n`,
      ['startsAt: expected a time of day such as 08:30, found "8 h"'],
    ],
  ])('are refused: %s', (_what, text, mistakes) => {
    expect(mistakesOf(text)).toEqual(mistakes);
  });
});
