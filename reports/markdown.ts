// Texts in Markdown.

/** Fit for a cell of a table, and for a line of a list. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
