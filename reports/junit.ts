// junit.xml, for CI: a suite a run, a case for each expectation that it judged. What is inconclusive or was judged nowhere is
// skipped, with the reason. Where a scenario is expected to fail, CI wants to know whether it does: its failures are no
// failures, and a case of its own says whether it did as it should.

import XMLBuilder from 'fast-xml-builder';
import type { ExpectationVerdict } from '../simulator/judge/judge.ts';
import type { Result, Run } from '../simulator/result/result.ts';
import {
  actualText,
  headroomText,
  limitText,
  machineText,
  purposeNames,
  reasonText,
  resultWords,
  shownVerdicts,
} from './words.ts';

type Attributes = Readonly<Record<`@${string}`, string>>;
type Outcome =
  | { readonly skipped: Attributes }
  | { readonly failure: Told }
  | { readonly error: Told }
  | { readonly 'system-out': string };
type Told = Attributes & { readonly '#text': string };
type Case = Attributes & Partial<Outcome>;
type Suite = Attributes & {
  readonly properties: { readonly property: readonly Attributes[] };
  readonly testcase: readonly Case[];
};

export function junitXml(result: Result): string {
  const { runs, scenario } = result;
  const judged = runs
    .filter(({ purpose }) => purpose !== 'prediction')
    .map((run) => suiteOf(result, purposeNames[run.purpose], run.durationMs, expectationCases(result, run)));
  const whole = wholeCases(result);
  const suites = whole.length === 0 ? judged : [...judged, suiteOf(result, 'the run as a whole', 0, whole)];
  // The schema of Jenkins knows no sum of the skipped ones.
  const { '@skipped': _, ...counts } = countsOf(suites.flatMap(({ testcase }) => testcase));
  const root = {
    '@name': legal(scenario.name),
    ...counts,
    '@time': seconds(runs.reduce((sum, { durationMs }) => sum + durationMs, 0)),
    testsuite: suites,
  };
  const builder = new XMLBuilder({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    format: true,
    suppressEmptyNode: true,
  });
  return builder.build({ '?xml': { '@version': '1.0', '@encoding': 'UTF-8' }, testsuites: root });
}

function suiteOf(result: Result, words: string, durationMs: number, testcase: readonly Case[]): Suite {
  const { scenario, machine, tool, startedAt, verdict, reason, seed, command } = result;
  const properties: readonly (readonly [string, string])[] = [
    ['verdict', resultWords[verdict]],
    ['reason', reason],
    ['expected', scenario.expected ?? 'pass'],
    ['scenario', scenario.path],
    ['scenario.sha256', scenario.sha256],
    ['seed', String(seed)],
    ['command', command],
    ['tool', `${tool.name} ${tool.version}`],
    ['machine', machineText(machine)],
  ];
  return {
    '@name': legal(`${scenario.name} (${words})`),
    ...countsOf(testcase),
    '@time': seconds(durationMs),
    '@timestamp': startedAt.replace(/\.\d+Z$/, ''),
    properties: { property: properties.map(([name, value]) => ({ '@name': name, '@value': legal(value) })) },
    testcase,
  };
}

function countsOf(cases: readonly Case[]): Attributes {
  const count = (kind: string): string => String(cases.filter((each) => kind in each).length);
  return {
    '@tests': String(cases.length),
    '@failures': count('failure'),
    '@errors': count('error'),
    '@skipped': count('skipped'),
  };
}

function expectationCases({ runs, scenario }: Result, run: Run): readonly Case[] {
  return shownVerdicts(run, runs).map((verdict) => ({
    '@classname': legal(`${scenario.name}.${run.world}`),
    '@name': legal(verdict.text),
    '@time': '0',
    ...outcomeOf(verdict, scenario.expected === 'fail'),
  }));
}

function outcomeOf(verdict: ExpectationVerdict, mayFail: boolean): Partial<Outcome> {
  const headroom = headroomText(verdict);
  const found = `actual ${actualText(verdict)}, expected ${limitText(verdict)}${headroom === '' ? '' : `, headroom ${headroom}`}`;
  const reason = reasonText(verdict);
  const text = legal(reason === undefined ? found : `${found}: ${reason}`);
  switch (verdict.verdict) {
    case 'pass':
      return { 'system-out': text };
    case 'fail':
      if (mayFail) return { 'system-out': `failed, as a scenario with expected: fail may: ${text}` };
      return { failure: { '@message': text, '@type': 'expectation', '#text': text } };
    case 'inconclusive':
      return { skipped: { '@message': legal(`inconclusive: ${reason ?? 'no reason was given'}`) } };
    case 'notJudged':
      return { skipped: { '@message': legal(`not judged: ${reason ?? 'no reason was given'}`) } };
  }
}

/** What no expectation says: a run that was interrupted, and whether a scenario that is to fail did. */
function wholeCases({ verdict, reason, scenario }: Result): readonly Case[] {
  const base = { '@classname': legal(scenario.name), '@time': '0' };
  const text = legal(reason);
  if (verdict === 'interrupted') {
    const error = { '@message': text, '@type': 'interrupted', '#text': text };
    return [{ ...base, '@name': 'the run came to its end', error }];
  }
  if (scenario.expected !== 'fail') return [];
  const name = { '@name': 'the scenario fails, as it says' };
  switch (verdict) {
    case 'fail':
      return [{ ...base, ...name, 'system-out': text }];
    case 'pass':
      return [{ ...base, ...name, failure: { '@message': text, '@type': 'expected', '#text': text } }];
    case 'inconclusive':
      return [{ ...base, ...name, skipped: { '@message': text } }];
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** Without what XML 1.0 cannot hold: control characters and halves of pairs. */
function legal(text: string): string {
  return text.replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}');
}
