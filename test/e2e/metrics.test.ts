// `sim run --metrics`: real runs, scraped over HTTP while they go on and at their end. What is told is read by a strict parser that
// was written apart, and where they are installed by Prometheus' own promtool and a real Prometheus.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { type Family, parsePrometheus } from '../cache/prometheus-text.ts';
import { runsLongTests } from '../long-tests.ts';
import { eventually, SimRun } from './sim-run.ts';

const name = 'Scraped: "a" \\ b';

/** Two nodes, devices that go to the CDN, a node that is killed and comes again. */
const scenario = `
name: '${name}'
seed: 5
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq }, { id: cell, parent: hq }]
fleet:
  - { id: office, devices: 40, cacheHosts: [cell, hq], wants: [update], arrive: { over: 4 s } }
  - { id: straight, devices: 5, wants: [update], arrive: { over: 4 s } }
events: [{ at: 1 s, kill: cell }, { at: 1500 ms, restart: cell }]
expect: [devices.completedRatio == 1]
`;

/** Debian's package prometheus has both. */
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const hasPrometheus = hasPromtool && spawnSync('prometheus', ['--version']).status === 0;

type Scrape = { readonly text: string; readonly families: ReadonlyMap<string, Family> };

async function scrape(url: string): Promise<Scrape> {
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  return { text, families: parsePrometheus(text) };
}

/** Where a run is scraped. */
async function urlOf(run: SimRun): Promise<string> {
  const line = /The numbers of this run are at (http\S+)\/metrics/;
  await run.says(line);
  return line.exec(run.stderr)?.[1] ?? '';
}

/** `labels`: beside that of the scenario, as they stand in the text. */
function told({ families }: Scrape, metric: string, labels = '', of = name): number | undefined {
  const text = `scenario="${of.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const family = families.get(metric) ?? families.get(metric.replace(/_(bucket|sum|count)$/, ''));
  const suffix = family?.type === 'histogram' ? (/_(bucket|sum|count)$/.exec(metric)?.[0] ?? '') : '';
  return family?.samples.get(`${suffix} ${[text, ...(labels === '' ? [] : [labels])].join(',')}`.trim());
}

const isFinished = (found: Scrape): boolean => told(found, 'do_run_phase', 'phase="finished"') === 1;

/** Sockets that ask again and again, and never read. */
async function deafScrapers(url: string): Promise<readonly Socket[]> {
  return await Promise.all(
    Array.from({ length: 4 }, async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
      socket.on('error', () => undefined); // the run has ended
      await once(socket, 'connect');
      socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(200));
      return socket;
    }),
  );
}

type Target = { readonly targets: readonly [string]; readonly labels: Readonly<Record<string, string>> };

/** Scrapes run and nodes until the run has finished. */
async function follow(
  url: string,
): Promise<{ readonly own: Scrape[]; readonly nodes: Map<string, Scrape[]>; readonly refused: string[] }> {
  const own: Scrape[] = [];
  const nodes = new Map<string, Scrape[]>();
  const refused: string[] = [];
  while (own.length === 0 || !own.slice(-1).every(isFinished)) {
    const targets = (await (await fetch(`${url}/targets`)).json()) as Target[];
    for (const {
      targets: [host],
      labels,
    } of targets) {
      const answer = await fetch(`http://${host}${labels['__metrics_path__']}`);
      const text = await answer.text();
      const node = labels['node'] ?? '';
      expect(labels['scenario']).toBe(name);
      if (answer.status !== 200) refused.push(text);
      else nodes.set(node, [...(nodes.get(node) ?? []), { text, families: parsePrometheus(text) }]);
    }
    own.push(await scrape(`${url}/metrics`));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { own, nodes, refused };
}

/** Each sample of a counter or histogram that is below what it was before. */
function falls(scrapes: readonly Scrape[]): string[] {
  const before = new Map<string, number>();
  return scrapes.flatMap(({ families }) =>
    [...families].flatMap(([metric, { type, samples }]) =>
      [...samples].flatMap(([labels, value]) => {
        const key = `${metric} ${labels}`;
        const last = before.get(key) ?? 0;
        before.set(key, value);
        return type !== 'gauge' && value < last ? [`${key}: ${value} after ${last}`] : [];
      }),
    ),
  );
}

type Dashboard = {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
};
const dashboard = JSON.parse(readFileSync(join(repositoryRoot, 'docs/grafana/run.json'), 'utf8')) as Dashboard;
/** What the dashboard asks, with Grafana's variables filled in. */
const queries = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...dashboard.annotations.list].map(
  ({ expr }) => expr.replaceAll('$__rate_interval', '2s').replaceAll('$scenario', '.*'),
);

const timeout = 60_000;

describe.concurrent('sim run --metrics', { timeout }, () => {
  test('tells the run and its nodes while it goes on, and at its end what result.json says', async () => {
    const run = new SimRun(scenario, { options: ['--metrics', '0', '--metrics-linger', '30s'] });
    const url = await urlOf(run);
    const deaf = await deafScrapers(url);
    const { own, nodes, refused } = await follow(url);
    expect(await run.exitCode()).toBe(0);
    for (const socket of deaf) socket.destroy();

    expect(falls(own)).toEqual([]);
    const [first] = own;
    const last = own.at(-1);
    if (first === undefined || last === undefined) throw new Error('nothing was scraped');
    // Counters are there before anything has happened, and grow on the way: nothing, something, all.
    const received = own.map((each) => told(each, 'do_run_received_bytes_total', 'group="office",source="cache"'));
    expect(received[0]).toBe(0);
    expect(new Set(received).size).toBeGreaterThan(2);

    const metrics = run.metrics('measurement');
    for (const [metric, labels, result, factor = 1] of [
      ['do_run_received_bytes_total', 'group="office",source="cache"', 'group.office.fleet.bytesFromCacheServer'],
      ['do_run_received_bytes_total', 'group="office",source="cdn"', 'group.office.fleet.bytesFromCdn'],
      ['do_run_received_bytes_total', 'group="straight",source="cdn"', 'group.straight.fleet.bytesFromCdn'],
      ['do_run_ranges_total', 'group="office"', 'group.office.fleet.rangeCount'],
      ['do_run_ranges_total', 'group="straight"', 'group.straight.fleet.rangeCount'],
      ['do_run_devices_completed_total', 'group="office"', 'group.office.devices.completedCount'],
      ['do_run_ranges_failed_total', '', 'range.failedCount'],
      ['do_run_verified_bytes_total', '', 'integrity.verifiedBytes'],
      ['do_run_node_egress_bytes_total', 'node="hq",source="hit"', 'node.hq.hitBytes'],
      ['do_run_node_egress_bytes_total', 'node="hq",source="miss"', 'node.hq.missBytes'],
      ['do_run_node_requests_total', 'node="hq"', 'node.hq.requestCount'],
      ['do_run_node_cpu_seconds_total', 'node="hq"', 'node.hq.cpuMs', 0.001],
      ['do_run_cdn_egress_bytes_total', '', 'cdn.egressBytes'],
      ['do_run_cdn_requests_total', '', 'cdn.requestCount'],
      ['do_run_generator_cpu_seconds_total', '', 'generator.cpuMs', 0.001],
      ['do_run_imbalance_bytes', '', 'accounting.imbalanceBytes'],
    ] as const) {
      expect(told(last, metric, labels), `${metric} ${labels}`).toBe((metrics[result] ?? Number.NaN) * factor);
    }
    expect(told(last, 'do_run_events_total')).toBe(2);
    expect(told(last, 'do_run_range_latency_seconds_count')).toBe(metrics['fleet.rangeCount']);
    expect(told(last, 'do_run_range_latency_seconds_bucket', 'le="+Inf"')).toBe(metrics['fleet.rangeCount']);
    expect(told(last, 'do_run_device_completion_seconds_count', 'group="office"')).toBe(40);
    const slowest = (metrics['range.latencyMs.max'] ?? 0) / 1000;
    for (const bound of [0.001, 0.01, 0.1, 1, 10, 60]) {
      const count = told(last, 'do_run_range_latency_seconds_bucket', `le="${bound}"`) ?? -1;
      expect(count === metrics['fleet.rangeCount'], `all within ${bound} s`).toBe(bound >= slowest);
    }

    // Of the nodes: the one that lived tells what the run tells of it; the other one was not there for a while.
    expect([...nodes.keys()].sort()).toEqual(['cell', 'hq']);
    expect(falls(nodes.get('hq') ?? [])).toEqual([]);
    const hits = nodes.get('hq')?.at(-1)?.families.get('do_node_egress_bytes_total')?.samples.get('source="hit"');
    expect(hits).toBe(metrics['node.hq.hitBytes']);
    expect(new Set(refused)).toContain('Node cell is not running.\n');

    // The dashboard asks for nothing that is not told.
    const known = new Set([...last.families.keys(), ...(nodes.get('hq')?.at(-1)?.families.keys() ?? [])]);
    const definitions = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    const asked = [...queries, ...definitions].flatMap((query) => query.match(/\bdo_(?:run|node)_\w+/g) ?? []);
    expect(asked.length).toBeGreaterThan(queries.length);
    expect(asked.map((metric) => metric.replace(/_bucket$/, '')).filter((metric) => !known.has(metric))).toEqual([]);
    for (const { text } of [last, ...(nodes.get('hq')?.slice(-1) ?? [])]) {
      if (hasPromtool) expect(promtool(['check', 'metrics'], text)).toBe('');
    }
  });

  test.skipIf(!runsLongTests)('tells the numbers of all shards where the environment is', async () => {
    const words = ['--role', 'environment', '--listen', '127.0.0.1:0', '--metrics', '0', '--metrics-linger', '30s'];
    const environment = new SimRun(scenario.replace(/^events.*$/m, ''), { options: words });
    const url = await urlOf(environment);
    const found = /Shards find this environment at (\S+)/;
    await environment.says(found);
    const at = found.exec(environment.stderr)?.[1] ?? '';
    const shards = ['0/2', '1/2'].map(
      (shard) => new SimRun(scenario.replace(/^events.*$/m, ''), { options: ['--shard', shard, '--environment', at] }),
    );
    const { own } = await follow(url);
    for (const each of [environment, ...shards]) expect(await each.exitCode()).toBe(0);
    const ranges = own.map((each) => told(each, 'do_run_ranges_total', 'group="office"'));
    expect(ranges.at(-1)).toBe(environment.metrics()['group.office.fleet.rangeCount']);
    expect(new Set(ranges).size).toBeGreaterThan(2);
    expect(falls(own)).toEqual([]);
  });

  test('ends before anything is started when its port is taken, and says so', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const run = new SimRun(scenario, { options: ['--metrics', String(port)] });
    expect(await run.exitCode()).toBe(3);
    taken.close();
    expect(run.stderr).toBe(
      `--metrics 127.0.0.1:${port}: expected an address of this machine that is free, found EADDRINUSE. Choose another one; port 0 takes any.\n`,
    );
    expect(run.wroteResult()).toBe(false);
  });

  test.skipIf(!hasPromtool)('is asked by a dashboard and a configuration that promtool takes', () => {
    expect(promtool(['check', 'config', join(repositoryRoot, 'docs/grafana/prometheus.yml')])).toContain('SUCCESS');
    const folder = mkdtempSync(join(tmpdir(), 'sim-rules-'));
    const rules = queries.map((expr, index) => ({ record: `q${index}`, expr }));
    writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(promtool(['check', 'rules', join(folder, 'rules.yml')])).toContain(`SUCCESS: ${rules.length} rules found`);
    rmSync(folder, { recursive: true });
  });

  test.skipIf(!hasPrometheus)(
    'is scraped by Prometheus as documented, and answers every question of the dashboard',
    async () => {
      // Prometheus takes up to 5 s to follow what its discovery finds.
      const slow = scenario.replaceAll('over: 4 s', 'over: 8 s');
      const run = new SimRun(slow, { options: ['--metrics', '0', '--metrics-linger', '30s'] });
      const host = (await urlOf(run)).replace('http://', '');
      const folder = mkdtempSync(join(tmpdir(), 'sim-prometheus-'));
      const documented = readFileSync(join(repositoryRoot, 'docs/grafana/prometheus.yml'), 'utf8');
      const config = documented.replaceAll('127.0.0.1:9464', host).replaceAll(/(interval:) 2s/g, '$1 300ms');
      writeFileSync(join(folder, 'prometheus.yml'), config);
      const prometheus = spawn('prometheus', [
        ...['--config.file', join(folder, 'prometheus.yml'), '--storage.tsdb.path', join(folder, 'data')],
        ...['--web.listen-address', '127.0.0.1:0'],
      ]);
      try {
        let log = '';
        let silent: readonly string[] = queries;
        prometheus.stderr.on('data', (chunk: Buffer) => {
          log += chunk.toString();
        });
        const port = await eventually('Prometheus', () => /127\.0\.0\.1:(\d\d+)/.exec(log)?.[1]);
        expect(await run.exitCode()).toBe(0);
        const ask = async (query: string): Promise<readonly unknown[]> => {
          const words = new URLSearchParams({ query: `last_over_time((${query})[20s:300ms])` });
          const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?${words}`);
          return ((await answer.json()) as { readonly data: { readonly result: readonly unknown[] } }).data.result;
        };
        // What is shown when something goes wrong is silent when nothing does, or did before Prometheus came.
        const certain = queries.filter((query) => !/do_node_upstream_errors_total|> 0$/.test(query));
        expect(certain.length).toBeGreaterThan(25);
        await eventually('an answer to each question', async () => {
          const answers = await Promise.all(certain.map(ask));
          silent = certain.filter((_, index) => answers[index]?.length === 0);
          return silent.length === 0 ? true : undefined;
        }).catch(() => undefined);
        expect(silent).toEqual([]);
      } finally {
        prometheus.kill('SIGKILL');
        await once(prometheus, 'close');
        rmSync(folder, { recursive: true });
      }
    },
  );
});

/** All that promtool says, which is nothing when it has nothing to find fault with. */
function promtool(words: readonly string[], input = ''): string {
  const { stdout, stderr } = spawnSync('promtool', words, { input, encoding: 'utf8' });
  return stdout + stderr;
}
