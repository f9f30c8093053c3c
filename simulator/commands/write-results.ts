// The files of a result, and what is printed of it.

import { join } from 'node:path';
import { printSummary } from '../../reports/console.ts';
import { devicesCsv } from '../../reports/devices-csv.ts';
import type { DeviceRow } from '../result/device-row.ts';
import type { Result } from '../result/result.ts';
import { writeWhole } from '../result/write-whole.ts';

export type OutputOptions = { readonly devices: boolean; readonly json: boolean; readonly quiet: boolean };

/** Writes result.json, its reports and (with `devices`) devices.csv into a folder that is there; prints the result or a summary. */
export async function writeResults(
  out: string,
  result: Result,
  rows: readonly DeviceRow[],
  options: OutputOptions,
): Promise<void> {
  const json = `${JSON.stringify(result, null, 1)}\n`;
  writeWhole(join(out, 'result.json'), json);
  // Loaded after the run: nobody waits for it before.
  const { writeReports } = await import('../../reports/write-reports.ts');
  writeReports(out, result);
  if (options.devices) writeWhole(join(out, 'devices.csv'), devicesCsv(rows));
  if (options.json) process.stdout.write(json);
  else if (!options.quiet) printSummary(result, process.stdout, out);
}
