// The load generator beside its peers, in one run: wrk, h2load, undici, autocannon and (where installed) k6, on 1, 100 and
// 10,000 connections against one nginx with one worker, content in the page cache. Bytes of 1 MiB answers and requests of
// 4 KiB answers, both per CPU second of the client, and the memory that a connection takes. Rounds are interleaved.
//
// Leaves a table and a plot in out/bench; the plot of a run that is not `--quick` also in docs.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../common/child-program.ts';
import { type Load, type LoadSample, loads, type Work } from './generator-loads.ts';
import { plotGenerator } from './generator-plot.ts';
import { type Effort, inRounds, type Measurement, ratios, spread } from './measurement.ts';
import { missing, startNginx } from './peers.ts';
import { cpuSeconds } from './process-tree.ts';
import { inWorkspace, type Workspace } from './workspace.ts';
import { writeContent } from './written-content.ts';

const object = { objectId: 'large', path: '/large', sizeBytes: 512 * 2 ** 20 };
const connectionCounts = [1, 100, 10_000] as const;

/** What is asked for; `rate`: what counts of it. */
const kinds = [
  { what: '1 MiB', pieceBytes: 2 ** 20, unit: 'GB per CPU s', rate: ({ bytes }: LoadSample) => bytes / 1e9 },
  { what: '4 KiB', pieceBytes: 4096, unit: 'requests per CPU s', rate: ({ requests }: LoadSample) => requests },
] as const;

/** One load in one case: a figure per CPU second of each round, and most memory. */
export type Point = {
  readonly what: (typeof kinds)[number]['what'];
  readonly unit: (typeof kinds)[number]['unit'];
  readonly connections: number;
  readonly load: string;
  readonly values: readonly number[];
  readonly peakBytes: number;
};

/** Memory that a connection takes, peak of the whole process: from one connection to the most. */
export type Footprint = { readonly load: string; readonly bytesPerConnection: number };

export async function benchGenerator(effort: Effort): Promise<Measurement[]> {
  const absent = missing('nginx');
  if (absent !== undefined) return [{ name: 'load generator beside its peers', skipped: absent }];
  return await inWorkspace(async (workspace) => {
    const server = await startServer(workspace);
    const points: Point[] = [];
    const skipped: Measurement[] = [];
    const serverShares: Measurement[] = [];
    for (const kind of kinds) {
      for (const connections of connectionCounts) {
        const seconds = (effort.quick ? 1 : 3) * (connections === 10_000 ? 2 : 1);
        const work: Work = {
          ...object,
          ...{ port: server.port, pieceBytes: kind.pieceBytes, connections, seconds, folder: workspace.folder },
        };
        const able: Load[] = [];
        const where = `${kind.what}, ${connections.toLocaleString('en')} connections`;
        process.stderr.write(`  ${where}\n`);
        for (const load of loads) {
          const why = load.skips(work);
          if (why === undefined) able.push(load);
          else if (!load.name.startsWith('ours')) skipped.push({ name: `${where}: ${load.name}`, skipped: why });
        }
        const shares: number[] = [];
        const samples = await inRounds(able, effort.quick ? 1 : 3, async (load) => {
          const before = { cpu: cpuSeconds(server.pid), ms: performance.now() };
          const sample = await load.run(work);
          shares.push((cpuSeconds(server.pid) - before.cpu) / ((performance.now() - before.ms) / 1000));
          return sample;
        });
        serverShares.push({ name: `${where}: nginx, share of its one core meanwhile`, values: shares });
        for (const { name } of able) {
          const of = samples.get(name) ?? [];
          const values = of.map((sample) => kind.rate(sample) / sample.cpuSeconds);
          const peakBytes = spread(of.map((sample) => sample.peakBytes)).median;
          points.push({ what: kind.what, unit: kind.unit, connections, load: name, values, peakBytes });
        }
      }
    }
    const footprints = footprintsOf(points);
    report(points, footprints, effort);
    return [
      ...points.flatMap((point) => measurementsOf(point, points)),
      ...memoryOf(footprints),
      ...serverShares,
      ...skipped,
    ];
  });
}

/** A file open for all requests of it: 10,000 of them would be more than nginx may open. */
async function startServer(workspace: Workspace): Promise<{ readonly port: number; readonly pid: number }> {
  const { folder } = workspace;
  writeContent(join(folder, object.path), object.objectId, object.sizeBytes);
  const options = { http: 'open_file_cache max=16;', connectionsPerWorker: 16_384 };
  return workspace.keep(await startNginx(folder, `root ${folder};`, options));
}

/** A figure, and ours by each peer's of the same round. */
function measurementsOf(point: Point, points: readonly Point[]): Measurement[] {
  const where = `${point.what}, ${point.connections.toLocaleString('en')} connections`;
  const own = { name: `${where}: ${point.load}, ${point.unit}`, values: point.values };
  if (!point.load.startsWith('ours')) return [own];
  const peers = points.filter(
    ({ what, connections, load }) =>
      what === point.what && connections === point.connections && !load.startsWith('ours'),
  );
  return [
    own,
    ...peers.map((peer) => ({
      name: `${where}: ${point.load} ÷ ${peer.load}`,
      values: ratios(point.values, peer.values),
    })),
  ];
}

function footprintsOf(points: readonly Point[]): Footprint[] {
  const names = [...new Set(points.map(({ load }) => load))];
  return names.flatMap((load) => {
    const of = points.filter(
      (point) => point.load === load && point.what === (load === 'autocannon' ? '4 KiB' : '1 MiB'),
    );
    const [fewest, most] = [of[0], of.at(-1)];
    if (fewest === undefined || most === undefined || most.connections === fewest.connections) return [];
    const bytes = most.peakBytes - fewest.peakBytes;
    return [{ load, bytesPerConnection: bytes / (most.connections - fewest.connections) }];
  });
}

const memoryOf = (footprints: readonly Footprint[]): Measurement[] =>
  footprints.map(({ load, bytesPerConnection }) => ({
    name: `memory at its peak: ${load}, kB a connection`,
    values: [bytesPerConnection / 1000],
  }));

function report(points: readonly Point[], footprints: readonly Footprint[], { quick }: Effort): void {
  const folder = join(repositoryRoot, 'out', 'bench');
  mkdirSync(folder, { recursive: true });
  const plot = plotGenerator(points, footprints);
  writeFileSync(join(folder, 'generator.svg'), plot);
  if (!quick) writeFileSync(join(repositoryRoot, 'docs', 'generator.svg'), plot);
  writeFileSync(join(folder, 'generator.md'), tableOf(points, footprints));
  process.stderr.write(
    `  table and plot: ${join('out', 'bench', 'generator.{md,svg}')}${quick ? '' : ', docs/generator.svg'}\n`,
  );
}

/** A row a load, a column a case, as docs/performance.md has it. */
function tableOf(points: readonly Point[], footprints: readonly Footprint[]): string {
  const cases = kinds.flatMap(({ what, unit }) => connectionCounts.map((connections) => ({ what, unit, connections })));
  const text = (value: number): string =>
    value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
  const lines = [...new Set(points.map(({ load }) => load))].map((load) => {
    const cells = cases.map(({ what, connections }) => {
      const point = points.find((each) => each.load === load && each.what === what && each.connections === connections);
      if (point === undefined) return '–';
      const { min, median, max } = spread(point.values);
      return `${text(median)} (${text(min)}–${text(max)})`;
    });
    const footprint = footprints.find((each) => each.load === load);
    cells.push(footprint === undefined ? '–' : text(footprint.bytesPerConnection / 1000));
    return `| ${load} | ${cells.join(' | ')} |`;
  });
  const titles = cases.map(
    ({ what, unit, connections }) => `${what}, ${connections.toLocaleString('en')} connections: ${unit}`,
  );
  const head = `| | ${titles.join(' | ')} | kB a connection |\n|---|${'--:|'.repeat(cases.length + 1)}`;
  return `${head}\n${lines.join('\n')}\n`;
}
