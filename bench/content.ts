// How fast content is generated and compared on one core: the targets are 2 and 4 GB/s (issue 2, "The CDN").

import { Buffer } from 'node:buffer';
import { ContentFunction } from '../common/content.ts';

/** One measured figure. */
export type BenchValue = { readonly name: string; readonly value: number; readonly unit: string };

const chunkBytes = 256 * 1024;
const objectBytes = 512 * 1024 * 1024;
const runCount = 7;

/** Medians of seven runs of 512 MiB each, in chunks of 256 KiB; GB is 10^9 bytes. Takes about two seconds. */
export async function benchContent(): Promise<BenchValue[]> {
  const content = new ContentFunction('bench', 1);
  const chunk = Buffer.allocUnsafeSlow(chunkBytes);
  const generated: number[] = [];
  const compared: number[] = [];
  for (let run = 0; run <= runCount; run += 1) {
    const fill = timed((offset) => content.fill(chunk, 0, offset, chunkBytes));
    content.fill(chunk, 0, 0, chunkBytes);
    const compare = timed(() => {
      if (content.firstDifference(chunk, 0, 0, chunkBytes) >= 0) throw new Error('the chunk differs from itself');
    });
    if (run === 0) continue;
    generated.push(fill);
    compared.push(compare);
    await new Promise(setImmediate);
  }
  return [
    { name: 'content.generated', value: median(generated), unit: 'GB/s' },
    { name: 'content.compared', value: median(compared), unit: 'GB/s' },
  ];
}

/** GB/s of calling `work` for each chunk of an object. */
function timed(work: (offset: number) => void): number {
  const start = process.hrtime.bigint();
  for (let offset = 0; offset < objectBytes; offset += chunkBytes) work(offset);
  return objectBytes / Number(process.hrtime.bigint() - start);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
