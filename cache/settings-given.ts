// What the operator gave, on the command line and in the environment: which of them counts (the option), where each value
// came from, and every mistake, so that one start tells all of them.

import { type OptionName, optionSpecs, type RawOptions } from './settings-options.ts';
import type { Form } from './settings-values.ts';
import { misspelt, type Variables } from './settings-variables.ts';

/** Where a value came from: `default`, `--option` or a variable's name. */
export type Source = string;

/** What is not repeated in messages: they end up in logs. */
const secrets: ReadonlySet<string> = new Set(['--customer-key', 'CUSTOMER_KEY', '--summary-key']);

export class Given {
  readonly #options: RawOptions;
  readonly variables: Variables;
  readonly mistakes: string[] = [];
  readonly warnings: string[] = [];
  /** By the name of the option. */
  readonly sources = new Map<string, Source>();
  /** Whether this looks like the Connected Cache module: its drives are given by variables. */
  readonly isModule: boolean;

  constructor(options: RawOptions, environment: Readonly<Record<string, string | undefined>>) {
    this.#options = options;
    const all = options['ignore-environment'] === true ? {} : environment;
    // An empty variable is what compose files make of one that is not set.
    this.variables = new Map(
      Object.entries(all).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])),
    );
    this.isModule = [...this.variables.keys()].some((name) => /^STORAGE_[1-9]_SIZE_GB$/.test(name));
    this.mistakes.push(...misspelt(this.variables));
  }

  /** An option or its variable; undefined when neither was given, or what was given is wrong. */
  optional<T>(name: OptionName, form: Form<T>): T | undefined {
    const option = this.#options[name];
    const variable = optionSpecs.find((spec) => spec.name === name)?.variable;
    const text = variable === undefined ? undefined : this.variables.get(variable);
    // The variable is read even when the option wins: a wrong one is a mistake to be mended all the same.
    const fromVariable = variable === undefined || text === undefined ? undefined : this.read(variable, text, form);
    if (typeof option === 'string') {
      this.sources.set(name, `--${name}`);
      if (text !== undefined && variable !== undefined && text !== option) {
        if (secrets.has(variable)) this.overruled(`--${name}`, variable);
        else this.overruled(`--${name} ${option}`, `${variable}=${text}`);
      }
      return this.read(`--${name}`, option, form);
    }
    this.sources.set(name, text === undefined || variable === undefined ? 'default' : variable);
    return fromVariable;
  }

  /** The same with the option's default. A wrong value is noted, and `undefined` is what comes of it. */
  required<T>(name: OptionName, form: Form<T>): T | undefined {
    const value = this.optional(name, form);
    if (this.sources.get(name) !== 'default') return value;
    const spec = optionSpecs.find((each) => each.name === name);
    const text = (this.isModule ? spec?.byDefaultInModule : undefined) ?? spec?.byDefault ?? '';
    return form.read(text);
  }

  /** What a repeated option was given, in order. */
  list<T>(name: OptionName, form: Form<T>): readonly T[] {
    const option = this.#options[name];
    const texts = Array.isArray(option) ? (option as readonly string[]) : [];
    return texts.flatMap((text) => this.read(`--${name}`, text, form) ?? []);
  }

  switch(name: OptionName): boolean {
    const isOn = this.#options[name] === true;
    this.sources.set(name, isOn ? `--${name}` : 'default');
    return isOn;
  }

  has(name: OptionName): boolean {
    return this.#options[name] !== undefined;
  }

  variable<T>(name: string, form: Form<T>): T | undefined {
    const text = this.variables.get(name);
    return text === undefined ? undefined : this.read(name, text, form);
  }

  read<T>(where: string, text: string, form: Form<T>): T | undefined {
    const value = form.read(text.trim());
    if (value === undefined) {
      const found = secrets.has(where) ? `a secret of ${text.length} characters` : JSON.stringify(text);
      this.mistakes.push(`${where}: expected ${form.expected}, found ${found}`);
    }
    return value;
  }

  overruled(option: string, variable: string): void {
    this.warnings.push(`${option} counts, and not ${variable}: options win over variables`);
  }
}
