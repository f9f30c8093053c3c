// Words of commands that people copy into a shell.

/** A word for the shell: in double quotes where that is enough (they work on Windows too). */
export function shellWord(word: string): string {
  if (/^[\w./=:-]+$/.test(word)) return word;
  return /["$`\\!]/.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : `"${word}"`;
}
