// A result.json that somebody has kept: taken as it is, or refused with what is wrong with it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperatorError } from '../../common/errors.ts';
import { readResult } from '../../simulator/result/read-result.ts';
import type { Result } from '../../simulator/result/result.ts';
import { firstRun, resultOf } from '../reports/some-results.ts';

const folder = mkdtempSync(join(tmpdir(), 'read-result-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'result.json');
let result: Result;
beforeAll(async () => {
  result = await resultOf('failover');
});

const write = (text: string): void => writeFileSync(file, text);

/** What is said of a file, without its folder. */
function refusal(text: string, path = file): string {
  write(text);
  try {
    readResult(path);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    expect(error.exitCode).toBe(2);
    return error.message.replaceAll(folder, '<folder>');
  }
  throw new Error('expected a refusal');
}

/** Of a result with a value changed. */
const edited = (change: (copy: { [key: string]: unknown } & Result) => void): string => {
  const copy = structuredClone(result) as { [key: string]: unknown } & Result;
  change(copy);
  return refusal(JSON.stringify(copy));
};

describe('a result', () => {
  it('is read as it was written, by its file or by its folder', () => {
    write(JSON.stringify(result, undefined, 1));
    expect(readResult(file)).toEqual({ result, file });
    expect(readResult(folder)).toEqual({ result, file });
  });

  it('that is not there, or is cut off, empty, no JSON, or other JSON, is refused in words', () => {
    const text = JSON.stringify(result);
    expect(refusal(text, join(folder, 'none.json'))).toBe(
      '<folder>/none.json: expected a result.json of sim run, or its folder, found that it cannot be read (ENOENT).',
    );
    expect(refusal(text.slice(0, text.length / 2))).toMatch(
      /expected JSON, found a file that was cut off \(.*\)\.\nCopy it again/,
    );
    expect(refusal(' ')).toContain('expected JSON, found an empty file');
    expect(refusal('name: x\n')).toContain('expected JSON, found something else');
    expect(refusal('[1]')).toContain('expected a result of sim run (an object with "schema"), found other JSON');
    expect(refusal('{"version": 2}')).toContain('found other JSON');
  });

  it('of another version is refused with both versions', () => {
    const later = refusal(JSON.stringify({ ...result, schema: 2, new: [] }));
    expect(later).toBe(
      '<folder>/result.json: schema: expected 1, the version that this sim reads, found 2.\n' +
        'Use the version of sim that wrote it, or run the scenario again.',
    );
  });

  it('that was edited is refused with the places', () => {
    const unknown = edited((copy) => {
      copy['remark'] = 'nice';
    });
    expect(unknown).toMatch(/^<folder>\/result\.json: result: Unrecognized key: "remark"\.\nIt was edited/);
    const many = edited((copy) => {
      Object.assign(firstRun(copy).metrics, { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 });
    });
    expect(many).toMatch(/runs\.0\.metrics\.a: .*\n[\s\S]*and 2 more\.\n/);
  });

  it('whose text, verdicts or sums were changed contradicts itself', () => {
    const text = edited((copy) => Object.assign(copy.scenario, { text: `${copy.scenario.text}\n` }));
    expect(text).toMatch(
      /scenario\.sha256: expected [0-9a-f]{64}, that of scenario\.text, found [0-9a-f]{64}\.\nIt was edited/,
    );
    const verdict = edited((copy) => Object.assign(firstRun(copy).expectations[1] ?? {}, { actual: 7 }));
    expect(verdict).toContain(
      'fallback.deviceCount >= 100: expected actual 1413, as fallback.deviceCount is, found 7.',
    );
    const sums = edited((copy) => Object.assign(firstRun(copy).metrics, { 'node.hq.hitBytes': 5 }));
    expect(sums).toMatch(/node\.hq\.egressBytes: expected \d+, hitBytes \+ missBytes, found \d+\./);
  });
});
