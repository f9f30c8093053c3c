import { describe, expect, it } from 'vitest';
import { chooseWorlds } from '../../simulator/world/choose-worlds.ts';
import { mistakesOf, parse, small } from './scenario-text.ts';

const withLine = (line: string, more = '') => `${small.replace('wants:', `line: ${line}, wants:`)}${more}`;

describe('the line of a group', () => {
  it('loads in inner units, and does nothing that is not written', () => {
    const line =
      '{ latency: 40 ms, lossRatio: 0.01, rate: 2 Mbit/s, resetAfter: 10 MB, resetRatio: 0.1, halfOpenAfter: 5 MB }';
    expect(parse(withLine(line)).fleet[0]?.line).toEqual({
      by: 'process',
      latencyMs: 40,
      lossRatio: 0.01,
      rateBytesPerMs: 250,
      resetAfterBytes: 10e6,
      resetRatio: 0.1,
      halfOpenAfterBytes: 5e6,
    });
    expect(parse(withLine('{ latency: 40 ms }')).fleet[0]?.line).toEqual({
      by: 'process',
      latencyMs: 40,
      lossRatio: 0,
      resetRatio: 0,
    });
    expect(parse(withLine('{ by: kernel, rate: 2 Mbit/s }')).fleet[0]?.line).toEqual({
      by: 'kernel',
      latencyMs: 0,
      lossRatio: 0,
      rateBytesPerMs: 250,
    });
    expect(parse(small).fleet[0]?.line).toBeUndefined();
  });

  it.each([
    [
      'that does nothing',
      '{ latency: 0 s, lossRatio: 0 }',
      [
        'fleet.0.line: expected at least one thing that the line does, found an object with the keys latency, lossRatio',
      ],
    ],
    ['with a loss in percent', '{ lossRatio: 2 }', ['fleet.0.line.lossRatio: expected a share from 0 to 0.5, found 2']],
    [
      'with a loss as a text',
      '{ lossRatio: 1 % }',
      ['fleet.0.line.lossRatio: expected a share from 0 to 0.5, found "1 %"'],
    ],
    [
      'with another name for it',
      '{ latencyy: 40 ms }',
      [
        'fleet.0.line.latencyy: expected one of the keys by, latency, lossRatio, rate, resetAfter, resetRatio, halfOpenAfter, found the unknown key "latencyy"; did you mean latency?',
      ],
    ],
    [
      'by the kernel, but with what only a process does',
      '{ by: kernel, latency: 40 ms, resetAfter: 1 MB }',
      ['fleet.0.line.resetAfter: expected no resetAfter in a line by the kernel, which breaks nothing, found "1 MB"'],
    ],
    [
      'that does nothing but name who does it',
      '{ by: kernel }',
      ['fleet.0.line: expected at least one thing that the line does, found an object with the keys by'],
    ],
    [
      'without units',
      '{ latency: 40, resetAfter: 0 B }',
      [
        'fleet.0.line.latency: expected a duration with a unit, such as 20 ms, 60 s, 5 min, 24 h or 30 d, found the bare number 40',
        'fleet.0.line.resetAfter: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found "0 B"',
      ],
    ],
  ])('is refused: %s', (_what, line, mistakes) => {
    expect(mistakesOf(withLine(line))).toEqual(mistakes);
  });

  it('exists in the live world only: the virtual one says so, and a scenario for it alone is refused', () => {
    const scenario = parse(withLine('{ latency: 40 ms }'));
    expect(chooseWorlds(scenario, undefined)).toEqual({
      virtual: false,
      live: true,
      notes: [
        'it did not run in the virtual world: fleet office: a line (latency, loss, resets) exists in the live world only',
      ],
    });
    expect(() => chooseWorlds(scenario, 'virtual')).toThrow(/cannot run in the virtual world/);
    expect(mistakesOf(withLine('{ latency: 40 ms }', 'worlds: [virtual]\n'))).toEqual([
      'fleet.0.line: expected no line where worlds is virtual only (its downlink is a rate), found an object with the keys latency',
    ]);
  });

  it('needs no downlink; new policies can be told in both worlds', () => {
    const events = 'events: [{ at: 1 s, policy: { group: office, maxBackgroundDownload: 1 MB/s } }]\n';
    expect(chooseWorlds(parse(`${small}${events}`), undefined)).toEqual({ virtual: true, live: true, notes: [] });
  });
});
