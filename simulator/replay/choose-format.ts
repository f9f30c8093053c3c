// Which format a log has: as the scenario says, or as its first line looks.

import type { ReplaySpec } from '../scenario/replay-spec.ts';
import { combinedFormat, compileLogFormat } from './log-format.ts';
import { badLog, LogFile, type LogLine } from './log-lines.ts';
import { type LineParser, unusableReasons } from './log-record.ts';
import { parseNodeLine } from './node-log.ts';

/** How the lines of a log are read. */
export type ChosenFormat = {
  /** For people: `JSON lines of the node`, `nginx combined`, `nginx log_format`. */
  readonly name: string;
  readonly parse: LineParser;
};

/** Bytes of a line that a message shows. */
const shownLength = 120;

/** The format of a scenario's log; `auto` is decided by the first line that has text. */
export function chooseFormat(format: ReplaySpec['format'], firstLine: string): ChosenFormat {
  const isJson = format === 'json' || (format === 'auto' && firstLine.startsWith('{'));
  if (isJson) return { name: 'JSON lines of the node', parse: parseNodeLine };
  const isCombined = format === 'auto' || format === 'combined';
  const compiled = compileLogFormat(isCombined ? combinedFormat : format);
  if (compiled.kind === 'problem') throw badLog('replay.format', `expected ${compiled.expected}`);
  return { name: isCombined ? 'nginx combined' : 'nginx log_format', parse: compiled.parse };
}

/** What `sim validate` says of a log. */
export type LogGlance = { readonly formatName: string; readonly firstTimeMs: number };

/**
 * Looks at a log's first chunk. Throws an OperatorError (BAD_LOG) when there is no such file, or none of these lines can
 * be read, with the first of them.
 */
export async function glanceAtLog(replay: ReplaySpec): Promise<LogGlance> {
  const file = await LogFile.open(replay.log);
  try {
    for await (const lines of file.batches()) {
      const first = lines.find(({ text }) => text !== '');
      if (first === undefined) continue;
      const format = chooseFormat(replay.format, first.text);
      for (const { text } of lines) {
        const record = format.parse(text);
        if (typeof record !== 'string') return { formatName: format.name, firstTimeMs: record.timeMs };
      }
      throw unreadable(replay, format, first);
    }
  } finally {
    await file.close();
  }
  throw badLog(replay.log, 'expected at least one line, found an empty file');
}

/** A line that is not what it should be, with what to do about it. */
export function unreadable({ log, format }: ReplaySpec, { name, parse }: ChosenFormat, line: LogLine): Error {
  const record = parse(line.text);
  const why = line.flaw ?? (typeof record === 'string' ? record : 'format');
  const what = `${log}:${line.number}: expected a line of ${name}, found ${shownLine(line.text)}`;
  const todo = format === 'auto' || format === 'combined' ? ' Name its log_format by replay.format.' : '';
  return badLog('replay.log', `${what} (${unusableReasons[why]}).${todo}`);
}

/** The beginning of a line, without what a terminal would act upon. */
export function shownLine(text: string): string {
  const shown = text.slice(0, shownLength).replaceAll(/[^ -~]/g, '.');
  return `"${shown}"${text.length > shownLength ? '…' : ''}`;
}
