// The text of a script: the scenario's values, and the very modules that the two worlds run (policies, order of pieces). In
// the `.ts` their sources are put one behind the other, in the `.js` is what the build made of them (rolldown.config.ts);
// k6 needs no file beside either.
//
//     const exported = { … }            what the export wrote of the scenario
//     export const options = { … }      arrivals and thresholds
//     modules                           without imports of each other, without `export`
//     export function setup, device …   what k6 calls
//
// Top-level names of all modules share one scope in the `.ts`: the test that type-checks a script finds two that are alike.
// The JavaScript of k6 is not the newest: no ??= and the like (goja issue 647).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../common/child-program.ts';
import { OperatorError } from '../../../common/errors.ts';
import { toolVersion } from '../../result/tool-version.ts';
import type { K6Scenario } from './k6-scenarios.ts';
import type { ExportedScenario } from './script/exported-scenario.ts';

export type ScriptLanguage = 'ts' | 'js';

/** What k6's operator can hold in a ConfigMap. */
export const scriptBytesMax = 2 ** 20;

/** Of a `.ts`, in an order in which nothing is used before it is there. `only`: of a module that holds more than a script needs. */
const modules: readonly { readonly path: string; readonly only?: readonly string[] }[] = [
  { path: 'common/errors', only: ['assert', 'assertNever'] },
  { path: 'common/random', only: ['hashText', 'mix32'] },
  { path: 'common/byte-range', only: ['ByteRange', 'rangeHeader', 'ContentRange', 'parseContentRange'] },
  { path: 'simulator/device/download-policy' },
  { path: 'simulator/device/permutation' },
  { path: 'simulator/device/range-plan' },
  { path: 'simulator/device/windows-policy' },
  { path: 'simulator/device/linux-agent' },
  { path: 'simulator/device/linux-policy' },
  { path: 'simulator/device/policies' },
  { path: 'simulator/world/world' },
  { path: 'simulator/export/k6/script/exported-scenario' },
  { path: 'simulator/export/k6/script/measured' },
  { path: 'simulator/export/k6/script/addresses' },
  { path: 'simulator/export/k6/script/source-request' },
  { path: 'simulator/export/k6/script/script-download' },
  { path: 'simulator/export/k6/script/script-device' },
  { path: 'simulator/export/k6/script/run-ends' },
];

export type K6Script = {
  readonly exported: ExportedScenario;
  /** By the id of their group. */
  readonly scenarios: Readonly<Record<string, K6Scenario>>;
};

/** The whole script. Throws an OperatorError when it has 1 MiB or more, which an operator could not hand out. */
export function scriptText(script: K6Script, language: ScriptLanguage): string {
  const { imports, body } = language === 'ts' ? joinedSources() : builtBody();
  const text = [
    heading(script),
    imports.join('\n'),
    fromScenario(script, language),
    body,
    entryPoints(language === 'ts'),
  ].join('\n\n');
  const bytes = Buffer.byteLength(text);
  if (bytes < scriptBytesMax) return `${text}\n`;
  throw new OperatorError(
    'SCRIPT_TOO_LARGE',
    `the script has ${bytes} bytes, and a ConfigMap takes ${scriptBytesMax}.`,
  );
}

function heading({ exported }: K6Script): string {
  const lines = [
    `${exported.name.replaceAll(/\s+/g, ' ')}, for k6.`,
    '',
    `Written by sim export k6 ${toolVersion}; docs/k6.md of that project says what differs from sim run.`,
    ...exported.notCarried.map((what) => `Not carried: ${what}`),
    ...exported.expectations.flatMap((each) =>
      'notJudged' in each ? [`Not judged: ${each.expects}: ${each.notJudged}`] : [],
    ),
  ];
  return lines.map((line) => `// ${line}`.trimEnd()).join('\n');
}

function fromScenario({ exported, scenarios }: K6Script, language: ScriptLanguage): string {
  const isTyped = language === 'ts';
  const connectionsMax = Math.max(6, ...exported.groups.map((group) => group.connectionsPerFile ?? 0));
  const isWindow = Object.values(scenarios).some((each) => each.exec === 'range');
  const options = JSON.stringify(
    {
      discardResponseBodies: true,
      // A device opens its own connections, and keeps them; in a live window they stay open between ranges.
      noVUConnectionReuse: !isWindow,
      // As many connections to a host are kept for reuse.
      batchPerHost: connectionsMax,
      summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
      scenarios,
    },
    undefined,
    2,
  );
  return [
    `const exported${isTyped ? ': ExportedScenario' : ''} = ${JSON.stringify(exported, undefined, 2)};`,
    `export const options${isTyped ? ': Options' : ''} = ${options.slice(0, -2)},\n  "thresholds": thresholdsOf(exported)\n};`,
  ].join('\n\n');
}

/** What k6 calls. */
const entryPoints = (isTyped: boolean): string => `export function setup() {
  prepare(exported);
}

export async function device() {
  await runDevice(exported);
}

export async function range() {
  await runRange(exported);
}

export function handleSummary(summary${isTyped ? ': unknown' : ''}) {
  return summaryOf(exported, summary);
}`;

/** Code without `export`, and what it imports of k6. */
type Code = { readonly imports: readonly string[]; readonly body: string };

/** What the build made of `script/main.ts`: imports on top, at the end what it exports, each on a line. */
function builtBody(): Code {
  const text = readFileSync(join(repositoryRoot, 'dist/k6/body.js'), 'utf8');
  const imports = [...text.matchAll(/^import .*;$/gm)].map(([line]) => line);
  return { imports, body: text.replaceAll(/^(?:import|export) .*;$\n?/gm, '').trim() };
}

function joinedSources(): Code {
  const parts = modules.map(({ path, only }) =>
    moduleParts(readFileSync(join(repositoryRoot, `${path}.ts`), 'utf8'), only),
  );
  const imports = ["import type { Options } from 'k6/options';", ...parts.flatMap((part) => part.imports)];
  const bodies = parts.map((part) => part.body).filter((body) => body !== '');
  return { imports: [...new Set(imports)], body: bodies.join('\n\n') };
}

/** A module's imports from k6, and the rest without any import or `export`. */
function moduleParts(text: string, only?: readonly string[]): Code {
  const imports: string[] = [];
  const body: string[] = [];
  for (const statement of topLevelStatements(text)) {
    const code = statement.replace(/^(?:\/\/.*\n|\/\*\*[\s\S]*?\*\/\n)*/, '');
    if (code.startsWith('import ')) {
      if (/from '(?:k6|k6\/[^']*)';$/.test(code)) imports.push(code);
    } else if (only === undefined || only.includes(nameOf(code) ?? '')) {
      body.push(statement.replace(/^export /m, ''));
    }
  }
  // Digits without `_`, for the same reason.
  return { imports, body: body.join('\n\n').replaceAll(/(?<=\d)_(?=\d)/g, '') };
}

/** Each with the comment above it. A statement begins at a line without indent that does not close the last one. */
function topLevelStatements(text: string): string[] {
  const statements: string[] = [];
  let isComment = false;
  for (const line of text.trimEnd().split('\n')) {
    const last = statements.length - 1;
    const begins = /^[^\s})\]]/.test(line);
    if (begins && !isComment) statements.push(line);
    else statements[last] = `${statements[last] ?? ''}\n${line}`;
    // A comment goes with what follows it, but for the one on top of a file, which an empty line ends.
    if (begins) isComment = line.startsWith('//') || line.startsWith('/**');
    else if (line === '') isComment = false;
  }
  return statements.map((statement) => statement.trimEnd()).filter((statement) => statement !== '');
}

const nameOf = (code: string): string | undefined =>
  /^(?:export )?(?:async )?(?:const|function|class|type|interface) (\w+)/.exec(code)?.[1];
