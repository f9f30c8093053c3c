// One run in a page: its events, charts, nodes and groups, what went wrong, what a reader must know, and every metric.

import { formatDuration } from '../../common/units.ts';
import { findMetric } from '../../simulator/result/metrics.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { metricText, processColumns, processRows, purposeWords, shownNotes } from '../words.ts';
import type { Chart, Table } from './chart.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { chartHtml, linesHtml, tableHtml } from './parts.ts';

export function runSection(run: Run, { runs }: Result, charts: readonly Chart[]): Html {
  return html`<section id="${run.purpose}" aria-labelledby="${run.purpose}-heading">
<h2 id="${run.purpose}-heading">${purposeWords[run.purpose]}</h2>
${eventsHtml(run)}
${chartsHtml(run, charts)}
${scopedHtml(run, 'node', 'Nodes', nodeColumns)}
${scopedHtml(run, 'group', 'Groups of devices', groupColumns)}
${processesHtml(run)}
${linesHtml('What went wrong on the way', run.problems)}
${linesHtml('Assumptions and notes', shownNotes(run, runs))}
${metricsHtml(run)}
</section>
`;
}

/** Those of a prediction are folded: they are for whoever looks for why it was off. */
function chartsHtml({ purpose }: Run, charts: readonly Chart[]): Html {
  const shown = html`<div class="charts">${charts.map((chart, index) => chartHtml(chart, index === 0))}</div>`;
  if (purpose !== 'prediction') return shown;
  return html`<details class="part"><summary>Its ${charts.length} charts</summary>${shown}</details>`;
}

function eventsHtml({ timeline, purpose }: Run): HtmlValue {
  if (timeline.length === 0) return undefined;
  const items = timeline.map(({ atMs, what }) => html`<li>${formatDuration(atMs)}: ${what}</li>`);
  const title = purpose === 'prediction' ? 'Events' : 'Events, by their numbers in the charts';
  return html`<div class="card"><h3>${title}</h3><ol class="events">${items}</ol></div>`;
}

type Column = readonly [head: string, metric: string];

const nodeColumns: readonly Column[] = [
  ['requests', 'requestCount'],
  ['sent', 'egressBytes'],
  ['of it hit', 'hitBytes'],
  ['of it miss', 'missBytes'],
  ['fetched', 'upstreamBytes'],
  ['hit, of bytes', 'hitRatioBytes'],
  ['hit, of requests', 'hitRatioRequests'],
  ['sustained', 'egressBitsPerSecond.sustained'],
  ['mean', 'egressBitsPerSecond.mean'],
  ['peak', 'egressBitsPerSecond.peak'],
  ['processor time', 'cpuMs'],
];

const groupColumns: readonly Column[] = [
  ['devices', 'devices.count'],
  ['completed', 'devices.completedCount'],
  ['gave up', 'devices.failedCount'],
  ['median time', 'devices.completionMs.p50'],
  ['slowest', 'devices.completionMs.max'],
  ['finished after', 'fleet.finishMs'],
  ['from cache nodes', 'fleet.bytesFromCacheServer'],
  ['from the CDN', 'fleet.bytesFromCdn'],
];

/** What a scenario has more of is in result.json. */
const rowsMax = 500;

/** A row for each node or group, a column for each metric that any of them has. */
function scopedHtml(run: Run, scope: 'node' | 'group', title: string, columns: readonly Column[]): HtmlValue {
  const table = scopedTable(run, scope, columns);
  if (table.rows.length === 0) return undefined;
  const left = table.rows.length - rowsMax;
  const reasons = [...new Set(Object.entries(run.unavailable).flatMap(([name, why]) => reasonOf(name, why, scope)))];
  return html`<div class="card"><h3>${title}</h3>${tableHtml({ ...table, rows: table.rows.slice(0, rowsMax) }, title, { isTall: table.rows.length > 12 })}
${left > 0 ? html`<p class="hint">${left} more are in result.json.</p>` : undefined}
${table.rows.some((row) => row.includes('–')) ? reasons.map((why) => html`<p class="hint">${why}</p>`) : undefined}</div>`;
}

export function scopedTable(run: Run, scope: 'node' | 'group', columns: readonly Column[]): Table {
  const pattern = new RegExp(`^${scope}\\.([^.]+)\\.`);
  const names = [...Object.keys(run.metrics), ...Object.keys(run.unavailable)];
  const ids = [...new Set(names.flatMap((name) => pattern.exec(name)?.[1] ?? []))];
  const shown = columns.filter(([, metric]) => ids.some((id) => run.metrics[`${scope}.${id}.${metric}`] !== undefined));
  return {
    head: [scope, ...shown.map(([head]) => head)],
    rows: ids.map((id) => [
      id,
      ...shown.map(([, metric]) => {
        const name = `${scope}.${id}.${metric}`;
        const value = run.metrics[name];
        return value === undefined ? '–' : metricText(name, value);
      }),
    ]),
  };
}

function reasonOf(name: string, why: string, scope: string): string[] {
  const match = new RegExp(`^${scope}\\.([^.]+)\\.(.+)$`).exec(name);
  return match === null ? [] : [`– ${match[1]}, ${match[2]}: ${why}.`];
}

/** Who took how much of the machine. */
function processesHtml(run: Run): HtmlValue {
  const rows = processRows(run).slice(0, rowsMax);
  if (rows.length === 0) return undefined;
  const table = tableHtml({ head: processColumns, rows }, 'Processes on this machine', { isTall: rows.length > 12 });
  return html`<div class="card"><h3>Processes on this machine</h3>${table}</div>`;
}

/** Everything that was measured, and what was not, with the reason. */
function metricsHtml({ metrics, unavailable, purpose }: Run): Html {
  const measured = Object.entries(metrics).map(([name, value]) => [
    name,
    metricText(name, value),
    findMetric(name)?.meaning ?? '',
  ]);
  const absent = Object.entries(unavailable).map(([name, why]) => [name, '–', why]);
  const table = {
    head: ['metric', 'value', 'meaning, or why it is absent'],
    rows: [...measured, ...absent].slice(0, 2000),
  };
  return html`<details class="part"><summary>All ${measured.length} metrics, and why ${absent.length} were not measured</summary>${tableHtml(
    table,
    `All metrics of the ${purpose}`,
    { isTall: true, isText: true },
  )}</details>`;
}
