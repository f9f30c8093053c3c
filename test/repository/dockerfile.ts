// Dockerfiles of this repository as tests read them, and what an image holds without building it.

import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';

type Instruction = { readonly keyword: string; readonly value: string };

export type Dockerfile = {
  /** Of all instructions of that name, what follows it. */
  readonly valuesOf: (keyword: string) => readonly string[];
  /** The last one's value, a JSON list. */
  readonly list: (keyword: string) => readonly string[];
};

/** `path`: below the repository. */
export function readDockerfile(path: string): Dockerfile {
  const instructions = parse(readFileSync(join(repositoryRoot, path), 'utf8'));
  const valuesOf = (keyword: string): readonly string[] =>
    instructions.filter((each) => each.keyword === keyword).map(({ value }) => value);
  return { valuesOf, list: (keyword) => JSON.parse(valuesOf(keyword).at(-1) ?? '') as string[] };
}

/** Strict on what these ones use, so that a slip is an error and no other meaning. */
function parse(text: string): readonly Instruction[] {
  const keywords = /^(FROM|WORKDIR|COPY|RUN|USER|VOLUME|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT) +(\S.*)$/;
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [, keyword, value] = keywords.exec(line) ?? [];
      if (keyword === undefined || value === undefined) throw new Error(`no instruction: ${line}`);
      return { keyword, value };
    });
}

/** Copies from this checkout, which is built, what the last stage copies; the modules are a link. */
export function copyAsImage(path: string, folder: string): void {
  const { valuesOf } = readDockerfile(path);
  const lastStage = valuesOf('COPY').slice(valuesOf('COPY').findIndex((value) => value.startsWith('--from=build ')));
  for (const value of lastStage) {
    const words = value.replace('--from=build ', '').split(' ');
    const to = join(folder, words.at(-1) ?? '');
    for (const source of words.slice(0, -1).map((word) => word.replace('/build/', ''))) {
      const target = words.at(-1)?.endsWith('/') ? join(to, basename(source)) : to;
      mkdirSync(join(target, '..'), { recursive: true });
      if (source === 'node_modules') symlinkSync(join(repositoryRoot, source), target);
      else cpSync(join(repositoryRoot, source), target, { recursive: true });
    }
  }
}
