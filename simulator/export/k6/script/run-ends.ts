// How a run begins and ends: it refuses to start without addresses, says what k6 does not judge, and leaves one line of
// numbers that can be added up over several instances of k6.

import { fail } from 'k6';
import { addressProblems } from './addresses.ts';
import type { ExportedScenario } from './exported-scenario.ts';

/** k6 has it; its types leave it to the library `dom`. */
declare const console: { log(text: string): void };

/**
 * What must hold, as k6's thresholds. With `PODS` above 1 this is one instance of several: sums over the whole fleet are
 * then left to whoever adds up the instances.
 */
export function thresholdsOf({ expectations }: ExportedScenario): Record<string, string[]> {
  const isPart = Number(__ENV['PODS'] ?? 1) > 1;
  // A device or range that no virtual user was free for has not been run: nothing is known of the fleet then.
  const thresholds: Record<string, string[]> = { dropped_iterations: ['count==0'] };
  for (const expectation of expectations) {
    if ('notJudged' in expectation || (isPart && expectation.ofWholeFleet)) continue;
    const { metric, threshold } = expectation;
    thresholds[metric] = [...(thresholds[metric] ?? []), threshold];
  }
  return thresholds;
}

/** Before the first iteration. Stops the run when it is not known where the servers are, or a variable makes no sense. */
export function prepare(exported: ExportedScenario): void {
  const problems = [...addressProblems(exported), ...numberProblems(['PODS', 'REQUEST_TIMEOUT_MS'])];
  if (problems.length > 0) fail(`${exported.name} cannot start:\n  ${problems.join('\n  ')}`);
  for (const what of exported.notCarried) console.log(`not carried: ${what}`);
  for (const each of exported.expectations) {
    if ('notJudged' in each) console.log(`not judged: ${each.expects}: ${each.notJudged}`);
  }
}

function numberProblems(variables: readonly string[]): string[] {
  return variables.flatMap((variable) => {
    const text = __ENV[variable];
    if (text === undefined || Number(text) > 0) return [];
    return [`${variable}: expected a number above zero, found "${text}"`];
  });
}

type MetricSummary = {
  readonly type: string;
  readonly values: Readonly<Record<string, number>>;
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
};

/** k6 has two forms of its summary: metrics by name, and a list of them (`--new-machine-readable-summary`). */
function metricsOf(summary: unknown): Readonly<Record<string, MetricSummary>> {
  const { metrics, results } = summary as {
    metrics?: Record<string, MetricSummary>;
    results?: { metrics?: readonly (MetricSummary & { readonly name: string })[] };
  };
  return metrics ?? Object.fromEntries((results?.metrics ?? []).map((each) => [each.name, each]));
}

/** After the last iteration: a few lines for people, and `counts {…}` for adding up. */
export function summaryOf(exported: ExportedScenario, summary: unknown): Record<string, string> {
  const metrics = metricsOf(summary);
  const counts: Record<string, number> = {};
  const largest: Record<string, number> = {};
  for (const [name, { type, values }] of Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (type === 'counter') counts[name] = values['count'] ?? 0;
    if (type !== 'trend') continue;
    for (const statistic of ['med', 'p(99)', 'max']) largest[`${name} ${statistic}`] = values[statistic] ?? 0;
  }
  const expected = exported.expectations.map((each) => {
    if ('notJudged' in each) return `  not judged  ${each.expects}: ${each.notJudged}`;
    const ok = metrics[each.metric]?.thresholds?.[each.threshold]?.ok;
    return `  ${ok === undefined ? '          ' : ok ? 'pass      ' : 'FAIL      '}  ${each.expects}  (${each.metric} ${each.threshold})`;
  });
  const count = (name: string): string => (counts[name] ?? 0).toLocaleString('en-US');
  const devices = exported.groups.reduce((sum, group) => sum + group.devices, 0).toLocaleString('en-US');
  const lines = [
    '',
    exported.name,
    '',
    `  devices completed   ${count('devices_completed')} of ${devices}`,
    `  ranges              ${count('fleet_range_count')}, and ${count('range_failed_count')} that failed`,
    `  bytes               ${count('fleet_bytes_from_cache_server')} from cache nodes, ${count('fleet_bytes_from_cdn')} from the CDN`,
    '',
    ...expected,
    '',
    `counts ${JSON.stringify({ counts, largest })}`,
    '',
  ];
  return { stdout: lines.join('\n') };
}
