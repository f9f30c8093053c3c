// What a run is doing, in the words of its page.

import { formatBitsPerSecond, formatCount, formatDuration } from '../../common/units.ts';
import type { LiveStatus } from '../../reports/html/live-page.ts';
import { valueText } from '../../reports/value-text.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import type { VirtualProgress } from '../world/virtual/virtual-world.ts';

export const startingStatus: LiveStatus = { phase: 'starting', words: 'nothing has been measured yet', facts: [] };

export function virtualStatus({ virtualMs, doneRatio }: VirtualProgress): LiveStatus {
  const part = doneRatio > 0 ? `, ${(doneRatio * 100).toFixed(0)} % of the parts done` : '';
  return { phase: 'modelling', words: `virtual time ${formatDuration(virtualMs)}${part}`, facts: [] };
}

export function liveStatus(progress: LiveProgress): LiveStatus {
  const { phase, elapsedMs, devices, egressBitsPerSecond, hitRatioBytes, waitsFor, reading } = progress;
  if (phase === 'reading' && reading !== undefined) {
    const { doneRatio, lineCount } = reading;
    const words = `the log: ${(doneRatio * 100).toFixed(0)} %, ${formatCount(lineCount)} lines`;
    return { phase, words, facts: [] };
  }
  if (phase === 'starting') return { phase, words: 'nodes and the CDN', facts: [] };
  if (phase === 'connecting') {
    const words = waitsFor === undefined ? 'devices connect; the clock has not begun' : `waiting for ${waitsFor}`;
    return { phase, words, facts: [['connected', formatCount(devices.connected)]] };
  }
  const seconds = Math.floor(elapsedMs / 1000);
  const since = `for ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min; what stands below is preliminary`;
  return {
    phase,
    words: phase === 'finishing' ? 'the last answers and everybody’s books are gathered' : since,
    facts: [
      ['waiting', formatCount(devices.waiting + devices.connected)],
      ['downloading', formatCount(devices.downloading)],
      ['completed', formatCount(devices.completed)],
      ['gave up', formatCount(devices.failed)],
      ['now on the CDN', formatCount(devices.onCdn)],
      ['failed requests', formatCount(devices.failedRanges)],
      ['received now', formatBitsPerSecond(egressBitsPerSecond)],
      ['hit, of bytes', hitRatioBytes === undefined ? '–' : valueText(hitRatioBytes, 'ratio')],
    ],
  };
}
