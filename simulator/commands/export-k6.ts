// `sim export k6`: a scenario as a script for k6, with a manifest for its operator.

import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { formatCount } from '../../common/units.ts';
import { exportScenario } from '../export/k6/export-scenario.ts';
import { k6Scenario, virtualUsersMax } from '../export/k6/k6-scenarios.ts';
import type { ExportedScenario } from '../export/k6/script/exported-scenario.ts';
import { scriptText } from '../export/k6/script-text.ts';
import { resourceName, testRunManifest } from '../export/k6/test-run.ts';
import { makeFolder, writeWhole } from '../result/write-whole.ts';
import { loadScenario } from '../scenario/load.ts';
import { setOption } from './option-values.ts';

type ExportOptions = {
  readonly out?: string;
  readonly node?: ReadonlyMap<string, string>;
  readonly cdn?: string;
  readonly set: readonly string[];
};

/** Adds `k6` to `sim export`; it prints what was written, and what k6 leaves out. */
export function addExportK6Command(exportCommand: Command): void {
  exportCommand
    .command('k6')
    .summary('a script for k6, and a TestRun for its operator')
    .description(
      'Writes a script for k6 (TypeScript, and the same as JavaScript) that needs no other file, with ' +
        'arrivals and expectations as options of k6, and testrun.yaml for its operator. docs/k6.md says what differs ' +
        'from sim run.',
    )
    .argument('<scenario>', 'a scenario file')
    .option('--out <folder>', 'where the files go (default: out/<scenario>-k6)')
    .option('--node <id=url>', 'where a node is; may be repeated', nodeAddress)
    .option('--cdn <url>', 'where the CDN is, for devices that fall back to it', httpAddress)
    .addOption(setOption())
    .addHelpText(
      'after',
      `
Addresses are defaults: the environment of a run (NODE_<ID>, CDN) counts before them, and without any the script
refuses to start.

Examples:
  $ sim export k6 scenarios/smoke.yaml --node hq=http://192.0.2.7 --cdn http://192.0.2.8:9000
  $ k6 run out/smoke-k6/smoke.js
  $ k6 run -e NODE_HQ=http://192.0.2.9 out/smoke-k6/smoke.ts`,
    )
    .action(exportK6);
}

function exportK6(path: string, options: ExportOptions): void {
  const loaded = loadScenario(path, options.set);
  const { scenario } = loaded;
  const exported = exportScenario(scenario, { nodes: options.node ?? new Map(), cdn: options.cdn });
  const scenarios = Object.fromEntries(
    exported.groups.map((group, index) => [group.id, k6Scenario(group, scenario.fleet[index]?.arrive ?? noWait)]),
  );
  const script = { exported, scenarios };
  const texts = { ts: scriptText(script, 'ts'), js: scriptText(script, 'js') };
  const name = resourceName(fileName(path));
  const out = options.out ?? join('out', `${name}-k6`);
  makeFolder(out);
  const files = { ts: join(out, `${name}.ts`), js: join(out, `${name}.js`), testRun: join(out, 'testrun.yaml') };
  writeWhole(files.ts, texts.ts);
  writeWhole(files.js, texts.js);
  writeWhole(files.testRun, testRunManifest(exported, { name, scriptFile: `${name}.js` }));
  process.stdout.write(summary(exported, files));
}

const noWait = { atMs: 0, overMs: 0 };

type Files = { readonly ts: string; readonly js: string; readonly testRun: string };

function summary(exported: ExportedScenario, files: Files): string {
  const judged = exported.expectations.flatMap((each) =>
    'notJudged' in each ? [] : [`  ${each.expects}  →  ${each.metric} ${each.threshold}`],
  );
  const notJudged = exported.expectations.flatMap((each) =>
    'notJudged' in each ? [`  ${each.expects}: ${each.notJudged}`] : [],
  );
  const notCarried = exported.notCarried.map((what) => `  ${what}`);
  const missing = [...Object.values(exported.nodes), ...(exported.cdn === null ? [] : [exported.cdn])]
    .filter(({ url }) => url === null)
    .map(({ variable }) => ` -e ${variable}=http://…`)
    .join('');
  return [
    `Written: ${files.js}, ${files.ts}, ${files.testRun}`,
    '',
    ...section('Judged by k6', judged),
    ...section('Not judged by k6', notJudged),
    ...section('Not carried', notCarried),
    `Up to ${formatCount(virtualUsersMax(exported.groups))} virtual users at a time. To run it:`,
    `  k6 run${missing} ${files.js}`,
    '',
  ].join('\n');
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [title, ...lines, ''];

function fileName(path: string): string {
  const name = path.split(/[\\/]/).at(-1) ?? '';
  return name.replace(/\.ya?ml$/i, '') || 'scenario';
}

function nodeAddress(text: string, all: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError(`Expected id=http://host[:port]; found "${text}".`);
  return new Map([...all, [text.slice(0, equals), httpAddress(text.slice(equals + 1))]]);
}

/** Without a slash at the end. */
function httpAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare =
    url?.protocol === 'http:' && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (isBare) return url.origin;
  throw new InvalidArgumentError(`Expected http://host or http://host:port; found "${text}".`);
}
