// The page as text: nothing in it is taken for HTML that is not, it asks nobody for anything, and it stays small.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { escapeHtml, html, jsonForScript } from '../../reports/html/html.ts';
import { reportPage } from '../../reports/html/report-page.ts';
import { darkTheme, lightTheme, type Theme } from '../../reports/html/theme.ts';
import type { Result } from '../../simulator/result/result.ts';
import { firstRun, longResult, resultOf, withMeasurement, withTexts } from './some-results.ts';

let failover: Result;
beforeAll(async () => {
  failover = await resultOf('failover');
});

/** The page without its style and its scripts. */
const markupOf = (page: string): string => page.replaceAll(/<(style|script)\b[^>]*>[\s\S]*?<\/\1>/g, '<$1></$1>');

/** `class: text` of each such element. */
const looksOf = (page: string, element: RegExp): string[] =>
  [...page.matchAll(element)].map(([, name = '', text = '']) => `${name}: ${text.replaceAll(/<[^>]*>/g, '')}`);

const unescaped = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

describe('HTML', () => {
  const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[<>&"'a-z/=!;#-]*$/));

  it('holds any text as it is, and none of it is a tag, an entity or the end of an attribute', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeHtml(text);
        expect(escaped).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
        expect(unescaped(escaped)).toBe(text);
        expect(html`<p title="${text}">${[text, html`${text}`]}</p>`.text).toBe(
          `<p title="${escaped}">${escaped}${escaped}</p>`,
        );
      }),
      { seed: 7 },
    );
  });

  it('in a script element is JSON that cannot end it', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyText), (value) => {
        const { text } = jsonForScript(value);
        expect(text).not.toContain('<');
        expect(JSON.parse(text)).toEqual({ ...value });
      }),
      { seed: 7 },
    );
  });
});

describe('a page', () => {
  it('of a hostile result has the same elements as of a friendly one', () => {
    const tagsOf = (page: string) => markupOf(page).match(/<\/?(?!wbr)[a-z]+/g) ?? [];
    const texts = (text: string) => tagsOf(reportPage(withTexts(withMeasurement(failover), text)));
    const friendly = texts('text');
    expect(friendly.length).toBeGreaterThan(1000);
    expect(texts('</title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>')).toEqual(friendly);
    expect(texts(`" onload='x' autofocus ${'`'}<!--${'`'} ]]> &lt;b&gt; \u2028 \0`)).toEqual(friendly);
  });

  it.each([
    { verdict: 'pass', expected: 'pass', shown: 'answer pass: ✓ PASS' },
    { verdict: 'fail', expected: 'pass', shown: 'answer fail: ✕ FAIL' },
    { verdict: 'fail', expected: 'fail', shown: 'answer note: i FAIL' },
    { verdict: 'inconclusive', expected: 'pass', shown: 'answer doubt: ? INCONCLUSIVE' },
    { verdict: 'interrupted', expected: 'fail', shown: 'answer doubt: ? INTERRUPTED' },
  ] as const)(
    'has a colour and a sign for a scenario that is to $expected: $verdict',
    ({ verdict, expected, shown }) => {
      const page = reportPage({ ...failover, verdict, scenario: { ...failover.scenario, expected } });
      expect(looksOf(page, /<p class="(answer [a-z]+)"><strong>(.*?)<\/strong>/g)).toEqual([shown]);
    },
  );

  it('has a colour and a sign for the verdict of each expectation', () => {
    const [run, verdict] = [firstRun(failover), firstRun(failover).expectations[0]];
    if (verdict === undefined) throw new Error('something that is expected');
    const verdicts = ['pass', 'fail', 'inconclusive', 'notJudged'] as const;
    const expectations = verdicts.map((each) => ({ ...verdict, verdict: each }));
    const page = reportPage({ ...failover, runs: [{ ...run, expectations }] });
    expect(looksOf(page, /<td role="cell" class="(verdict [a-z]+)">(.*?)(?:<span class="hint">.*?)?<\/td>/g)).toEqual([
      'verdict pass: ✓ pass',
      'verdict fail: ✕ FAIL',
      'verdict doubt: ? inconclusive',
      'verdict doubt: ? not judged',
    ]);
  });

  it('allows one script, by its hash, and nothing else', () => {
    const page = reportPage(failover);
    const policy = unescaped(/http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? '');
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
    expect(scripts).toHaveLength(1);
    const hash = createHash('sha256')
      .update(scripts[0] ?? '')
      .digest('base64');
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `script-src 'sha256-${hash}'`,
      "style-src 'unsafe-inline'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ]);
    // Before the policy nothing could be loaded or run.
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.search(/<(style|script|link)/));
  });

  it('names no other file and no address: links lead into the page', () => {
    const page = reportPage(withMeasurement(failover));
    const markup = markupOf(page);
    const targets = [...markup.matchAll(/\b(?:src|href|action|data|poster|srcset)="([^"]*)"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(targets.length).toBeGreaterThan(5);
    for (const target of targets) expect(target).toMatch(/^(#|data:image\/svg\+xml,)/);
    const ids = new Set([...markup.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
    for (const target of targets) if (target.startsWith('#')) expect(ids).toContain(target.slice(1));
    expect(/<style>([\s\S]*?)<\/style>/.exec(page)?.[1]).not.toMatch(/url\(|@import/);
  });

  it('has each id once, and headings whose levels do not jump', () => {
    const markup = markupOf(reportPage(withMeasurement(failover)));
    const ids = [...markup.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    const levels = [...markup.matchAll(/<h([1-6])/g)].map((match) => Number(match[1]));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    for (const [index, level] of levels.entries()) expect(level).toBeLessThanOrEqual((levels[index - 1] ?? 0) + 1);
  });

  it('says on its first screen what was asked, what came, and what limited it', () => {
    const page = markupOf(reportPage(failover));
    const first = unescaped(/<section id="answer"[\s\S]*?<\/section>/.exec(page)?.[0].replaceAll(/<[^>]*>/g, '') ?? '');
    expect(first).toContain('What happens when the node dies in mid-download and comes back?');
    expect(first).toMatch(/PASS\s+6 judged expectations hold/);
    expect(first).toMatch(/fallback\.timeMs\.max <= 10 s\s+virtual\s+20\.0 ms\s+≤ 10\.0 s\s+\+99\.8 %\s+✓ pass/);
    expect(first).toContain('cdn.egress, 10.0 Gbit/s, given');
  });

  it('of a day in seconds of twenty nodes in three runs is smaller than 3 MB', () => {
    const page = reportPage(longResult(failover, 20));
    expect(page).toContain('of 86400 steps');
    expect(Buffer.byteLength(page)).toBeLessThan(3e6);
  });

  it('of runs that were interrupted before anything came of them is a page, too', () => {
    const none = reportPage({ ...failover, verdict: 'interrupted', reason: 'interrupted before its end', runs: [] });
    expect(none).toContain('INTERRUPTED');
    const empty = { ...firstRun(failover), metrics: {}, histograms: {}, expectations: [], timeline: [], limits: [] };
    const page = reportPage({ ...failover, runs: [{ ...empty, series: { startSecond: 0, columns: {} } }] });
    expect(page).toContain('Nothing: no run came far enough.');
  });

  it('is the same for the same result', () => expect(reportPage(failover)).toBe(reportPage(failover)));
});

describe('the colours of a theme', () => {
  /** Relative luminance and contrast, by WCAG 2.2. */
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((place) => {
      const share = Number.parseInt(colour.slice(place, place + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (a: string, b: string): number => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
    return (light + 0.05) / (dark + 0.05);
  };

  it.each([
    { name: 'light', theme: lightTheme },
    { name: 'dark', theme: darkTheme },
  ])('$name: text has a contrast of 4.5 on every ground, lines one of 3', ({ theme }: { theme: Theme }) => {
    for (const ground of ['page', 'surface'] as const) {
      for (const text of ['text', 'muted', 'link', 'pass', 'fail', 'doubt', 'note'] as const) {
        expect(contrast(theme[text], theme[ground]), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
    for (const kind of ['pass', 'fail', 'doubt', 'note'] as const) {
      expect(contrast(theme[kind], theme[`${kind}-ground`]), kind).toBeGreaterThanOrEqual(4.5);
      expect(contrast(theme.text, theme[`${kind}-ground`]), kind).toBeGreaterThanOrEqual(4.5);
    }
    for (const [name, colour] of Object.entries(theme)) {
      if (name.startsWith('tone-')) expect(contrast(colour, theme.surface), name).toBeGreaterThanOrEqual(3);
    }
  });

  it('are of known contrast (the test of this test)', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
    expect(contrast('#767676', '#ffffff')).toBeCloseTo(4.54, 2);
  });
});
