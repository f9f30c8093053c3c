// How soon a node serves that holds a million extents: from the start of its process to its ready line, to the first
// correct answer, and until its index is loaded; and what an extent costs in memory. The files of the extents exist, and
// are empty but for one. Targets: an answer within 1 s, under 500 bytes an extent.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { crc32 } from 'node:zlib';
import { extentBytes } from '../cache/protocol.ts';
import { CheckedRuns } from '../cache/store/checked-runs.ts';
import { ColdIndex } from '../cache/store/cold-index.ts';
import { DriveFiles } from '../cache/store/drive-files.ts';
import { writeSnapshot } from '../cache/store/journal.ts';
import { type EntryExtent, line } from '../cache/store/records.ts';
import { bootTime } from '../common/boot-time.ts';
import { programPath, type ReadyLine } from '../common/child-program.ts';
import type { Measurement } from './measurement.ts';

const extentCount = 1_000_000;
const rounds = 3;
const originHost = 'dl.delivery.mp.microsoft.com';
const body = Buffer.from('an answer');
const runBytes = 8 * 2 ** 20;

type Sample = {
  readonly readyMs: number;
  readonly answerMs: number;
  readonly loadedMs: number;
  readonly ownerBytes: number;
};

export async function benchIndexLoad(): Promise<Measurement[]> {
  if (process.platform !== 'linux') return [{ name: 'a million extents', skipped: 'memory is read from /proc' }];
  const origin = http.createServer((_, response) => {
    response.writeHead(200, { 'Content-Length': body.length, ETag: '"answer"' }).end(body);
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const { port } = origin.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), 'do-bench-index-'));
  const files = new DriveFiles(folder);
  try {
    files.create();
    const empty = await sample(folder, port, undefined);
    writeExtents(files);
    const results: Measurement[] = [];
    for (const perGeneration of [1, 16]) {
      const index = makeIndex(perGeneration);
      const { file, bytes } = await writeSnapshot(files.journalPath, {
        cold: index.capture(),
        lines: [line.boot(bootTime()), line.snapshotEnd],
      });
      await file.close();
      const samples: Sample[] = [];
      const hit = perGeneration === 1 ? keyOf(0) : undefined;
      for (let round = 0; round < rounds; round += 1) samples.push(await sample(folder, port, hit));
      const what = `a million extents, ${perGeneration} an object`;
      results.push(
        { name: `${what}: ready line after ms`, values: samples.map(({ readyMs }) => readyMs) },
        { name: `${what}: first right answer after ms`, values: samples.map(({ answerMs }) => answerMs) },
        { name: `${what}: loaded after ms`, values: samples.map(({ loadedMs }) => loadedMs) },
        {
          name: `${what}: memory, bytes an extent`,
          values: samples.map(({ ownerBytes }) => (ownerBytes - empty.ownerBytes) / extentCount),
        },
        { name: `${what}: journal, bytes an extent`, values: [bytes / extentCount] },
      );
    }
    return results;
  } finally {
    origin.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const keyOf = (object: number): string =>
  `${originHost}/filestreamingservice/files/${object.toString(16).padStart(8, '0')}-5b1c-4b7e-9a53-0c2f4d6e8a90`;

function makeIndex(perGeneration: number): ColdIndex {
  const index = new ColdIndex();
  const now = Date.now();
  for (let object = 0; object * perGeneration < extentCount; object += 1) {
    const extents = new Map<number, EntryExtent>();
    for (let i = 0; i < perGeneration; i += 1) {
      const runs = new CheckedRuns();
      // Whole extents, or (one an object) the short body that the first file holds.
      if (perGeneration === 1) runs.add(0, body.length, crc32(body));
      else {
        for (let at = i * extentBytes; at < (i + 1) * extentBytes; at += runBytes)
          runs.add(at, at + runBytes, (at * 2654435761 + object) >>> 0);
      }
      extents.set(i, { id: object * perGeneration + i + 1, index: i, runs, extraBlocks: 0 });
    }
    index.add({
      g: object + 1,
      key: keyOf(object),
      host: originHost,
      sizeBytes: perGeneration === 1 ? body.length : perGeneration * extentBytes,
      etag: `"${object.toString(16).padStart(40, '0')}"`,
      lastModified: 'Tue, 10 Nov 2026 18:00:00 GMT',
      fields: [
        ['Content-Type', 'application/octet-stream'],
        ['Cache-Control', 'public, max-age=172800'],
      ],
      generatedAtMs: now,
      freshUntilMs: now + 172_800_000,
      usedAtMs: now,
      isUnproven: false,
      extents,
    });
  }
  return index;
}

function writeExtents(files: DriveFiles): void {
  for (let id = 0; id < 256; id += 1) mkdirSync(join(files.extentPath(id), '..'), { recursive: true });
  for (let id = 1; id <= extentCount; id += 1) closeSync(openSync(files.extentPath(id), 'w'));
  writeFileSync(files.extentPath(1), body);
}

/** Starts a node on the drive; `hit`: the key of an object that it must have once it is loaded. */
async function sample(drive: string, originPort: number, hit: string | undefined): Promise<Sample> {
  const startMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      programPath('cache/main'),
      ...['--drive', `${drive}=100TB`, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'],
      ...['--origin', `${originHost}=127.0.0.1:${originPort}`, '--exit-with-parent'],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  try {
    const ready = await readyLine(child);
    const readyMs = performance.now() - startMs;
    const target = `/new?cacheHostOrigin=${originHost}`;
    if ((await text(`http://${ready.listen}${target}`)).text !== body.toString()) throw new Error('a wrong answer');
    const answerMs = performance.now() - startMs;
    for (;;) {
      const { loadingDriveCount } = JSON.parse((await text(`http://${ready.admin}/books`)).text) as {
        loadingDriveCount: number;
      };
      if (loadingDriveCount === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const loadedMs = performance.now() - startMs;
    const ownerBytes = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
    if (hit !== undefined) await expectHit(`http://${ready.listen}${hit.slice(hit.indexOf('/'))}`);
    return { readyMs, answerMs, loadedMs, ownerBytes };
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

async function expectHit(url: string): Promise<void> {
  const answer = await text(`${url}?cacheHostOrigin=${originHost}`);
  // The worker has to ask for it, and finds all bytes there.
  if (answer.text !== body.toString() || answer.status.includes('bypass'))
    throw new Error(`expected a hit, found ${answer.status}`);
}

async function text(url: string): Promise<{ readonly text: string; readonly status: string }> {
  const answer = await fetch(url, { headers: { Range: `bytes=0-${body.length - 1}` } });
  return { text: await answer.text(), status: answer.headers.get('cache-status') ?? '' };
}

async function readyLine(child: ChildProcess): Promise<ReadyLine> {
  if (child.stdout === null) throw new Error('the node has no output');
  const lines = createInterface({ input: child.stdout });
  const [first] = (await once(lines, 'line')) as [string];
  return JSON.parse(first) as ReadyLine;
}
