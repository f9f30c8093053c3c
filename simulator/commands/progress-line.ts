// The course of a run on standard error: one line, redrawn on a terminal; elsewhere a line every ten seconds.

import { formatBitsPerSecond, formatCount, formatDuration } from '../../common/units.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import type { VirtualProgress } from '../world/virtual/virtual-world.ts';

const plainIntervalMs = 10_000;

export class ProgressLine {
  #stream: NodeJS.WriteStream | undefined;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #phase = '';
  #isOpen = false;

  /** Without a stream nothing is shown. */
  constructor(stream: NodeJS.WriteStream | undefined) {
    this.#stream = stream;
    // A reader that has gone ("sim run … 2>&1 | head -1") does not end the run.
    stream?.on('error', () => {
      this.#stream = undefined;
    });
  }

  show(progress: LiveProgress): void {
    this.showLine(progressText(progress), progress.phase);
  }

  showVirtual({ virtualMs, doneRatio }: VirtualProgress): void {
    const part = doneRatio > 0 ? `, ${(doneRatio * 100).toFixed(0)} % of the parts done` : '';
    this.showLine(`virtual time ${formatDuration(virtualMs)}${part}`, 'virtual');
  }

  /** Without a terminal, a line of another phase is shown at once. */
  showLine(line: string, phase: string): void {
    if (this.#stream === undefined) return;
    if (this.#stream.isTTY) {
      this.#stream.write(`\r${line.slice(0, (this.#stream.columns || 80) - 1)}\x1b[K`);
      this.#isOpen = true;
      return;
    }
    const nowMs = performance.now();
    if (phase === this.#phase && nowMs - this.#shownAtMs < plainIntervalMs) return;
    this.#phase = phase;
    this.#shownAtMs = nowMs;
    this.#stream.write(`${line}\n`);
  }

  /** Takes the line away: what follows starts on a clean one. */
  end(): void {
    if (this.#isOpen) this.#stream?.write('\r\x1b[K');
    this.#isOpen = false;
  }
}

export function progressText(progress: LiveProgress): string {
  const { phase, elapsedMs, devices, egressBitsPerSecond, hitRatioBytes, waitsFor, reading } = progress;
  if (reading !== undefined) {
    return `reading the log  ${(reading.doneRatio * 100).toFixed(0)} %  ${formatCount(reading.lineCount)} lines`;
  }
  const seconds = Math.floor(elapsedMs / 1000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  if (phase === 'starting') return 'starting';
  if (phase === 'connecting' && waitsFor !== undefined) return `waiting for ${waitsFor}`;
  if (phase === 'connecting') return `connecting  ${formatCount(devices.connected)} devices`;
  const parts = [
    `${phase} ${clock}`,
    `waiting ${formatCount(devices.waiting + devices.connected)}`,
    `downloading ${formatCount(devices.downloading)}`,
    `done ${formatCount(devices.completed)}`,
    `on CDN ${formatCount(devices.onCdn)}`,
    formatBitsPerSecond(egressBitsPerSecond),
  ];
  if (hitRatioBytes !== undefined) parts.push(`hit ${(hitRatioBytes * 100).toFixed(1)} %`);
  if (devices.failed > 0) parts.push(`failed ${formatCount(devices.failed)}`);
  if (devices.failedRanges > 0) parts.push(`errors ${formatCount(devices.failedRanges)}`);
  return parts.join('  ');
}
