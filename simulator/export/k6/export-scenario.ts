// From a scenario to what a script of k6 needs of it, and a list of what it leaves out.

import { OperatorError } from '../../../common/errors.ts';
import { bitsPerSecond, formatBitsPerSecond, formatDuration } from '../../../common/units.ts';
import type { FleetGroup, Scenario } from '../../scenario/scenario.ts';
import { nearest } from '../../scenario/values.ts';
import { describeEvent } from '../../world/event-words.ts';
import { deviceCount, meanRangeBytes } from '../../world/fleet-plan.ts';
import { policySettingsOf } from '../../world/policy-settings.ts';
import { exportExpectation } from './expectations.ts';
import { shortestDurationMs } from './k6-scenarios.ts';
import type { ExportedAddress, ExportedGroup, ExportedScenario } from './script/exported-scenario.ts';

/** Where servers are, as far as the command line says: `http://host[:port]`. */
export type ExportAddresses = { readonly nodes: ReadonlyMap<string, string>; readonly cdn: string | undefined };

/** Throws an OperatorError that names all that k6 cannot carry, or every node that devices do not ask. */
export function exportScenario(scenario: Scenario, addresses: ExportAddresses): ExportedScenario {
  refuse(scenario);
  const asked = [...new Set(scenario.fleet.flatMap(({ cacheHosts }) => cacheHosts))];
  refuseUnasked(scenario, asked, addresses);
  refuseSharedVariables(asked);
  const { live } = scenario;
  const firstArrivalMs = live === undefined ? Math.min(...scenario.fleet.map(({ arrive }) => arrive.atMs)) : 0;
  const isRangesDue = live !== undefined && live.demandBytesPerMs !== 'max';
  const intervalMs =
    live === undefined || live.demandBytesPerMs === 'max'
      ? null
      : (deviceCount(scenario) * meanRangeBytes(scenario)) / live.demandBytesPerMs;
  let firstDevice = 0;
  const groups = scenario.fleet.map((group): ExportedGroup => {
    const exported = exportGroup(group, firstDevice, firstArrivalMs, live?.windowMs ?? null, intervalMs);
    firstDevice += group.devices;
    return exported;
  });
  const wanted = new Set(scenario.fleet.flatMap(({ wants }) => wants));
  return {
    name: scenario.name,
    seed: scenario.seed,
    content: Object.fromEntries(
      scenario.content
        .filter(({ id }) => wanted.has(id))
        .map(({ id, sizeBytes, host, path }) => [id, { sizeBytes, host, path }]),
    ),
    nodes: Object.fromEntries(asked.map((id) => [id, addressOfNode(scenario, id, addresses)])),
    cdn: mayAskCdn(groups) ? { variable: 'CDN', url: addresses.cdn ?? null } : null,
    groups,
    expectations: scenario.expect.map((each) => exportExpectation(each, isRangesDue)),
    notCarried: notCarried(scenario),
  };
}

function refuse({ sites, live, fleet, replay }: Scenario): void {
  const problems = [
    ...(replay === undefined ? [] : ['replay: a script of k6 cannot read a log during its run']),
    ...sites
      .filter(({ count }) => count > 1)
      .map(({ id, count }) => `sites ${id}: k6 has no ${count} copies of a site`),
    ...(live === undefined ? [] : fleet.filter(({ client }) => client === 'linux')).map(
      ({ id }) => `fleet ${id}: k6 has no live window for client linux, whose requests are whole files`,
    ),
  ];
  if (problems.length === 0) return;
  throw new OperatorError('NOT_FOR_K6', `k6 cannot carry this scenario:\n  ${problems.join('\n  ')}`);
}

function refuseUnasked(scenario: Scenario, asked: readonly string[], { nodes }: ExportAddresses): void {
  const known = scenario.nodes.map(({ id }) => id);
  for (const id of nodes.keys()) {
    if (asked.includes(id)) continue;
    const meant = nearest(id, asked);
    const found = known.includes(id) ? `${id}, which no device asks` : id;
    throw new OperatorError(
      'UNKNOWN_NODE',
      `--node ${id}=…: expected ${asked.length === 0 ? 'no --node: no device asks one' : `a node that devices ask (${asked.join(', ')})`}, found ${found}` +
        (meant === undefined ? '.' : `; did you mean ${meant}?`),
    );
  }
}

function exportGroup(
  group: FleetGroup,
  firstDevice: number,
  firstArrivalMs: number,
  windowMs: number | null,
  intervalMs: number | null,
): ExportedGroup {
  const { id, devices, client, cacheHosts, wants, connectionsPerFile, arrive } = group;
  const { fallbackDelayMs } = policySettingsOf(group);
  return {
    id,
    firstDevice,
    devices,
    client,
    cacheHosts,
    wants,
    connectionsPerFile: connectionsPerFile ?? null,
    fallbackDelayMs: fallbackDelayMs === Number.POSITIVE_INFINITY ? 'never' : (fallbackDelayMs ?? null),
    firstArrivalMs: windowMs === null ? arrive.atMs - firstArrivalMs : 0,
    windowMs,
    intervalMs,
  };
}

function addressOfNode(scenario: Scenario, id: string, { nodes }: ExportAddresses): ExportedAddress {
  const spec = scenario.nodes.find((each) => each.id === id);
  return { variable: nodeVariable(id), url: nodes.get(id) ?? spec?.url ?? null };
}

function refuseSharedVariables(ids: readonly string[]): void {
  for (const id of ids) {
    const other = ids.find((each) => each !== id && nodeVariable(each) === nodeVariable(id));
    if (other === undefined) continue;
    throw new OperatorError(
      'NOT_FOR_K6',
      `nodes ${id} and ${other}: both would be told to k6 as ${nodeVariable(id)}. Give one of them another id.`,
    );
  }
}

/** `branch-2` → `NODE_BRANCH_2`. */
export function nodeVariable(id: string): string {
  return `NODE_${id.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
}

const mayAskCdn = (groups: readonly ExportedGroup[]): boolean =>
  groups.some(({ cacheHosts, fallbackDelayMs }) => cacheHosts.length === 0 || fallbackDelayMs !== 'never');

function notCarried(scenario: Scenario): string[] {
  const { events, fleet, sites, nodes, cdn, live } = scenario;
  return [
    ...events.map(
      (event) => `event at ${formatDuration(event.atMs)}, ${describeEvent(event)}: do it by hand, or by sim run`,
    ),
    ...fleet.flatMap((group) => notCarriedOf(group)),
    ...sites.map(({ id }) => `site ${id}: the network between k6 and the servers is what it is`),
    ...nodes.flatMap(({ id, limit }) =>
      limit?.egressBytesPerMs === undefined
        ? []
        : [
            `limit of node ${id}: start it with --limit-egress "${formatBitsPerSecond(bitsPerSecond(limit.egressBytesPerMs))}"`,
          ],
    ),
    ...(cdn.egressBytesPerMs === undefined && cdn.latencyMs === 0
      ? []
      : ['egress and latency of the CDN: they are what the real one has (sim cdn has options for both)']),
    ...(live === undefined
      ? fleet.flatMap(({ id, arrive: { overMs } }) => {
          if (overMs === 0) return [];
          const how = overMs < shortestDurationMs ? 'all at once' : 'at equal distances';
          return [`arrivals at random of group ${id}: its devices arrive ${how}`];
        })
      : [
          'all devices connected at once: connections belong to virtual users, of which there are as many as the rate takes',
        ]),
  ];
}

function notCarriedOf({ id, downlink, line, policy }: FleetGroup): string[] {
  const isLimited =
    policy.maxBackgroundDownloadBytesPerMs !== undefined ||
    policy.maxForegroundDownloadBytesPerMs !== undefined ||
    policy.maxBackgroundRatio !== undefined ||
    policy.maxForegroundRatio !== undefined ||
    policy.limitedHours !== undefined;
  return [
    ...(downlink === undefined ? [] : [`downlink of group ${id}: k6 cannot limit a virtual user's rate`]),
    ...(line === undefined ? [] : [`line of group ${id}: k6 has the connections that the network gives it`]),
    ...(isLimited ? [`bandwidth policies of group ${id}: k6 cannot limit a virtual user's rate`] : []),
  ];
}
