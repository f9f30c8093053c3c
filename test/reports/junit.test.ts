// junit.xml as an XML parser and a CI server see it: well-formed, of JUnit's form, and with the outcome that CI is to have.

import fc from 'fast-check';
import { type SaxesAttributeNS, SaxesParser } from 'saxes';
import { beforeAll, describe, expect, it } from 'vitest';
import { junitXml } from '../../reports/junit.ts';
import type { ExpectationVerdict } from '../../simulator/judge/judge.ts';
import type { Result } from '../../simulator/result/result.ts';
import { firstRun, resultOf, withMeasurement, withTexts } from './some-results.ts';

type Element = {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
};

/** By a parser that is strict about XML 1.0, and not the one of the library that wrote it. */
function parse(xml: string): Element {
  const parser = new SaxesParser({ xmlns: true });
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  parser.on('opentag', ({ name, attributes }) => {
    const plain = Object.entries(attributes as Record<string, SaxesAttributeNS>).map(([key, { value }]) => [
      key,
      value,
    ]);
    const element: Element = { name, attributes: Object.fromEntries(plain), children: [], text: '' };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const last = open.at(-1);
    if (last !== undefined) last.text += text;
  });
  parser.on('closetag', () => open.pop());
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(xml).close();
  return root.children[0] ?? root;
}

/** The form of JUnit's files, as Jenkins' schema has it: what an element must and may have, and what may be in it. */
const forms: Readonly<
  Record<string, { must: readonly string[]; may: readonly string[]; children: readonly string[] }>
> = {
  testsuites: { must: [], may: ['name', 'time', 'tests', 'failures', 'errors', 'disabled'], children: ['testsuite'] },
  testsuite: {
    must: ['name', 'tests', 'failures', 'errors', 'time'],
    may: ['skipped', 'disabled', 'timestamp', 'hostname', 'id', 'package'],
    children: ['properties', 'testcase', 'system-out', 'system-err'],
  },
  properties: { must: [], may: [], children: ['property'] },
  property: { must: ['name', 'value'], may: [], children: [] },
  testcase: {
    must: ['name', 'classname'],
    may: ['time', 'status', 'assertions'],
    children: ['skipped', 'error', 'failure', 'system-out', 'system-err'],
  },
  skipped: { must: [], may: ['message', 'type'], children: [] },
  failure: { must: [], may: ['message', 'type'], children: [] },
  error: { must: [], may: ['message', 'type'], children: [] },
  'system-out': { must: [], may: [], children: [] },
};

function expectForm(element: Element): void {
  const form = forms[element.name];
  if (form === undefined) throw new Error(`<${element.name}> is no element of JUnit`);
  const names = Object.keys(element.attributes);
  for (const name of form.must) expect(names, element.name).toContain(name);
  for (const name of names) expect([...form.must, ...form.may], element.name).toContain(name);
  const places = element.children.map(({ name }) => form.children.indexOf(name));
  expect(places).not.toContain(-1);
  if (element.name === 'testsuite') expect([...places].sort((a, b) => a - b)).toEqual(places);
  for (const child of element.children) expectForm(child);
}

/** An element and all within it that have a name. */
const all = (element: Element, name: string): Element[] => [
  ...(element.name === name ? [element] : []),
  ...element.children.flatMap((child) => all(child, name)),
];

/** What became of a case, as CI shows it. */
const outcomeOf = ({ children }: Element): string =>
  children.find(({ name }) => ['skipped', 'failure', 'error'].includes(name))?.name ?? 'passed';

/** The cases' names, and what became of them. */
const outcomes = (root: Element): string[] =>
  all(root, 'testcase').map((each) => `${outcomeOf(each)}: ${each.attributes['name']}`);

let failover: Result;
beforeAll(async () => {
  failover = await resultOf('failover');
});

/** The result with the verdicts of its only run replaced, from the first on. */
function judged(verdicts: readonly ExpectationVerdict['verdict'][], part: Partial<Result> = {}): Result {
  const run = firstRun(failover);
  const expectations = verdicts.map((verdict, index): ExpectationVerdict => {
    const { reason: _, ...expectation } = run.expectations[index] as ExpectationVerdict;
    const isOpen = verdict === 'inconclusive' || verdict === 'notJudged';
    return { ...expectation, verdict, ...(isOpen ? { reason: 'the generator was the limit' } : {}) };
  });
  return { ...failover, ...part, runs: [{ ...run, expectations }] };
}

const toFail = (result: Result): Result => ({ ...result, scenario: { ...result.scenario, expected: 'fail' } });

describe('junit.xml', () => {
  it('is of JUnit’s form, with counts that are those of its cases', () => {
    for (const result of [failover, withMeasurement(failover), judged(['pass', 'fail', 'inconclusive', 'notJudged'])]) {
      const root = parse(junitXml(result));
      expect(root.name).toBe('testsuites');
      expectForm(root);
      for (const suite of [root, ...all(root, 'testsuite')]) {
        const cases = all(suite, 'testcase').map(outcomeOf);
        const count = (outcome: string) => String(cases.filter((each) => each === outcome).length);
        const { tests, failures, errors, skipped = count('skipped') } = suite.attributes;
        expect({ tests, failures, errors, skipped }).toEqual({
          tests: String(cases.length),
          failures: count('failure'),
          errors: count('error'),
          skipped: count('skipped'),
        });
      }
    }
  });

  it('has a suite for each run that judges, and a case for each expectation that it judged', () => {
    const root = parse(junitXml(withMeasurement(failover)));
    expect(all(root, 'testsuite').map(({ attributes }) => attributes['name'])).toEqual([
      'Failover, 2,000 devices (claim, virtual)',
      'Failover, 2,000 devices (measured, live)',
    ]);
    expect(outcomes(root)).toContain('passed: fallback.deviceCount >= 100');
    expect(outcomes(root).filter((line) => line.startsWith('passed'))).toHaveLength(12);
    // What neither could judge is said once.
    expect(outcomes(root).filter((line) => line.startsWith('skipped'))).toEqual([
      'skipped: integrity.corruptBytes == 0',
    ]);
  });

  it('fails with what came and what was expected, skips with the reason', () => {
    const root = parse(junitXml(judged(['fail', 'inconclusive', 'notJudged'])));
    expect(outcomes(root).map((line) => line.split(':')[0])).toEqual(['failure', 'skipped', 'skipped']);
    const [failure] = all(root, 'failure');
    expect(failure?.attributes['message']).toBe('actual 100 %, expected = 100 %: it is 1');
    expect(all(root, 'skipped').map(({ attributes }) => attributes['message'])).toEqual([
      'inconclusive: the generator was the limit',
      'not judged: the generator was the limit',
    ]);
  });

  it('of a scenario that fails as it should has no failure, and says so', () => {
    const root = parse(
      junitXml(toFail(judged(['pass', 'fail'], { verdict: 'fail', reason: '1 of 2 judged failed, as expected' }))),
    );
    expectForm(root);
    expect(outcomes(root).map((line) => line.split(':')[0])).toEqual(['passed', 'passed', 'passed']);
    expect(outcomes(root).at(-1)).toBe('passed: the scenario fails, as it says');
    expect(all(root, 'system-out')[1]?.text).toMatch(/^failed, as a scenario with expected: fail may: actual 1,413/);
    const properties = all(root, 'property').map(({ attributes }) => `${attributes['name']}=${attributes['value']}`);
    expect(properties).toContain('expected=fail');
  });

  it('of one that should have failed and did not has a failure', () => {
    const root = parse(
      junitXml(toFail(judged(['pass'], { verdict: 'pass', reason: 'all hold, but one was expected to fail' }))),
    );
    expect(outcomes(root).at(-1)).toBe('failure: the scenario fails, as it says');
    const open = parse(junitXml(toFail(judged(['inconclusive'], { verdict: 'inconclusive' }))));
    expect(outcomes(open).at(-1)).toBe('skipped: the scenario fails, as it says');
  });

  it('of a run that was interrupted has an error: all else is skipped, and CI would be green', () => {
    const root = parse(
      junitXml(judged(['inconclusive'], { verdict: 'interrupted', reason: 'interrupted before its end' })),
    );
    expectForm(root);
    expect(outcomes(root).at(-1)).toBe('error: the run came to its end');
  });

  it('holds any text, but for characters that XML does not have', () => {
    const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constant(']]> <!-- &amp; "\' \0 \uD800'));
    fc.assert(
      fc.property(anyText, (text) => {
        const root = parse(junitXml(withTexts(judged(['pass', 'fail', 'inconclusive']), text)));
        expectForm(root);
        const legal = text.replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}');
        // In attributes a line's end is a space to every parser.
        expect(root.attributes['name']).toBe(legal.replaceAll(/\r\n|[\r\n\t]/g, ' '));
      }),
      { seed: 7, numRuns: Number(process.env['ORACLE_RUNS'] ?? 40) },
    );
  });
});
