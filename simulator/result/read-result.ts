// Reads a result.json that somebody has kept, copied or edited: either it is whole and of this form, or it is said what is
// wrong with it.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errorCode, exitCodes, OperatorError } from '../../common/errors.ts';
import { type Result, resultSchema } from './result.ts';
import { resultForm } from './result-schema.ts';

/** What is shown of many mistakes. */
const mistakesMax = 5;

/**
 * `path`: a result.json, or the folder that holds one. Throws an OperatorError (exit code 2) when it cannot be read, is no
 * JSON, of another version or form, or contradicts itself. Returns where it was, too.
 */
export function readResult(path: string): { readonly result: Result; readonly file: string } {
  const file = resultFile(path);
  const result = parseResult(readText(file), file);
  const mistakes = contradictions(result);
  if (mistakes.length > 0)
    throw badResult(file, mistakes, 'It was edited: take the original, or run the scenario again');
  return { result, file };
}

function resultFile(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, 'result.json') : path;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const message = `${file}: expected a result.json of sim run, or its folder, found that it cannot be read (${errorCode(error)}).`;
    throw new OperatorError('CANNOT_READ_RESULT', message, exitCodes.badInput);
  }
}

/** Checks the form. `file`: its name in messages. */
export function parseResult(text: string, file: string): Result {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const isCut = text.trimStart().startsWith('{') && !text.trimEnd().endsWith('}');
    const found = text.trim() === '' ? 'an empty file' : isCut ? 'a file that was cut off' : 'something else';
    const detail = error instanceof Error ? ` (${error.message})` : '';
    throw badResult(file, [`expected JSON, found ${found}${detail}`], 'Copy it again, or run the scenario again');
  }
  const version = z.object({ schema: z.unknown() }).safeParse(parsed);
  if (!version.success || version.data.schema === undefined) {
    throw badResult(
      file,
      ['expected a result of sim run (an object with "schema"), found other JSON'],
      'Name a result.json',
    );
  }
  if (version.data.schema !== resultSchema) {
    const found = JSON.stringify(version.data.schema);
    const mistake = `schema: expected ${resultSchema}, the version that this sim reads, found ${found}`;
    throw badResult(file, [mistake], 'Use the version of sim that wrote it, or run the scenario again');
  }
  const checked = resultForm.safeParse(parsed);
  if (checked.success) return checked.data;
  const mistakes = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'result'}: ${message}`);
  throw badResult(file, mistakes, 'It was edited, or written by another version: run the scenario again');
}

/** What a result says twice must be the same both times. */
function contradictions({ scenario, runs }: Result): readonly string[] {
  const mistakes: string[] = [];
  const sha256 = createHash('sha256').update(scenario.text).digest('hex');
  if (sha256 !== scenario.sha256) {
    mistakes.push(`scenario.sha256: expected ${sha256}, that of scenario.text, found ${scenario.sha256}`);
  }
  for (const [place, { metrics, expectations }] of runs.entries()) {
    for (const { text, metric, actual } of expectations) {
      if (actual === undefined || metrics[metric] === actual) continue;
      mistakes.push(
        `runs.${place}.expectations, ${text}: expected actual ${metrics[metric]}, as ${metric} is, found ${actual}`,
      );
    }
    for (const name of Object.keys(metrics)) {
      const id = /^node\.([^.]+)\.egressBytes$/.exec(name)?.[1];
      const [hit, miss] = [metrics[`node.${id}.hitBytes`], metrics[`node.${id}.missBytes`]];
      if (id === undefined || hit === undefined || miss === undefined || hit + miss === metrics[name]) continue;
      mistakes.push(
        `runs.${place}.metrics.${name}: expected ${hit + miss}, hitBytes + missBytes, found ${metrics[name]}`,
      );
    }
  }
  return mistakes;
}

function badResult(file: string, mistakes: readonly string[], advice: string): OperatorError {
  const shown = mistakes.slice(0, mistakesMax).map((mistake) => `${file}: ${mistake}.`);
  const more = mistakes.length - shown.length;
  const lines = [...shown, ...(more > 0 ? [`${file}: and ${more} more.`] : []), `${advice}.`];
  return new OperatorError('BAD_RESULT', lines.join('\n'), exitCodes.badInput);
}
