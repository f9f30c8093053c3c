// What differs between two sides beside what is compared, in sentences.

import { isDeepStrictEqual } from 'node:util';
import { type Side, settingsOf, settingsText } from './side.ts';

/** What a reader must know to take the difference for what it is. */
export function differenceNotes(base: Side, candidate: Side): string[] {
  const notes: string[] = [];
  const [one, other] = [base.results[0], candidate.results[0]];
  if (one === undefined || other === undefined) return notes;
  if (!isDeepStrictEqual(settingsOf(one), settingsOf(other))) {
    notes.push(
      `settings differ: base --set ${settingsText(settingsOf(one))}; candidate --set ${settingsText(settingsOf(other))}`,
    );
  }
  if (one.tool.version !== other.tool.version) {
    notes.push(`versions differ: base ${one.tool.version}, candidate ${other.tool.version}`);
  }
  for (const key of ['cpu', 'cores', 'memoryBytes', 'os', 'node'] as const) {
    if (one.machine[key] === other.machine[key]) continue;
    notes.push(`machines differ, ${key}: base ${one.machine[key]}, candidate ${other.machine[key]}`);
  }
  for (const [side, { label, leftOut }] of [
    ['base', base],
    ['candidate', candidate],
  ] as const) {
    if (leftOut.length > 0) notes.push(`left out of the ${side} ${label}: ${leftOut.join('; ')}`);
  }
  return notes;
}
