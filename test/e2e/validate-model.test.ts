// `sim validate-model` before it has run anything. What it measures takes minutes: CI does that, beside these tests.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-validate-model-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function validateModel(...words: readonly string[]) {
  const sim = join(repositoryRoot, 'simulator/sim.js');
  return spawnSync(process.execPath, [sim, 'validate-model', ...words], { cwd: folder, encoding: 'utf8' });
}

describe('sim validate-model', () => {
  test('without a profile: says what to do, exit code 2', () => {
    const { status, stdout, stderr } = validateModel();
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: '',
      stderr: 'machine-profile.yaml: expected the profile of this machine, found none; run sim calibrate.\n',
    });
    expect(validateModel('--profile', 'other.yaml').stderr).toMatch(/^other\.yaml: expected the profile/);
  });

  test('its help says what it compares, how long it takes, and how it ends', () => {
    const { status, stdout } = validateModel('--help');
    expect(status).toBe(0);
    for (const part of ['--profile <file>', 'Examples:', 'minutes', 'Exit codes:']) expect(stdout).toContain(part);
  });
});
