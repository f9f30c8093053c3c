// Settings of the node's operation: the summary report and who may read it, the access log, and how the node ends.

import { readFileSync } from 'node:fs';
import type { Address } from '../common/address.ts';
import { errorCode } from '../common/errors.ts';
import type { Given } from './settings-given.ts';
import * as form from './settings-values.ts';

/**
 * Who may read the summary report: `local` this machine only; `key` everybody who has the API key (IS_SUMMARY_PUBLIC);
 * `open` everybody (IS_SUMMARY_ACCESS_UNRESTRICTED).
 */
export type SummaryAccess = 'local' | 'key' | 'open';

export type OperationSettings = {
  /** Where the summary report is served beside the admin address; undefined: nowhere. */
  readonly summary: Address | undefined;
  readonly summaryAccess: SummaryAccess;
  /** What opens the summary report under `key`; undefined when there is neither a key nor a customer id. */
  readonly apiKey: string | undefined;
  /** Where each request is noted, and whether P1 to P4 of signed URLs are masked; undefined: nowhere. */
  readonly accessLog: { readonly path: string; readonly maskSignatures: boolean } | undefined;
  /** How long requests may take to finish after SIGTERM; 0 is not at all. */
  readonly drainMs: number;
};

/** The module's API key is the customer's id and this (Microsoft, "Monitor Connected Cache"). */
const apiKeySuffix = '__D0508632-1B4D-431C-9EF3-49285AF4DC1F';

export function readOperationSettings(given: Given, customerId: string | undefined): OperationSettings {
  const accessLog = given.optional('access-log', form.pathForm);
  const isUnmasked = given.switch('access-log-signatures');
  const ofCustomer = customerId === undefined ? undefined : `${customerId}${apiKeySuffix}`;
  const apiKey = readKey(given) ?? ofCustomer;
  return {
    summary: given.optional('summary', form.addressForm),
    summaryAccess: readSummaryAccess(given, apiKey !== undefined || given.has('summary-key')),
    apiKey,
    accessLog: accessLog === undefined ? undefined : { path: accessLog, maskSignatures: !isUnmasked },
    drainMs: given.required('drain', form.durationOrNoneForm) ?? 0,
  };
}

/** `@file`: from a file, so that it is not in the list of processes. */
function readKey(given: Given): string | undefined {
  return given.optional('summary-key', {
    expected: '8 to 200 characters without spaces',
    read: (text) => {
      const key = text.startsWith('@') ? contentOf(given, text.slice(1)) : text;
      // What could not be read has been told already, and the start ends.
      return key === undefined || /^[\x21-\x7e]{8,200}$/.test(key) ? (key ?? 'unreadable') : undefined;
    },
  });
}

function contentOf(given: Given, path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    given.mistakes.push(`--summary-key: expected a file that can be read, ${path}, found ${errorCode(error)}`);
    return undefined;
  }
}

function readSummaryAccess(given: Given, hasKey: boolean): SummaryAccess {
  const isPublic = given.variable('IS_SUMMARY_PUBLIC', form.booleanForm);
  const isUnrestricted = given.variable('IS_SUMMARY_ACCESS_UNRESTRICTED', form.booleanForm);
  if (isUnrestricted === true && isPublic === false) {
    given.mistakes.push(
      'IS_SUMMARY_ACCESS_UNRESTRICTED: expected False since IS_SUMMARY_PUBLIC is False, found True. Set both True to ' +
        'show the summary to everybody, or both False to keep it on this machine',
    );
  }
  const byVariables = isUnrestricted === true ? 'open' : isPublic === true ? 'key' : undefined;
  const option = given.required('summary-access', form.oneOf('local', 'key', 'open')) ?? 'local';
  const source = isUnrestricted === true ? 'IS_SUMMARY_ACCESS_UNRESTRICTED' : 'IS_SUMMARY_PUBLIC';
  const isOption = given.has('summary-access');
  if (!isOption && (isPublic ?? isUnrestricted) !== undefined) given.sources.set('summary-access', source);
  if (isOption && byVariables !== undefined && byVariables !== option) {
    given.overruled(`--summary-access ${option}`, `${source}=True`);
  }
  const access = isOption ? option : (byVariables ?? 'local');
  if (access === 'key' && !hasKey) {
    given.mistakes.push(
      isOption
        ? '--summary-key: expected a key, as --summary-access is key, found none. Set it, or CUSTOMER_ID (--customer-id)'
        : `${source}=True: expected a customer id, which the API key is made of, found none. Set CUSTOMER_ID, or ` +
            '--summary-key',
    );
  }
  return access;
}
