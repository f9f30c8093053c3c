// How fast content is generated and compared on one core, in chunks as sockets deliver them, over more memory than the
// processor's caches hold. Targets: 2 GB/s generated, 4 GB/s compared.

import { Buffer } from 'node:buffer';
import { ContentFunction } from '../common/content.ts';
import type { Effort, Measurement } from './measurement.ts';

const chunkBytes = 256 * 1024;
const memoryBytes = 256 * 1024 * 1024;

export async function benchContent({ quick }: Effort): Promise<Measurement[]> {
  const rounds = quick ? 3 : 7;
  const content = new ContentFunction('bench', 1);
  const memory = Buffer.allocUnsafeSlow(memoryBytes).fill(0);
  const generated: number[] = [];
  const compared: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    generated.push(timed((offset) => content.fill(memory, offset, offset, chunkBytes)));
    compared.push(
      timed((offset) => {
        if (content.firstDifference(memory, offset, offset, chunkBytes) >= 0) throw new Error('the content differs');
      }),
    );
    await new Promise(setImmediate);
  }
  return [
    { name: 'content generated: GB/s on one core', values: generated },
    { name: 'content compared: GB/s on one core', values: compared },
  ];
}

/** GB/s of calling `work` for each chunk of the memory. */
function timed(work: (offset: number) => void): number {
  const start = process.hrtime.bigint();
  for (let offset = 0; offset < memoryBytes; offset += chunkBytes) work(offset);
  return memoryBytes / Number(process.hrtime.bigint() - start);
}
