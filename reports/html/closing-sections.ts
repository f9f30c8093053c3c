// What a page ends with: the machines, the scenario, and how to do it again.

import { formatBytes, formatCount } from '../../common/units.ts';
import type { Result } from '../../simulator/result/result.ts';
import { keyFacts, purposeNames } from '../words.ts';
import type { Chart } from './chart.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { chartHtml, tableHtml } from './parts.ts';

/** What a manager asks, run by run. */
export function factsSection({ runs }: Result): HtmlValue {
  if (runs.length === 0) return undefined;
  const facts = runs.map((run) => new Map(keyFacts(run.metrics)));
  const names = [...new Set(facts.flatMap((each) => [...each.keys()]))];
  const table = {
    head: ['figure', ...runs.map(({ purpose }) => purposeNames[purpose])],
    rows: names.map((name) => [name, ...facts.map((each) => each.get(name) ?? '–')]),
  };
  return html`<section id="figures" aria-labelledby="figures-heading"><h2 id="figures-heading">What came of it</h2>
<div class="card">${tableHtml(table, 'Figures of each run', { isText: true })}</div></section>
`;
}

/** The numbers themselves stand beside the pictures: they are what is asked for. */
export function predictionSection(charts: readonly Chart[]): HtmlValue {
  const numbers = charts.at(-1)?.table;
  if (numbers === undefined) return undefined;
  return html`<section id="comparison" aria-labelledby="comparison-heading"><h2 id="comparison-heading">Prediction against measurement</h2>
<div class="card">${tableHtml(numbers, 'Each metric, predicted and measured')}</div>
<div class="charts">${charts.map((chart) => chartHtml(chart, true))}</div></section>
`;
}

export function machineSection(result: Result): Html {
  const { machine, tool, startedAt, seed } = result;
  const isLive = result.runs.some(({ world }) => world === 'live');
  const facts: readonly (readonly [string, string])[] = [
    ['processor', machine.cpu],
    ['cores', formatCount(machine.cores)],
    ['memory', formatBytes(machine.memoryBytes)],
    ['system', machine.os],
    ['Node', machine.node],
    ['open files, at most', machine.openFilesMax === undefined ? 'no limit' : formatCount(machine.openFilesMax)],
    ['started', startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')],
    ['made by', `${tool.name} ${tool.version}`],
    ['seed', String(seed)],
  ];
  return html`<section id="machine" aria-labelledby="machine-heading"><h2 id="machine-heading">What the machine was</h2>
<div class="card"><p class="hint">${isLive ? 'The live world ran on it.' : 'It computed the virtual world, whose machines are those of the scenario: another one comes to the same.'}</p>
<dl class="pairs">${facts.map(([what, value]) => html`<dt>${what}</dt><dd>${value}</dd>`)}</dl>
${profilesHtml(result)}</div></section>
`;
}

function profilesHtml({ profiles = {} }: Result): HtmlValue {
  const all = Object.entries(profiles);
  if (all.length === 0) return undefined;
  return all.map(
    ([id, profile]) =>
      html`<details><summary>Modelled hardware: ${id}</summary><pre tabindex="0">${JSON.stringify(profile, undefined, 1)}</pre></details>`,
  );
}

export function scenarioSection({
  scenario,
  command,
  overrides,
}: Pick<Result, 'scenario' | 'command' | 'overrides'>): Html {
  const changed = Object.entries(overrides).map(([path, value]) => `${path} = ${value}`);
  return html`<section id="scenario" aria-labelledby="scenario-heading"><h2 id="scenario-heading">The scenario, and how to run it again</h2>
<div class="card"><pre class="command" tabindex="0" aria-label="The command that repeats the run">${command}</pre>
${changed.length > 0 ? html`<p class="hint">Changed on the command line: ${changed.join('; ')}</p>` : undefined}
<details><summary>${scenario.path}</summary><pre tabindex="0" aria-label="The scenario file">${scenario.text}</pre>
<p class="hint">SHA-256 ${scenario.sha256}</p></details></div></section>
`;
}
