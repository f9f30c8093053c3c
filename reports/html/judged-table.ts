// The table of what was judged: a row for each, its verdict at the end. On a phone a row is a block, so that each cell has its
// label, and roles are written out (a browser forgets them where a table is not displayed as one).

import { type Ground, signs } from './answer.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { breakable } from './parts.ts';

export type JudgedColumn = {
  readonly head: string;
  /** Beside each of its cells on a phone; absent: the head. */
  readonly label?: string;
  readonly isNumber: boolean;
};

export type JudgedRow = {
  readonly name: string;
  /** One for each column; empty: there is nothing to say. */
  readonly cells: readonly string[];
  readonly ground: Ground;
  /** Absent: that of the ground. */
  readonly sign?: string;
  readonly words: string;
  /** Below the words. */
  readonly hint: string | undefined;
};

/** `first`: the head of the names. */
export function judgedTable(first: string, columns: readonly JudgedColumn[], rows: readonly JudgedRow[]): Html {
  const heads = [{ head: first, isNumber: false }, ...columns, { head: 'verdict', isNumber: false }];
  return html`<table class="judged" role="table"><thead role="rowgroup"><tr role="row">${heads.map(
    ({ head, isNumber }) =>
      html`<th role="columnheader" scope="col" class="${isNumber ? 'number' : undefined}">${head}</th>`,
  )}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => rowHtml(row, columns))}</tbody></table>`;
}

function rowHtml(
  { name, cells, ground, sign = signs[ground], words, hint }: JudgedRow,
  columns: readonly JudgedColumn[],
) {
  return html`<tr role="row"><th role="rowheader" scope="row"><code>${breakable(name)}</code></th>
${columns.map((column, place) => cellHtml(column, cells[place] ?? ''))}<td role="cell" class="verdict ${ground}"><span aria-hidden="true">${sign}</span> ${words}${
    hint === undefined ? undefined : html`<span class="hint">${hint}</span>`
  }</td></tr>
`;
}

function cellHtml({ head, label = head, isNumber }: JudgedColumn, text: string): HtmlValue {
  const kind = [isNumber ? 'number' : '', text === '' ? 'none' : ''].filter((each) => each !== '').join(' ');
  return html`<td role="cell" class="${kind}" data-label="${label}">${text === '' ? '–' : text}</td>
`;
}
