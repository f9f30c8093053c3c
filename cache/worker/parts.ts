// Which parts of an object an answer consists of, and how several of them are framed (multipart/byteranges, RFC 9110,
// 14.6 and 15.3.7.2).

import { randomBytes } from 'node:crypto';
import { type ByteRange, contentRangeHeader, type RangeSpec, resolveRange } from '../../common/byte-range.ts';

/** More ranges than this, or ranges that overlap, are answered by the whole: they cost more than they save. */
export const partsMax = 8;

/** The parts that are asked for; undefined is the whole object. */
export function selectParts(
  specs: readonly RangeSpec[] | undefined,
  sizeBytes: number,
): readonly ByteRange[] | 'unsatisfiable' | undefined {
  if (specs === undefined) return undefined;
  const parts = specs.flatMap((spec) => resolveRange(spec, sizeBytes) ?? []);
  if (parts.length === 0) return 'unsatisfiable';
  return specs.length > partsMax || doOverlap(parts) ? undefined : parts;
}

function doOverlap(parts: readonly ByteRange[]): boolean {
  const inOrder = [...parts].sort((a, b) => a.start - b.start);
  return inOrder.some((part, i) => part.start < (inOrder[i - 1]?.end ?? 0));
}

/** The text around the parts of one answer; its length in bytes is that of its characters. */
export type Framing = {
  readonly contentType: string;
  /** What comes before each part. */
  readonly before: readonly string[];
  readonly after: string;
  /** The body, framing included. */
  readonly lengthBytes: number;
};

/** Frames two parts or more. `contentType` is the object's own; undefined: it has none. */
export function frame(parts: readonly ByteRange[], sizeBytes: number, contentType: string | undefined): Framing {
  const boundary = randomBytes(12).toString('hex');
  const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
  const before = parts.map(
    (part) => `\r\n--${boundary}\r\n${type}Content-Range: ${contentRangeHeader(part, sizeBytes)}\r\n\r\n`,
  );
  const after = `\r\n--${boundary}--\r\n`;
  const lengthBytes =
    after.length + parts.reduce((sum, part, i) => sum + (before[i]?.length ?? 0) + part.end - part.start, 0);
  return { contentType: `multipart/byteranges; boundary=${boundary}`, before, after, lengthBytes };
}
