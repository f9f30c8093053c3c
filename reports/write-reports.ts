// The files beside result.json, for people and for CI: all are made of the result alone, so that they can be made again.

import { join } from 'node:path';
import type { Result } from '../simulator/result/result.ts';
import { writeWhole } from '../simulator/result/write-whole.ts';
import { reportPage } from './html/report-page.ts';
import { junitXml } from './junit.ts';
import { summaryMarkdown } from './summary-markdown.ts';

/** Their names, in the order in which they are written. */
export const reportFiles = ['summary.md', 'junit.xml', 'report.html'] as const;

/** Writes them into a folder that is there. Throws an OperatorError when one cannot be written. */
export function writeReports(folder: string, result: Result): void {
  // All are made before the first is written: a result that one cannot be made of leaves the old ones.
  const texts = {
    'summary.md': summaryMarkdown(result),
    'junit.xml': junitXml(result),
    'report.html': reportPage(result),
  };
  for (const name of reportFiles) writeWhole(join(folder, name), texts[name]);
}
