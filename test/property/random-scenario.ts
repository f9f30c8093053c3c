// Random scenarios for the virtual world, as documents that the loader takes: what a document must not say (a node out of
// reach, a restart of a node that runs) is left out where it would come, so that nothing has to be thrown away.

import fc from 'fast-check';
import { parseScenario } from '../../simulator/scenario/load.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';

type Keys = Readonly<Record<string, unknown>>;
export type ScenarioDocument = {
  readonly seed: number;
  readonly content: readonly (Keys & { readonly id: string })[];
  readonly cdn: Keys;
  readonly sites: readonly (Keys & { readonly id: string; readonly count: number; readonly parent?: string })[];
  readonly nodes: readonly (Keys & { readonly id: string; readonly site?: string; readonly parent?: string })[];
  readonly fleet: readonly (Keys & { readonly id: string; readonly devices: number; readonly wants: string[] })[];
  readonly events: readonly Keys[];
};

export type Hazards = {
  /** Nodes, links and the CDN fail, content and policies change. */
  readonly events: boolean;
  readonly clients: readonly ('windows' | 'linux')[];
  /** Each group has a site and a node of its own, and nothing limits the CDN: nothing couples them. */
  readonly isolated?: boolean;
  /** Nothing takes a time of its own: no latencies, hours, policies or profiles; and every device has a downlink. */
  readonly timeless?: boolean;
};

/** JSON is YAML. */
export function scenarioOfDocument(document: ScenarioDocument): Scenario {
  const text = JSON.stringify({ name: 'Random', worlds: ['virtual'], ...document }, undefined, 1);
  return parseScenario(text, 'random.yaml').scenario;
}

const maybe = <Value>(of: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(of, { nil: undefined, freq: 2 });
const without = (keys: Keys): Keys =>
  Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));

/** 10 to 1000 Mbit/s, in whole Mbit/s, small ones as likely as large ones: nobody gets so little that clients give up. */
const rate = fc.integer({ min: 100, max: 300 }).map((step) => `${Math.round(10 ** (step / 100))} Mbit/s`);
/** What a link is narrowed to: down to 10 kbit/s. */
const narrowRate = fc.integer({ min: 100, max: 600 }).map((step) => `${Math.round(10 ** (step / 100))} kbit/s`);
const duration = (maxMs: number) => fc.integer({ min: 0, max: maxMs }).map((ms) => `${ms} ms`);
const drives = fc.array(
  fc.integer({ min: 1, max: 400 }).map((mb) => `${mb} MB`),
  { minLength: 1, maxLength: 3 },
);
/** From a byte to 120 MiB, often on a piece's edge. */
const size = fc.oneof(
  fc.integer({ min: 1, max: 3_000_000 }),
  fc.tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: -1, max: 1 })).map(([mib, by]) => mib * 2 ** 20 + by),
);
const profile = fc.constantFrom('branch-enterprise', 'medium-enterprise-2025', 'isp-edge', undefined, undefined);

const siteKeys = fc.record({ link: maybe(rate), count: fc.integer({ min: 1, max: 4 }), parent: fc.nat(3) });
const nodeKeys = fc.record({
  profile,
  egress: maybe(rate),
  wan: maybe(rate),
  drives: maybe(drives),
  memory: maybe(fc.integer({ min: 1, max: 200 }).map((mb) => `${mb} MB`)),
  limit: maybe(rate.map((egress) => ({ egress }))),
  site: fc.nat(3),
  parent: fc.nat(3),
});
const share = fc.integer({ min: 20, max: 100 }).map((percent) => percent / 100);
const timeOfDay = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
const policyKeys = fc.record(
  {
    priority: fc.constantFrom('foreground', 'background'),
    fallbackDelayBackground: fc.oneof(duration(120_000), fc.constant('never')),
    fallbackDelayForeground: fc.oneof(duration(120_000), fc.constant('never')),
    maxBackgroundDownload: rate,
    maxForegroundDownload: rate,
    maxBackgroundRatio: share,
    maxForegroundRatio: share,
    limitedHours: fc
      .record({ from: timeOfDay, to: timeOfDay, insideRatio: share, outsideRatio: share })
      .map((hours) => (hours.from === hours.to ? { ...hours, to: hours.from === '12:00' ? '13:00' : '12:00' } : hours)),
  },
  { requiredKeys: [] },
);
const groupKeys = (hazards: Hazards) =>
  fc.record({
    devices: fc.integer({ min: 1, max: 30 }),
    client: fc.constantFrom(...hazards.clients),
    site: fc.nat(4),
    cacheHosts: fc.array(fc.nat(3), { maxLength: 3 }),
    downlink: maybe(fc.oneof(rate, fc.constant({ from: '3 Mbit/s', to: '300 Mbit/s' }))),
    wants: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }),
    arrive: fc.record({ at: duration(60_000), over: fc.oneof(fc.constant('0 s'), duration(60_000)) }),
    policy: policyKeys,
    connectionsPerFile: maybe(fc.integer({ min: 1, max: 16 })),
  });
const faultKeys = fc.oneof(
  fc.constantFrom(...[404, 429, 500, 503].map((status) => ({ status }))),
  fc.constantFrom({ stall: true }, { reset: true, after: '64 KiB' }, { shortBody: true }, { wrongContentRange: true }),
  duration(5000).map((delay) => ({ delay: delay === '0 ms' ? '1 ms' : delay })),
);
const eventKeys = fc.record({
  at: fc.integer({ min: 0, max: 180_000 }),
  kind: fc.constantFrom(...(['node', 'link', 'drive', 'cdn', 'version', 'policy'] as const)),
  subject: fc.nat(9),
  choice: fc.nat(9),
  to: narrowRate,
  forMs: maybe(fc.integer({ min: 1, max: 90_000 })),
  fault: faultKeys,
  content: maybe(fc.nat(2)),
  policy: policyKeys,
});
type EventKeys = typeof eventKeys extends fc.Arbitrary<infer Value> ? Value : never;
type GroupKeys = ReturnType<typeof groupKeys> extends fc.Arbitrary<infer Value> ? Value : never;

export function randomDocument(hazards: Hazards): fc.Arbitrary<ScenarioDocument> {
  return fc
    .record({
      seed: fc.nat(1_000_000),
      sizes: fc.array(size, { minLength: 1, maxLength: 3 }),
      cdn: fc.record({ egress: maybe(rate), latency: maybe(duration(300)) }).map(without),
      sites: fc.array(siteKeys, { maxLength: 3 }),
      nodes: fc.array(nodeKeys, { maxLength: 3 }),
      fleet: fc.array(groupKeys(hazards), { minLength: 1, maxLength: 3 }),
      events: hazards.events ? fc.array(eventKeys, { maxLength: 6 }) : fc.constant([]),
    })
    .map((drawn) => documentOf(drawn))
    .map((document) => (hazards.isolated === true ? isolated(document) : document))
    .map((document) => (hazards.timeless === true ? timeless(document) : document));
}

type Drawn = {
  readonly seed: number;
  readonly sizes: readonly number[];
  readonly cdn: Keys;
  readonly sites: readonly (typeof siteKeys extends fc.Arbitrary<infer Value> ? Value : never)[];
  readonly nodes: readonly (typeof nodeKeys extends fc.Arbitrary<infer Value> ? Value : never)[];
  readonly fleet: readonly GroupKeys[];
  readonly events: readonly EventKeys[];
};

function documentOf({ seed, sizes, cdn, sites, nodes, fleet, events }: Drawn): ScenarioDocument {
  const content = sizes.map((bytes, i) => ({ id: `c${i}`, size: `${bytes} B` }));
  const places = sites.map((keys, i) => place(keys, i));
  const machines: ScenarioDocument['nodes'][number][] = [];
  for (const keys of nodes) machines.push(machine(keys, machines, places));
  const groups = fleet.map((keys, i) => group(keys, i, content.length, machines, places));
  const happenings = course(events, { content, machines, places, groups });
  return { seed, content, cdn, sites: places, nodes: machines, fleet: groups, events: happenings };
}

function isolated({ nodes, fleet, cdn, ...rest }: ScenarioDocument): ScenarioDocument {
  return {
    ...rest,
    cdn: without({ ...cdn, egress: undefined }),
    sites: fleet.map(({ id }, i) => ({ id: `s-${id}`, count: 1 + (i % 2), link: '200 Mbit/s' })),
    nodes: fleet.map(({ id }, i) => ({
      ...without({ ...nodes[i], parent: undefined }),
      id: `n-${id}`,
      site: `s-${id}`,
    })),
    fleet: fleet.map((keys) => ({ ...keys, site: `s-${keys.id}`, cacheHosts: [`n-${keys.id}`] })),
  };
}

function timeless({ nodes, fleet, cdn, ...rest }: ScenarioDocument): ScenarioDocument {
  return {
    ...rest,
    cdn: without({ ...cdn, latency: undefined }),
    nodes: nodes.map((keys) => ({ ...without({ ...keys, profile: undefined }), id: keys.id })),
    fleet: fleet.map((keys) => ({ ...keys, policy: {}, downlink: keys['downlink'] ?? '80 Mbit/s' })),
  };
}

type Sites = ScenarioDocument['sites'];

function place({ link, count, parent }: { link: string | undefined; count: number; parent: number }, i: number) {
  return { id: `s${i}`, count, ...without({ link, parent: parent < i ? `s${parent}` : undefined }) };
}

/** Whether somebody at `site` can tell the copy of a node at `nodeSite`. */
function reaches(site: string | undefined, nodeSite: string | undefined, sites: Sites): boolean {
  const spec = sites.find(({ id }) => id === nodeSite);
  if (spec === undefined || spec.count === 1) return true;
  for (let at = site; at !== undefined; at = sites.find(({ id }) => id === at)?.parent)
    if (at === nodeSite) return true;
  return false;
}

function machine(keys: Keys & { site: number; parent: number }, before: ScenarioDocument['nodes'], sites: Sites) {
  const site = sites[keys.site]?.id;
  const above = before[keys.parent];
  const parent = above !== undefined && reaches(site, above.site, sites) ? above.id : undefined;
  return { id: `n${before.length}`, ...without({ ...keys, site, parent }) };
}

function group(keys: GroupKeys, i: number, contents: number, nodes: ScenarioDocument['nodes'], sites: Sites) {
  const site = sites[keys.site]?.id;
  const hosts = keys.cacheHosts.flatMap((index) => {
    const node = nodes[index];
    return node !== undefined && reaches(site, node.site, sites) ? [node.id] : [];
  });
  const wants = [...new Set(keys.wants.map((want) => `c${want % contents}`))];
  const policy = policyFor(keys.policy, keys.downlink);
  return {
    ...without({ ...keys, site }),
    id: `g${i}`,
    devices: keys.devices,
    cacheHosts: [...new Set(hosts)],
    wants,
    policy,
  };
}

/** Shares need a downlink. */
function policyFor(policy: Keys, downlink: unknown): Keys {
  if (downlink !== undefined) return policy;
  const shares = ['maxBackgroundRatio', 'maxForegroundRatio', 'limitedHours'];
  return Object.fromEntries(Object.entries(policy).filter(([key]) => !shares.includes(key)));
}

type Parts = {
  readonly content: ScenarioDocument['content'];
  readonly machines: ScenarioDocument['nodes'];
  readonly places: Sites;
  readonly groups: ScenarioDocument['fleet'];
};

/** Events in the order of their times, each one that can be then. */
function course(drawn: readonly EventKeys[], parts: Parts): Keys[] {
  const states = new Map<string, string>();
  const narrowedUntil = new Map<string, number>();
  return [...drawn]
    .sort((a, b) => a.at - b.at)
    .flatMap((keys) => {
      const action = actionOf(keys, parts, states, narrowedUntil);
      return action === undefined ? [] : [{ at: `${keys.at} ms`, ...action }];
    });
}

const nodeSteps: Readonly<Record<string, readonly string[]>> = {
  running: ['kill', 'freeze', 'drain'],
  killed: ['restart'],
  drained: ['restart'],
  frozen: ['thaw', 'kill'],
};
const stateAfter: Readonly<Record<string, string>> = {
  kill: 'killed',
  freeze: 'frozen',
  drain: 'drained',
  restart: 'running',
  thaw: 'running',
};

function actionOf(
  keys: EventKeys,
  { content, machines, places, groups }: Parts,
  states: Map<string, string>,
  narrowedUntil: Map<string, number>,
): Keys | undefined {
  const { at, subject, choice } = keys;
  const node = machines[subject % Math.max(1, machines.length)];
  switch (keys.kind) {
    case 'node': {
      if (node === undefined) return undefined;
      const steps = nodeSteps[states.get(node.id) ?? 'running'] ?? [];
      const step = steps[choice % steps.length] as string;
      states.set(node.id, stateAfter[step] as string);
      return { [step]: node.id };
    }
    case 'drive': {
      if (node === undefined) return undefined;
      const key = `${node.id}.drives`;
      const drives = node['drives'] as readonly unknown[] | undefined;
      const left = Number(states.get(key) ?? drives?.length ?? (node['profile'] === undefined ? 0 : 1));
      if (left === 0) return undefined;
      states.set(key, String(left - 1));
      return { loseDrive: node.id };
    }
    case 'link': {
      const links = [...machines.map(({ id }) => `${id}.wan`), ...places.map(({ id }) => `${id}.link`)];
      const link = links[subject % Math.max(1, links.length)];
      if (link === undefined) return undefined;
      if (states.get(link) === 'narrowed' && (narrowedUntil.get(link) ?? 0) <= at) states.delete(link);
      const state = states.get(link);
      if (state === 'cut' || (state === 'narrowed' && choice < 5)) {
        states.delete(link);
        return { join: link };
      }
      if (choice % 2 === 0) {
        states.set(link, 'cut');
        return { cut: link };
      }
      if (state === 'narrowed') return undefined;
      states.set(link, 'narrowed');
      narrowedUntil.set(link, at + (keys.forMs ?? Number.POSITIVE_INFINITY));
      return { narrow: without({ link, to: keys.to, for: keys.forMs === undefined ? undefined : `${keys.forMs} ms` }) };
    }
    case 'cdn': {
      const only = keys.content === undefined ? undefined : content[keys.content]?.id;
      const forMs = keys.forMs === undefined ? undefined : `${keys.forMs} ms`;
      return { cdn: without({ ...keys.fault, for: forMs, content: only }) };
    }
    case 'version':
      return { version: content[subject % content.length]?.id };
    case 'policy': {
      const group = groups[subject % groups.length];
      const policy = policyFor(keys.policy, group?.['downlink']);
      return Object.keys(policy).length === 0 ? undefined : { policy: { group: group?.id, ...policy } };
    }
  }
}
