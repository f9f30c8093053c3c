// Prometheus' text format 0.0.4, read strictly and written apart from the code that is tested: what this refuses, a
// scraper may refuse or misread. (Format: https://prometheus.io/docs/instrumenting/exposition_formats/)

export type Family = {
  readonly type: string;
  readonly help: string;
  /** By the labels as they stand in the text, '' without; of a histogram, after `_bucket `, `_sum ` or `_count `. */
  readonly samples: Map<string, number>;
};

/** Reads a whole answer; throws on the first line that is not right. */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line end');
  const families = new Map<string, Family>();
  let name = '';
  let help: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const told = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/.exec(line);
    const typed = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (told !== null) {
      name = told[1] ?? '';
      help = told[2];
      if (families.has(name)) throw new Error(`${name} comes twice`);
    } else if (typed !== null) {
      if (typed[1] !== name || help === undefined) throw new Error(`TYPE without its HELP: ${line}`);
      const type = typed[2] ?? '';
      if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`a counter ends in _total: ${line}`);
      families.set(name, { type, help, samples: new Map() });
      help = undefined;
    } else readSample(line, name, families);
  }
  return families;
}

function readSample(line: string, name: string, families: Map<string, Family>): void {
  const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
  const form = new RegExp(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{(${label}(?:,${label})*)\\})? (\\S+)$`);
  const found = form.exec(line);
  if (found === null) throw new Error(`no sample: ${line}`);
  const family = families.get(name);
  const suffix = family?.type === 'histogram' ? /_(?:bucket|sum|count)$/.exec(found[1] ?? '')?.[0] : '';
  if (suffix === undefined || found[1] !== `${name}${suffix}`) {
    throw new Error(`a sample of another family than ${name}: ${line}`);
  }
  if (family === undefined) throw new Error(`a sample before its TYPE: ${line}`);
  const value = Number(found[3]);
  if (!Number.isFinite(value) || (family.type === 'counter' && value < 0)) throw new Error(`no value: ${line}`);
  const labels = `${suffix} ${found[2] ?? ''}`.trim();
  if (family.samples.has(labels)) throw new Error(`the same sample twice: ${line}`);
  family.samples.set(labels, value);
}
