// docs/node-numbers.md says what the code does: routes, metrics, fields of the summary and of the access log.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AccessRecord, accessLine } from '../../cache/access-record.ts';
import { emptyBooks } from '../../cache/books.ts';
import { metrics } from '../../cache/owner/metrics.ts';
import { SummaryReport } from '../../cache/owner/summary.ts';
import { repositoryRoot } from '../../common/child-program.ts';
import { adminJson, withSetup } from './node-process.ts';

const text = readFileSync(join(repositoryRoot, 'docs', 'node-numbers.md'), 'utf8');
const section = (heading: string): string => text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
/** What stands in back quotes in the first column of a section's first table. */
const firstColumn = (heading: string): string[] => {
  const table = /(?:^\|.*\n)+/m.exec(section(heading))?.[0] ?? '';
  const cells = table.split('\n').map((row) => row.split('|')[1] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
};
/** The section's example. */
const example = (heading: string): Record<string, unknown> =>
  JSON.parse(/```json\n(.*)\n```/.exec(section(heading))?.[1] ?? '{}') as Record<string, unknown>;

const record: AccessRecord = {
  ...{ atMs: 0, client: '', method: '', target: '', host: '', origin: '', status: 200, range: '', userAgent: '' },
  ...{ bodyBytes: 0, hitBytes: 0, missBytes: 0, outcome: 'hit', durationMs: 0, firstByteMs: 0, aborted: false },
};

describe('docs/node-numbers.md', () => {
  it('lists the metrics as they are', () => {
    const rows = metrics.map(({ name, type, labels, help }) => {
      return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
    });
    const found = section('Metrics')
      .split('\n')
      .filter((row) => row.startsWith('| `'));
    expect(found).toEqual(rows);
  });

  it('lists the routes of a node, and no other', async () => {
    await withSetup({}, async (setup) => {
      const { routes } = (await adminJson(setup.node, 'GET', '/')) as { routes: string[] };
      const listed = firstColumn('Endpoints').map((route) => route.replace(/\?.*/, ''));
      expect([...new Set(listed)].sort()).toEqual([...routes].sort());
    });
  });

  it('lists the fields of the access log in their order, and shows them', () => {
    const names = Object.keys(JSON.parse(accessLine(record, true)) as object);
    expect(firstColumn('The access log')).toEqual(names);
    expect(Object.keys(example('The access log'))).toEqual(names);
  });

  it('lists the fields of the summary report, and shows them', () => {
    const report = new SummaryReport({ name: 'n', version: '1' }, 0, 0);
    const moment = { atMs: 15_000, monotonicMs: 15_000, books: emptyBooks() };
    report.endPeriod(moment);
    const found = report.report(moment);
    const names = Object.keys({ ...found, ...found.lifetime, ...found.period });
    const explained = ['from', 'to', 'seconds']; // in the row of `period`
    expect(firstColumn('The summary report').sort()).toEqual(names.filter((name) => !explained.includes(name)).sort());
    const shown = example('The summary report');
    expect(Object.keys(shown)).toEqual(Object.keys(found));
    expect(Object.keys(shown['period'] as object)).toEqual(Object.keys(found.period ?? {}));
    expect(Object.keys(shown['lifetime'] as object)).toEqual(Object.keys(found.lifetime));
  });
});
