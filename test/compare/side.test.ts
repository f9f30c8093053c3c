import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSide } from '../../simulator/compare/side.ts';
import { resultWith } from './results.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes files below a folder of its own; returns that. */
function files(name: string, texts: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(texts)) {
    const file = join(folder, name, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return join(folder, name);
}

const good = resultWith({ metrics: { 'cdn.egressBytes': 4 } });
const json = (value: unknown): string => JSON.stringify(value, null, 1);

describe('a side', () => {
  it('is one file, the folder of a run, or a folder of such folders', () => {
    const one = files('one', { 'result.json': json(good), 'summary.md': '#' });
    expect(readSide(one).results).toEqual([good]);
    expect(readSide(join(one, 'result.json')).results).toEqual([good]);
    const many = files('many', { '01/result.json': json(good), '02/result.json': json(good), 'notes.txt': 'mine' });
    expect(readSide(many)).toEqual({ label: many, results: [good, good], leftOut: [] });
  });

  it('leaves runs out that were interrupted, and says so', () => {
    const interrupted = { ...good, verdict: 'interrupted' };
    const side = readSide(files('some', { '01/result.json': json(good), '02/result.json': json(interrupted) }));
    expect(side.results).toEqual([good]);
    expect(side.leftOut).toEqual([`${join(folder, 'some', '02', 'result.json')}: interrupted before its end`]);
  });

  const overridden = { ...good, overrides: { 'nodes.0.workers': '2' } };
  it.each([
    ['nothing', {}, 'found that it cannot be read (ENOENT)'],
    ['no results', { 'notes.txt': 'mine' }, 'expected a result.json, or folders that hold one each, found neither'],
    [
      'interrupted runs alone',
      { 'result.json': json({ ...good, verdict: 'interrupted' }) },
      'expected a run that came to its end, found none',
    ],
    ['a file that was cut off', { 'result.json': json(good).slice(0, 300) }, 'found a file that was cut off'],
    [
      'another version',
      { 'result.json': json({ ...good, schema: 2 }) },
      'schema: expected 1, the version that this sim reads, found 2',
    ],
    [
      'an edited scenario',
      { 'result.json': json({ ...good, scenario: { ...good.scenario, text: 'name: Edited\n' } }) },
      'scenario.sha256: expected ',
    ],
    [
      'a metric of its own',
      { 'result.json': json(resultWith({ metrics: { 'fleet.luck': 1 } })) },
      'runs.0.metrics.fleet.luck: ',
    ],
    [
      'runs of two scenarios',
      { 'a/result.json': json(good), 'b/result.json': json(resultWith({ scenarioText: 'name: Another\n' })) },
      'runs of one side are of one scenario with the same settings',
    ],
    [
      'runs with other settings',
      { 'a/result.json': json(good), 'b/result.json': json(overridden) },
      'found --set nodes.0.workers=2, not nothing',
    ],
  ])('of %s is refused with words', (name, texts, message) => {
    const path = files(name, texts);
    expect(() => readSide(path)).toThrow(
      expect.objectContaining({ name: 'OperatorError', exitCode: 2, message: expect.stringContaining(message) }),
    );
  });
});
