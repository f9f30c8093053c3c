// A scenario of a plan, as text: sites with so many nodes of a class, their devices dealt to the nodes, and the deadline as what is
// expected. What the plan's runs run is what it writes for `sim run`.
//
//   site, 3 nodes:   node 1 ◀── devices 1 then 2, devices 1 then 3      when node 1 fails, its devices go to the others
//                    node 2 ◀── devices 2 then 3, devices 2 then 1      in equal parts
//                    node 3 ◀── devices 3 then 1, devices 3 then 2

import { Document, isMap, isSeq } from 'yaml';
import type { PlanSpec, SiteSpec } from './plan-spec.ts';
import { quantityText } from './quantity-text.ts';

/** A kind of site with its nodes. */
export type SiteLayout = {
  readonly site: SiteSpec;
  readonly nodes: number;
  readonly classId: string;
  /** Instead of what the class sends. */
  readonly egressBytesPerMs?: number | undefined;
  /** The first node fails then, and stays away. */
  readonly killAtMs?: number | undefined;
};

/** Said about a scenario that is written for people. */
export type ScenarioHead = { readonly name: string; readonly question?: string; readonly comment?: string };

/** Nodes to which the devices of one node turn at most when it fails: as many lists of cache hosts as it has. */
const secondChoicesMax = 4;

export function planScenario(spec: PlanSpec, layouts: readonly SiteLayout[], head: ScenarioHead): string {
  const { seed, payloadBytes, deadlineMs, cdnEgressBytesPerMs, cdnLatencyMs } = spec;
  const wants = payloadBytes.map((_, index) => contentId(index, payloadBytes.length));
  const events = layouts.flatMap(({ site, killAtMs }) =>
    killAtMs === undefined ? [] : [{ at: quantityText(killAtMs, 'duration'), kill: nodeId(site, 0) }],
  );
  const document = new Document(
    given({
      name: head.name,
      question: head.question,
      source: spec.source,
      worlds: ['virtual'],
      seed,
      content: payloadBytes.map((size, index) => ({ id: wants[index], size: quantityText(size, 'bytes') })),
      cdn: given({
        egress: cdnEgressBytesPerMs === undefined ? undefined : quantityText(cdnEgressBytesPerMs, 'rate'),
        latency: quantityText(cdnLatencyMs, 'duration'),
      }),
      sites: layouts.map(({ site: { id, count, linkBytesPerMs } }) =>
        given({
          id,
          count: count === 1 ? undefined : count,
          link: linkBytesPerMs === undefined ? undefined : quantityText(linkBytesPerMs, 'rate'),
        }),
      ),
      nodes: layouts.flatMap(nodesOf),
      fleet: layouts.flatMap((layout) => groupsOf(spec, layout, wants)),
      events: events.length === 0 ? undefined : events,
      expect: [
        'devices.completedRatio == 1',
        `fleet.finishMs <= ${quantityText(deadlineMs, 'duration')}`,
        'accounting.imbalanceBytes == 0',
      ],
    }),
  );
  for (const { value } of isMap(document.contents) ? document.contents.items : []) {
    if (isMap(value)) value.flow = true;
    if (isSeq(value)) for (const item of value.items) if (isMap(item)) item.flow = true;
  }
  if (head.comment !== undefined) {
    document.commentBefore = head.comment
      .split('\n')
      .map((line) => ` ${line}`)
      .join('\n');
  }
  return document.toString({ lineWidth: 0 });
}

const contentId = (index: number, count: number): string => (count === 1 ? 'payload' : `payload-${index + 1}`);

const nodeId = ({ id }: SiteSpec, index: number): string => `${id}-${index + 1}`;

function nodesOf({ site, nodes, classId, egressBytesPerMs }: SiteLayout): object[] {
  return Array.from({ length: nodes }, (_, index) =>
    given({
      id: nodeId(site, index),
      site: site.id,
      profile: classId,
      egress: egressBytesPerMs === undefined ? undefined : quantityText(egressBytesPerMs, 'rate'),
    }),
  );
}

function groupsOf(spec: PlanSpec, { site, nodes }: SiteLayout, wants: readonly (string | undefined)[]): object[] {
  const lists = hostLists(nodes);
  const { devices, count, downlinkBytesPerMs } = site;
  return lists.flatMap((hosts, index) => {
    const share = Math.floor(devices / lists.length) + (index < devices % lists.length ? 1 : 0);
    if (share === 0) return [];
    return [
      given({
        id: groupId(site, hosts),
        site: site.id,
        devices: share * count,
        client: spec.client === 'windows' ? undefined : spec.client,
        cacheHosts: hosts.map((host) => nodeId(site, host)),
        downlink: downlinkBytesPerMs === undefined ? undefined : quantityText(downlinkBytesPerMs, 'rate'),
        wants,
        arrive: spec.arriveOverMs === 0 ? undefined : { over: quantityText(spec.arriveOverMs, 'duration') },
        policy: nodes < 2 ? undefined : policyOf(spec),
      }),
    ];
  });
}

function groupId(site: SiteSpec, [first, second]: readonly number[]): string {
  if (first === undefined) return `${site.id}-devices`;
  return second === undefined ? `${nodeId(site, first)}-devices` : `${nodeId(site, first)}-then-${second + 1}`;
}

/** Every node first in as many lists as any other, in the order in which nodes are dealt devices: first choices in turn. */
function hostLists(nodes: number): readonly (readonly number[])[] {
  if (nodes === 0) return [[]];
  const seconds = Math.max(1, Math.min(secondChoicesMax, nodes - 1));
  return Array.from({ length: seconds * nodes }, (_, index) => {
    const [first, turn] = [index % nodes, Math.floor(index / nodes)];
    const others = Array.from(
      { length: nodes - 1 },
      (_none, step) => (first + 1 + ((turn + step) % (nodes - 1))) % nodes,
    );
    return [first, ...others];
  });
}

function policyOf({ fallbackDelayMs }: PlanSpec): object | undefined {
  return fallbackDelayMs === undefined
    ? undefined
    : { fallbackDelayBackground: quantityText(fallbackDelayMs, 'duration') };
}

/** Without keys that have no value. */
function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
