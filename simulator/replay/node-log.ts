// The access log of our own node: a JSON object a line (docs/node-numbers.md, "The access log").

import { z } from 'zod';
import type { LineParser, LogRecord, UnusableReason } from './log-record.ts';

const bytes = z.number().int().nonnegative();

/** The fields that a replay needs; the log may have more. */
const lineSchema = z.object({
  time: z.string(),
  client: z.string().min(1),
  method: z.string(),
  target: z.string(),
  origin: z.string().optional(),
  status: z.number().int().nonnegative(),
  range: z.string().optional(),
  bodyBytes: bytes,
  hitBytes: bytes.optional(),
  durationMs: z.number().nonnegative().optional(),
  userAgent: z.string().optional(),
  aborted: z.boolean().optional(),
});

/** Reads a line of the node's log. */
export const parseNodeLine: LineParser = (text) => {
  const line = read(text);
  if (line === undefined) return 'format';
  const timeMs = Date.parse(line.time);
  if (Number.isNaN(timeMs)) return 'time' satisfies UnusableReason;
  const record: LogRecord = {
    client: line.client,
    userAgent: line.userAgent,
    timeMs,
    resolutionMs: 1,
    timeIs: 'begin',
    durationMs: line.durationMs,
    method: line.method,
    target: line.target,
    host: line.origin,
    status: line.status,
    bodyBytes: line.bodyBytes,
    range: line.range,
    contentRange: undefined,
    isAborted: line.aborted === true,
    hitBytes: line.hitBytes,
  };
  return record;
};

function read(text: string): z.output<typeof lineSchema> | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not JSON
  }
}
