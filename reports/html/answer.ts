// What stands first on every page: a question, and its answer in a word with a sign and a colour. A verdict looks the same on
// each of them.

import type { ExpectationVerdict } from '../../simulator/judge/judge.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import type { IntervalKind } from './plot.ts';

/** What a colour stands for; `note`: neither good nor bad. */
export type Ground = IntervalKind | 'note';

/** Beside the word, so that nothing depends on a colour. */
export const signs: Readonly<Record<Ground, string>> = { pass: '✓', fail: '✕', doubt: '?', note: 'i' };

/** Of an expectation, and of a metric that was compared. */
export const verdictGrounds: Readonly<Record<ExpectationVerdict['verdict'], IntervalKind>> = {
  pass: 'pass',
  fail: 'fail',
  inconclusive: 'doubt',
  notJudged: 'doubt',
};

export type Asked = {
  /** What it is asked of, in small letters above. */
  readonly about: string;
  readonly question: string;
};

export type Answer = {
  readonly ground: Ground;
  /** Absent: that of the ground. */
  readonly sign?: string;
  /** In a word or two. */
  readonly words: string;
  readonly reason: string;
};

/** The first section of a page; `more`: what belongs to the answer. */
export function answerSection(
  asked: Asked,
  { ground, sign = signs[ground], words, reason }: Answer,
  more: HtmlValue,
): Html {
  return html`<section id="answer" aria-labelledby="question">
${askedHtml(asked)}
<p class="answer ${ground}"><strong><span aria-hidden="true">${sign}</span> ${words}</strong> <span class="reason">${reason}</span></p>
${more}
</section>
`;
}

export function askedHtml({ about, question }: Asked): Html {
  return html`<div class="asked"><p>${about}</p><h1 id="question">${question}</h1></div>`;
}
