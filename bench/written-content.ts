// Files for origins to serve.

import { closeSync, openSync, writeSync } from 'node:fs';
import { ContentFunction } from '../common/content.ts';

/** Writes the content of an object, as everything that verifies expects it. */
export function writeContent(file: string, objectId: string, sizeBytes: number): void {
  const descriptor = openSync(file, 'w');
  const content = new ContentFunction(objectId, 1);
  const block = Buffer.allocUnsafe(2 ** 20);
  for (let offset = 0; offset < sizeBytes; offset += block.length) {
    const bytes = Math.min(block.length, sizeBytes - offset);
    content.fill(block, 0, offset, bytes);
    writeSync(descriptor, block, 0, bytes);
  }
  closeSync(descriptor);
}
