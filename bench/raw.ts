// What `sim run --raw` costs: a row by itself, and a live run: the same work with it and without, in turns. Processor time is of all processes of the
// run, node and CDN too; small files are the worst case, as most of a row's cost is the same whatever its range is.

import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { repositoryRoot } from '../common/child-program.ts';
import { CsvRows } from '../simulator/raw/csv-rows.ts';
import { ParquetRows } from '../simulator/raw/parquet-rows.ts';
import { RowFile } from '../simulator/raw/row-file.ts';
import type { RowWriter } from '../simulator/raw/row-writer.ts';
import type { Result } from '../simulator/result/result.ts';
import { RangeRows } from '../simulator/world/live/raw/range-rows.ts';
import type { RowBatch } from '../simulator/world/live/raw/row-batch.ts';
import { type Benchmark, inRounds, type Measurement, ratios } from './measurement.ts';
import { runTimed } from './timed-program.ts';
import { inWorkspace } from './workspace.ts';

/** Small ranges are replayed, so that each device asks for many on a connection. */
const cases = [
  { what: '4 KiB ranges', write: writeReplay },
  { what: '1 MiB ranges', write: writeDownloads },
];
const ways = [
  { name: 'without', file: undefined },
  { name: 'Parquet', file: 'ranges.parquet' },
  { name: 'CSV', file: 'ranges.csv' },
];
const limitSeconds = 300;

type Sample = {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly ranges: number;
  readonly generatorCpuRatio: number;
  readonly latencyMsP50: number;
  readonly fileBytes: number;
};

export const benchRaw: Benchmark = async ({ quick }) => {
  return await inWorkspace(async ({ folder }) => {
    const measurements: Measurement[] = rowCosts(folder, quick ? 1 : 5);
    for (const { what, write } of cases) {
      const scenario = write(folder, quick);
      const samples = await inRounds(ways, quick ? 1 : 5, async ({ file }) => await sampleOf(folder, scenario, file));
      const of = (name: string, value: (sample: Sample) => number): number[] => (samples.get(name) ?? []).map(value);
      for (const { name } of ways) {
        const add = (figure: string, value: (sample: Sample) => number): void => {
          measurements.push({ name: `${what}, ${name}: ${figure}`, values: of(name, value) });
        };
        add('processor of the whole run, µs a range', ({ cpuSeconds, ranges }) => (cpuSeconds * 1e6) / ranges);
        add('generator, busiest process, ratio', ({ generatorCpuRatio }) => generatorCpuRatio);
        add('a range, median, ms', ({ latencyMsP50 }) => latencyMsP50);
        add('resident, all processes, at most, MB', ({ peakBytes }) => peakBytes / 1e6);
        if (name === 'without') continue;
        const cpu = ({ cpuSeconds }: Sample): number => cpuSeconds;
        measurements.push({
          name: `${what}, ${name} ÷ without: processor`,
          values: ratios(of(name, cpu), of('without', cpu)),
        });
        add('file, bytes a range', ({ fileBytes, ranges }) => fileBytes / ranges);
      }
    }
    return measurements;
  });
};

/** By themselves: what a row costs a device process (gathered, and made a message of), and the thread that writes it. */
function rowCosts(folder: string, rounds: number): Measurement[] {
  const batches: RowBatch[] = [];
  const names = { groups: ['all'], nodes: ['hq'] };
  const [gathered, parquet, csv]: [number[], number[], number[]] = [[], [], []];
  const usPerRow = (of: number[], work: () => void): void => {
    const sinceMs = performance.now();
    work();
    of.push(((performance.now() - sinceMs) * 1000) / rowCount);
  };
  for (let round = 0; round < rounds; round += 1) {
    batches.length = 0;
    usPerRow(gathered, () => gather(batches));
    const write = (of: number[], name: string, writer: (file: RowFile) => RowWriter): void => {
      const fd = openSync(join(folder, name), 'w');
      usPerRow(of, () => {
        const rows = writer(new RowFile(fd, folder, 0));
        for (const batch of batches) rows.add(batch);
        rows.flush();
        rows.end({});
      });
      closeSync(fd);
    };
    write(parquet, 'rows.parquet', (file) => new ParquetRows(file, names));
    write(csv, 'rows.csv', (file) => new CsvRows(file, names));
  }
  return [
    { name: 'a row in its device process, µs', values: gathered },
    { name: 'a row in the thread, Parquet, µs', values: parquet },
    { name: 'a row in the thread, CSV, µs', values: csv },
  ];
}

const rowCount = 500_000;

function gather(batches: RowBatch[]): void {
  const rows = new RangeRows((batch, sent) => {
    serialize(batch); // as the channel does
    batches.push(batch);
    sent();
  });
  rows.begin(0);
  for (let i = 0; i < rowCount; i += 1) {
    const dueMs = i / 10;
    rows.add({
      device: i % 35_000,
      group: 0,
      server: 0,
      object: 'update',
      offsetBytes: (i % 2000) * 2 ** 20,
      askedBytes: 2 ** 20,
      receivedBytes: 2 ** 20,
      status: 206,
      peer: i % 2 === 0 ? '127.16.0.1:40000' : '127.16.0.1:50001',
      intendedMs: dueMs,
      sentMs: dueMs + 0.1,
      firstByteMs: dueMs + 3 + Math.random(),
      endMs: dueMs + 9,
      isComplete: true,
      outcome: 'ok',
    });
  }
  rows.end();
}

const replay = { devices: 200, requestsPerSecond: 8000, seconds: 10, rangeBytes: 4096, objectBytes: 2 ** 20 };

/** A log in the form of our own node. */
function writeReplay(folder: string, quick: boolean): string {
  const { devices, seconds, rangeBytes, objectBytes } = replay;
  const perSecond = quick ? replay.requestsPerSecond / 8 : replay.requestsPerSecond;
  const log = join(folder, 'access.log');
  const startMs = Date.UTC(2026, 10, 21);
  const lines = Array.from({ length: perSecond * seconds }, (_, i) => {
    const start = ((i * 7919) % (objectBytes / rangeBytes)) * rangeBytes;
    return JSON.stringify({
      time: new Date(startMs + (i * 1000) / perSecond).toISOString(),
      client: `10.0.0.${i % devices}`,
      method: 'GET',
      target: `/files/${i % 10}`,
      host: 'content.test',
      status: 206,
      range: `bytes=${start}-${start + rangeBytes - 1}`,
      bodyBytes: rangeBytes,
      durationMs: 1,
    });
  });
  writeFileSync(log, `${lines.join('\n')}\n`);
  return writeScenario(folder, 'fleet: [{ id: all, cacheHosts: [hq] }]\nreplay: { log: access.log, format: json }');
}

function writeDownloads(folder: string, quick: boolean): string {
  const fleet = `{ id: all, devices: ${quick ? 50 : 1000}, cacheHosts: [hq], wants: [update], arrive: { over: 2 s } }`;
  return writeScenario(folder, `content: [{ id: update, size: 20 MiB }]\nfleet: [${fleet}]`);
}

function writeScenario(folder: string, text: string): string {
  const path = join(folder, 'scenario.yaml');
  writeFileSync(path, `name: What raw data costs\nnodes: [{ id: hq }]\n${text}\n`);
  return path;
}

async function sampleOf(folder: string, scenario: string, name: string | undefined): Promise<Sample> {
  const out = join(folder, 'out');
  const file = name === undefined ? undefined : join(folder, name);
  const raw = file === undefined ? [] : ['--raw', file];
  const sim = [process.execPath, join(repositoryRoot, 'simulator/sim.js'), 'run', scenario];
  const { cpuSeconds, peakBytes } = await runTimed(
    [...sim, '--world', 'live', '--out', out, '--quiet', ...raw],
    limitSeconds,
  );
  const { runs } = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as Result;
  const metrics = runs[0]?.metrics ?? {};
  return {
    ...{ cpuSeconds, peakBytes },
    ranges: metrics['fleet.rangeCount'] ?? Number.NaN,
    generatorCpuRatio: metrics['generator.cpuRatio'] ?? Number.NaN,
    latencyMsP50: metrics['range.latencyMs.p50'] ?? Number.NaN,
    fileBytes: file === undefined ? 0 : statSync(file).size,
  };
}
