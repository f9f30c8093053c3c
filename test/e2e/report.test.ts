// `sim report` as a user runs it, on what `sim run` has left.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { SimRun } from './sim-run.ts';

const files = ['report.html', 'summary.md', 'junit.xml'] as const;
let run: SimRun;

/** What `sim report` says, and how it ends. */
function report(...words: readonly string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
} {
  const sim = join(repositoryRoot, 'simulator/sim.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [sim, 'report', ...words], { encoding: 'utf8' });
  return { code: status, out: stdout, error: stderr };
}

beforeAll(async () => {
  run = new SimRun('scenarios/vm.yaml', { world: 'virtual' });
  // It is expected to fail, and does.
  expect(await run.exitCode()).toBe(0);
});

test('sim run leaves all reports beside its result, and nothing half written', () => {
  expect(readdirSync(run.out).sort()).toEqual(['junit.xml', 'report.html', 'result.json', 'summary.md']);
  expect(readFileSync(join(run.out, 'report.html'), 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  expect(readFileSync(join(run.out, 'junit.xml'), 'utf8')).toContain('failures="0"');
});

test('sim report makes the same of the result alone, in another folder too', () => {
  const elsewhere = join(run.folder, 'elsewhere');
  mkdirSync(elsewhere);
  copyFileSync(join(run.out, 'result.json'), join(elsewhere, 'some.json'));
  expect(report(join(elsewhere, 'some.json'))).toMatchObject({ code: 0, error: '' });
  const made = join(run.folder, 'made', 'here');
  const { code, out } = report(run.out, '--out', made);
  expect({ code, out }).toEqual({ code: 0, out: `summary.md, junit.xml, report.html in ${made}\n` });
  for (const file of files) {
    const text = readFileSync(join(run.out, file), 'utf8');
    expect(readFileSync(join(elsewhere, file), 'utf8')).toBe(text);
    expect(readFileSync(join(made, file), 'utf8')).toBe(text);
  }
});

test('what is no result is refused with exit code 2, without a stack, and nothing is written', () => {
  const cut = join(run.folder, 'cut.json');
  writeFileSync(cut, readFileSync(join(run.out, 'result.json'), 'utf8').slice(0, 5000));
  const made = join(run.folder, 'of-nothing');
  for (const wrong of [cut, join(run.folder, 'none'), run.folder, join(repositoryRoot, 'package.json')]) {
    const { code, out, error } = report(wrong, '--out', made);
    expect({ code, out }, error).toEqual({ code: 2, out: '' });
    expect(error).toMatch(/expected .*, found /);
    expect(error).not.toMatch(/\n\s+at /);
    expect(existsSync(made)).toBe(false);
  }
});

test.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
  'a folder that cannot be written: exit code 3',
  () => {
    const { code, error } = report(run.out, '--out', '/proc/nowhere');
    expect({ code, error }).toMatchObject({ code: 3, error: expect.stringContaining('/proc/nowhere') });
  },
);

test('a report that cannot be replaced is left as it was, without a part beside it', () => {
  const made = join(run.folder, 'taken');
  mkdirSync(join(made, 'report.html'), { recursive: true });
  const { code, error } = report(run.out, '--out', made);
  expect(code).toBe(3);
  expect(error).toContain('report.html: cannot be written');
  expect(readdirSync(made).filter((name) => name.endsWith('.part'))).toEqual([]);
  rmSync(made, { recursive: true });
});
