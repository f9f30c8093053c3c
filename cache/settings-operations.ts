// Options of the node's operation: the summary report, the access log, and how it ends.

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type Address, parseAddress } from '../common/address.ts';
import { errorCode } from '../common/errors.ts';
import { parseQuantity, quantityExamples } from '../common/units.ts';
import type { AccessLogSetting } from './access-log.ts';

/**
 * Who may read the summary report: `local` this machine only; `key` everybody who has the API key (IS_SUMMARY_PUBLIC);
 * `open` everybody (IS_SUMMARY_ACCESS_UNRESTRICTED).
 */
export type SummaryAccess = 'local' | 'key' | 'open';

export type OperationSettings = {
  /** Where the summary report is served beside the admin address; undefined: nowhere. */
  readonly summary: Address | undefined;
  readonly summaryAccess: SummaryAccess;
  /** What opens the summary report under `key`. Never logged. */
  readonly apiKey: string | undefined;
  readonly accessLog: AccessLogSetting | undefined;
  /** At SIGTERM, requests under way may finish for this long. */
  readonly drainMs: number;
};

/** The options as the command line has them. */
export type RawOperationOptions = {
  readonly summary?: string;
  readonly summaryAccess: string;
  readonly summaryKey?: string;
  readonly accessLog?: string;
  readonly accessLogSignatures: boolean;
  readonly drain: string;
};

export function addOperationOptions(command: Command): Command {
  return command
    .option('--summary <address:port>', 'where the summary report is served, beside the admin address')
    .addOption(new Option('--summary-access <who>', 'who may read it there: local, key or open').default('local'))
    .option('--summary-key <key|@file>', 'the API key that --summary-access key wants')
    .option('--access-log <file|->', 'one line of JSON for each request; opened again at SIGHUP')
    .option('--access-log-signatures', 'log the values of P1 to P4 of signed URLs as they are', false)
    .option('--drain <time>', 'how long requests under way may go on at SIGTERM; 0s ends at once', '10s');
}

/** Reads them; each mistake is told to `wrong`. */
export function readOperationSettings(
  raw: RawOperationOptions,
  wrong: (option: string, expected: string, found: string) => undefined,
): OperationSettings {
  const access = isSummaryAccess(raw.summaryAccess) ? raw.summaryAccess : undefined;
  if (access === undefined) wrong('--summary-access', 'local, key or open', raw.summaryAccess);
  const apiKey = raw.summaryKey === undefined ? undefined : readKey(raw.summaryKey, wrong);
  if (access === 'key' && raw.summaryKey === undefined) wrong('--summary-key', 'a key, as --summary-access is key', '');
  const drainMs = parseQuantity(raw.drain, 'duration');
  if (drainMs === undefined) wrong('--drain', quantityExamples.duration, raw.drain);
  return {
    summary:
      raw.summary === undefined
        ? undefined
        : (parseAddress(raw.summary) ?? wrong('--summary', 'ADDRESS:PORT such as 0.0.0.0:5000', raw.summary)),
    summaryAccess: access ?? 'local',
    apiKey,
    accessLog:
      raw.accessLog === undefined ? undefined : { path: raw.accessLog, maskSignatures: !raw.accessLogSignatures },
    drainMs: drainMs ?? 0,
  };
}

function isSummaryAccess(text: string): text is SummaryAccess {
  return text === 'local' || text === 'key' || text === 'open';
}

/** `@file`: from a file, so that it is not in the list of processes. What was given is not repeated: it is a secret. */
function readKey(
  text: string,
  wrong: (option: string, expected: string, found: string) => undefined,
): string | undefined {
  let key = text;
  if (text.startsWith('@')) {
    try {
      key = readFileSync(text.slice(1), 'utf8').trim();
    } catch (error) {
      return wrong('--summary-key', `a file that can be read, ${text.slice(1)}`, errorCode(error));
    }
  }
  return /^[\x21-\x7e]{8,200}$/.test(key)
    ? key
    : wrong('--summary-key', '8 to 200 characters without spaces', `${key.length} characters`);
}
