// out/gallery/index.html: each exhibit with its question, its verdict and a small picture, which lead to its page.

import { askedHtml, signs } from '../../reports/html/answer.ts';
import { type Html, type HtmlValue, html } from '../../reports/html/html.ts';
import { pageOf } from '../../reports/html/page-frame.ts';
import { resultWords } from '../../reports/words.ts';
import type { Exhibit } from './exhibit.ts';

export type Shown = Exhibit & {
  /** The top of its page as WebP, in base64; absent without a browser. */
  readonly thumbnail?: string;
};

export function galleryPage(exhibits: readonly Shown[], tool: string): string {
  const scenarios = exhibits.filter(({ page }) => page === undefined || page === 'report.html');
  const others = exhibits.filter((each) => !scenarios.includes(each));
  return pageOf({
    title: 'Gallery of reports',
    links: [['scenarios', 'Scenarios'], ...(others.length > 0 ? [['others', 'Other pages'] as const] : [])],
    opening: html`<section aria-labelledby="question">${askedHtml({ about: 'Gallery', question: 'What the shipped scenarios come to' })}</section>`,
    rest: html`<section id="scenarios" aria-labelledby="scenarios-heading"><h2 id="scenarios-heading">${scenarios.length} scenarios</h2>
<ul class="gallery">${scenarios.map(cardHtml)}</ul></section>
${others.length === 0 ? undefined : html`<section id="others" aria-labelledby="others-heading"><h2 id="others-heading">Pages of other commands</h2><ul class="gallery">${others.map(cardHtml)}</ul></section>`}`,
    plots: {},
    source: `Made by “npm run gallery”, ${tool}; the pages lie in the folders beside this one.`,
  });
}

function cardHtml({ folder, question, name, page, note, thumbnail, ...outcome }: Shown): Html {
  const picture =
    thumbnail === undefined
      ? undefined
      : html`<img src="data:image/webp;base64,${thumbnail}" width="600" height="400" alt="" loading="lazy">`;
  const title = page === undefined ? question : html`<a href="${folder}/${page}">${question}</a>`;
  return html`<li class="card">${picture}<h3>${title}</h3>
${verdictHtml(outcome)}
<p class="hint">${[name, note].filter((text) => text !== undefined && text !== '').join(' – ')}</p></li>
`;
}

function verdictHtml({ verdict, ground, reason }: Pick<Shown, 'verdict' | 'ground' | 'reason'>): HtmlValue {
  if (verdict === undefined || ground === undefined) return reason === '' ? undefined : html`<p>${reason}</p>`;
  return html`<p><strong class="${ground}"><span aria-hidden="true">${signs[ground]}</span> ${resultWords[verdict]}</strong> ${reason}</p>`;
}
