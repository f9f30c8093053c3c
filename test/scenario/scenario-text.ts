// A small scenario to vary, and what is said of one with mistakes.

import { OperatorError } from '../../common/errors.ts';
import { parseScenario } from '../../simulator/scenario/load.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';

export const parse = (text: string, overrides: readonly string[] = [], file = 'a.yaml'): Scenario =>
  parseScenario(text, file, overrides).scenario;

/** The whole error output of a scenario that has mistakes. */
export function errorsOf(text: string, overrides: readonly string[] = [], file = 'a.yaml'): string {
  try {
    parse(text, overrides, file);
  } catch (error) {
    if (error instanceof OperatorError) return error.message;
    throw error;
  }
  return 'no error';
}

/** The mistakes alone: without the place, and without the line that counts them. */
export function mistakesOf(text: string, overrides: readonly string[] = []): readonly string[] {
  const lines = errorsOf(text, overrides).split('\n');
  return lines.length === 1 ? lines : lines.slice(0, -1).map((line) => line.replace(/^a\.yaml:\d+:\d+ {2}/, ''));
}

/** Seven lines; sections can be added after them. */
export const small = `name: Small
content:
  - { id: update, size: 1 MB }
nodes:
  - { id: hq }
fleet:
  - { id: office, devices: 2, cacheHosts: [hq], wants: [update] }
`;
