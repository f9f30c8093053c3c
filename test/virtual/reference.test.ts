import { describe, expect, it } from 'vitest';
import { type Comparison, compare, type ReferenceCase, referenceCases, scenarioOfCase } from './reference-cases.ts';
import { ReferenceFlows } from './reference-flows.ts';
import { ReferenceWorld } from './reference-world.ts';

const isTime = (metric: string): boolean => /Ms(\.|$)/.test(metric);
const percent = (ratio: number): string => `${(100 * ratio).toFixed(2)} %`;

/** A row of the table of docs/model.md: the worst of its times. */
function rowOf({ name, figures }: Comparison, { error }: ReferenceCase): string {
  const [metric, { predicted, reference, logRatio }] = [...figures]
    .filter(([each]) => isTime(each))
    .reduce((worst, each) => (Math.abs(each[1].logRatio) > Math.abs(worst[1].logRatio) ? each : worst));
  const finish = figures.get('fleet.finishMs')?.logRatio ?? Number.NaN;
  const figuresText = `${metric} | ${Math.round(predicted)} | ${Math.round(reference)} | ${percent(logRatio)}`;
  return `| ${name} | ${figuresText} | ${percent(finish)} | ${error} |`;
}

describe('the model against the piece-exact reference', () => {
  const rows: string[] = [];

  it.each(referenceCases)('$name: counts are equal, times within $within ($error)', async (one) => {
    const comparison = await compare(one);
    rows.push(rowOf(comparison, one));
    for (const [metric, { predicted, reference, logRatio }] of comparison.figures) {
      if (isTime(metric)) expect(Math.abs(logRatio), `${metric}: ${predicted}, ${reference}`).toBeLessThan(one.within);
      else expect(predicted, metric).toBe(reference);
    }
    expect(one.error === 'exact').toBe(one.within <= 0.005);
  });

  /** `ORACLE_TABLE=1 npx vitest run --project parts test/virtual/reference.test.ts` prints it. */
  it('comes to a table', () => {
    expect(rows).toHaveLength(referenceCases.length);
    if (process.env['ORACLE_TABLE'] === undefined) return;
    const head = ['case', 'worst time', 'predicted', 'reference', 'ln ratio', 'ln ratio of the end', 'why'];
    const lines = [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows];
    process.stdout.write(`${lines.join('\n')}\n`);
  });
});

describe('the reference itself', () => {
  it('shares a link evenly, and lets nothing be ahead of its source', () => {
    const flows = new ReferenceFlows();
    const [link, upstream] = [flows.addResource(10), flows.addResource(2)];
    const ends: [string, number][] = [];
    const note = (name: string) => () => ends.push([name, flows.nowMs]);
    const fetch = flows.announce(20, [upstream], undefined, note('fetch'));
    const behind = flows.announce(20, [link], fetch, note('follower'));
    const other = flows.announce(40, [link], undefined, note('other'));
    for (const transfer of [fetch, behind, other]) flows.begin(transfer);
    for (;;) {
      flows.solve();
      const nextMs = flows.nextMs();
      if (nextMs === Number.POSITIVE_INFINITY) break;
      flows.advanceTo(nextMs);
    }
    // The follower gets 2 of the link's 10, as the fetch does; the other one gets what it leaves: 8.
    expect(ends).toEqual([
      ['other', 5],
      ['fetch', 10],
      ['follower', 10],
    ]);
  });

  it('fetches each piece once, however many ask for it', () => {
    const one = referenceCases.find(({ name }) => name === 'cold: 200 devices at once, 60 pieces, WAN-bound');
    const { nodes, cdnBytes, finishMs } = new ReferenceWorld(scenarioOfCase(one as ReferenceCase)).run();
    expect(cdnBytes).toBe(60 * 2 ** 20);
    expect(nodes.get('hq')?.egressBytes).toBe(200 * 60 * 2 ** 20);
    // 1 Gbit/s carries no more.
    expect(finishMs).toBeGreaterThan((200 * 60 * 2 ** 20) / 125_000);
  });
});
