// The files of a sweep, beside its journal.

import { join } from 'node:path';
import type { Sweep } from '../result/sweep.ts';
import { writeWhole } from '../result/write-whole.ts';

/** Into a folder that is there. */
export async function writeSweep(out: string, sweep: Sweep): Promise<void> {
  writeWhole(join(out, 'sweep.json'), `${JSON.stringify(sweep, null, 1)}\n`);
  // Loaded after the runs: nobody waits for them before.
  const { sweepCsv } = await import('../../reports/sweep-csv.ts');
  const { sweepMarkdown } = await import('../../reports/sweep-markdown.ts');
  const { sweepPage } = await import('../../reports/html/sweep-page.ts');
  writeWhole(join(out, 'sweep.csv'), sweepCsv(sweep));
  writeWhole(join(out, 'sweep.md'), sweepMarkdown(sweep));
  writeWhole(join(out, 'sweep.html'), sweepPage(sweep));
}
