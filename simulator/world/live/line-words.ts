// The lines of a scenario in words, for whoever reads a result: what was given, not what was found.

import { formatBitsPerSecond, formatBytes, formatDuration } from '../../../common/units.ts';
import type { LineSpec, Scenario } from '../../scenario/scenario.ts';

/** A note for each group with a line: `line of field (given): 40.0 ms each way, 0.1 % of segments lost`. */
export function lineNotes({ fleet }: Scenario): string[] {
  return fleet.flatMap(({ id, line }) => (line === undefined ? [] : [`line of ${id} (given): ${lineText(line)}`]));
}

function lineText(line: LineSpec): string {
  const { latencyMs, lossRatio, rateBytesPerMs } = line;
  const parts: string[] = [];
  if (line.by === 'kernel') {
    if (latencyMs > 0) parts.push(`${formatDuration(latencyMs)} each way`);
    if (lossRatio > 0) parts.push(`${percent(lossRatio)} of packets lost each way`);
    if (rateBytesPerMs !== undefined) parts.push(`${formatBitsPerSecond(rateBytesPerMs * 8000)} for all its devices`);
    return `${parts.join(', ')}, by the kernel`;
  }
  const { resetAfterBytes, resetRatio, halfOpenAfterBytes } = line;
  if (latencyMs > 0) parts.push(`${formatDuration(latencyMs)} each way`);
  if (lossRatio > 0) parts.push(`${percent(lossRatio)} of segments lost`);
  if (rateBytesPerMs !== undefined) parts.push(`${formatBitsPerSecond(rateBytesPerMs * 8000)} a connection`);
  if (resetAfterBytes !== undefined) parts.push(`connections reset after ${formatBytes(resetAfterBytes)}`);
  if (resetRatio > 0) parts.push(`${percent(resetRatio)} of requests reset`);
  if (halfOpenAfterBytes !== undefined) parts.push(`connections half open after ${formatBytes(halfOpenAfterBytes)}`);
  return parts.join(', ');
}

const percent = (ratio: number): string => `${Number((ratio * 100).toPrecision(3))} %`;
