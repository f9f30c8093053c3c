// The summary of a run as a terminal shows it, as a page: its letters, its colours, and nothing else.

import { printSummary } from '../../reports/console.ts';
import { html } from '../../reports/html/html.ts';
import type { Result } from '../../simulator/result/result.ts';

/** Colours of a dark terminal, by the codes that the summary uses. */
const styles: Readonly<Record<string, string>> = {
  '1': 'font-weight:700',
  '31': 'color:#ff8f86',
  '32': 'color:#74dd9a',
  '33': 'color:#f3c364',
};

export function consolePage(result: Result, out: string): string {
  let text = '';
  const terminal = {
    isTTY: true,
    hasColors: () => true,
    write: (part: string) => {
      text += part;
      return true;
    },
  };
  printSummary(result, terminal as unknown as NodeJS.WriteStream, out);
  return html`<!doctype html><html lang="en"><meta charset="utf-8"><title>Summary</title>
<body style="margin:0;background:#11161d"><pre style="margin:0;padding:14px 18px;width:max-content;color:#dde4ec;font:14px/1.32 'DejaVu Sans Mono',Menlo,Consolas,monospace">${spans(text.trim())}</pre></body></html>`
    .text;
}

/** Of every piece between two codes; a code that ends something ends all. */
function spans(text: string) {
  let style = '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the codes of a terminal begin with one
  return text.split(/(\x1b\[\d+m)/).map((part) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: likewise
    const code = /^\x1b\[(\d+)m$/.exec(part)?.[1];
    if (code === undefined) return style === '' ? html`${part}` : html`<span style="${style}">${part}</span>`;
    const wanted = styles[code];
    style = wanted === undefined ? '' : [style, wanted].filter((each) => each !== '').join(';');
    return undefined;
  });
}
