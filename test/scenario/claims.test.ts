// Every shipped scenario does what it says, in the virtual world: what it expects holds, or fails where it says that it fails.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { withInvariants } from '../../simulator/judge/invariants.ts';
import { judgeRun, overallVerdict } from '../../simulator/judge/judge.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { runVirtual, whyNotVirtual } from '../../simulator/world/virtual/virtual-world.ts';

const scenarios = readdirSync(join(repositoryRoot, 'scenarios'))
  .filter((name) => name.endsWith('.yaml'))
  .map((file) => ({ file, ...loadScenario(join(repositoryRoot, 'scenarios', file)) }))
  .filter(({ scenario }) => scenario.worlds.includes('virtual') && whyNotVirtual(scenario) === undefined)
  .map(({ file, scenario, text }) => ({ file, scenario, text, question: scenario.question, says: scenario.expected }));

describe('a shipped scenario', () => {
  it('is there, with one that passes and one that fails', () => {
    expect(scenarios.length).toBeGreaterThan(20);
    expect(new Set(scenarios.map(({ says }) => says))).toEqual(new Set(['pass', 'fail']));
  });

  // A template of `it.each` would cut the questions.
  it.for(scenarios.map((each) => [`${each.file}: ${each.question} (${each.says})`, each] as const))(
    '%s',
    async ([, { scenario, text }]) => {
      const { run, lateEvents } = await runVirtual(scenario);
      const verdicts = judgeRun(withInvariants(scenario.expect, ['virtual']), run);
      const fails = verdicts.filter(({ verdict }) => verdict === 'fail').map((each) => each.text);
      const overall = overallVerdict([verdicts], scenario.expected);
      const told = verdicts.map(({ text: expected, actual, verdict }) => `${verdict}: ${expected}, actual ${actual}`);
      expect(overall.asExpected, told.join('\n')).toBe(true);
      expect(overall.exitCode).toBe(0);
      expect(lateEvents).toEqual([]);
      // What fails is what the file says of it, and nothing else.
      const saidToFail = text.split('\n').flatMap((line) => /^ +- (.*?) +# fails\b/.exec(line)?.[1] ?? []);
      expect(fails).toEqual(saidToFail);
      // Nothing of what it asks of this world is out of the model's reach.
      const open = verdicts.filter(({ verdict, reason }) => verdict === 'notJudged' && !reason?.includes('world'));
      expect(open).toEqual([]);
    },
  );
});
