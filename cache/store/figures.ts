// What the store tells of itself: how full drives are, and how large the index is.

import type { Drive } from './drive.ts';

/** How full a drive is; `usedBytes` is what counts against `sizeBytes`. */
export type DriveFigures = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  /** It takes fills when it is open: after its journal was read, and its orphans are gone. */
  readonly state: Drive['state'];
  readonly failure: string | undefined;
};

/** How large the index is, and what went out of it since the start (for room, by age, by purge, or with a failed drive). */
export type IndexFigures = {
  /** Generations of objects; one that lies on several drives counts on each. */
  readonly generationCount: number;
  /** Of them, those that were in use lately. */
  readonly warmGenerationCount: number;
  readonly storedBytes: number;
  readonly evictedExtentCount: number;
  readonly evictedBytes: number;
};

/** What went out of the index since the start; `bytes` are blocks. */
export type Evicted = { extentCount: number; bytes: number };

export function driveFigures(drive: Drive): DriveFigures {
  const { path, sizeBytes, state, failure } = drive;
  return { path, sizeBytes, state, failure, usedBytes: state === 'failed' ? 0 : drive.usedBytes };
}

export function indexFigures(drives: readonly Drive[], storedBytes: number, evicted: Evicted): IndexFigures {
  let warmGenerationCount = 0;
  let coldCount = 0;
  for (const drive of drives) {
    warmGenerationCount += drive.warm.size;
    coldCount += drive.cold.count;
  }
  return {
    ...{ generationCount: warmGenerationCount + coldCount, warmGenerationCount, storedBytes },
    ...{ evictedExtentCount: evicted.extentCount, evictedBytes: evicted.bytes },
  };
}
