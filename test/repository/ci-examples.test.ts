// The workflow files that docs/ci offers: right YAML without doubled keys, commands and options that there are, scenarios that exist.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { buildProgram } from '../../simulator/program.ts';

const folder = 'docs/ci';
const program = buildProgram();

type Step = { readonly run?: string; readonly script?: string };

/** Every step of a file, wherever it stands. */
function stepsIn(value: unknown): Step[] {
  if (Array.isArray(value)) return value.flatMap(stepsIn);
  if (typeof value !== 'object' || value === null) return [];
  const step = value as Step;
  return [...('run' in step || 'script' in step ? [step] : []), ...Object.values(value).flatMap(stepsIn)];
}

describe.each(readdirSync(folder))('docs/ci/%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  const document = parseDocument(text, { uniqueKeys: true, strict: true });

  it('is YAML', () => {
    expect({ errors: document.errors, warnings: document.warnings }).toEqual({ errors: [], warnings: [] });
  });

  it('calls sim as it can be called', () => {
    const calls = stepsIn(document.toJS()).flatMap(({ run, script }) => {
      const words = (run ?? script ?? '').split(/\s+/);
      return words[1] === 'sim' ? [words.slice(2)] : [];
    });
    expect(calls.length).toBeGreaterThan(0);
    for (const [command, ...words] of calls) {
      const found = program.commands.find((each) => each.name() === command);
      const known = found?.options.map(({ long }) => long) ?? [];
      expect(known).toEqual(expect.arrayContaining(words.filter((word) => word.startsWith('--'))));
    }
  });

  it('names scenarios that are shipped', () => {
    const scenarios = [...text.matchAll(/scenario: (?:\[([^\]]+)\]|([a-z0-9-]+) \})/g)].flatMap(([, many, one]) =>
      (many ?? one ?? '').split(',').map((each) => each.trim()),
    );
    expect(scenarios.length).toBeGreaterThan(0);
    for (const scenario of scenarios) expect(existsSync(`scenarios/${scenario}.yaml`), scenario).toBe(true);
  });
});
