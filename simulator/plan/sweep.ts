// A grid of runs: virtual ones on all cores, live ones one after another. Each point is in the journal as soon as it ended, and
// points that are there already are not run again.

import type { WorldName } from '../result/metrics.ts';
import type { SweepAxis, SweepPlace, SweepPoint } from '../result/sweep.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import { setsOf } from './grid.ts';
import { type LivePointOptions, runLivePoint } from './live-point.ts';
import type { SweepJournal } from './sweep-journal.ts';
import { virtualPoint } from './sweep-point.ts';
import type { VirtualJob } from './virtual-job.ts';
import { VirtualPool } from './virtual-pool.ts';

export type SweepTerms = {
  readonly loaded: LoadedScenario;
  readonly world: WorldName;
  readonly axes: readonly SweepAxis[];
  readonly places: readonly SweepPlace[];
};

export type SweepOptions = {
  readonly journal: SweepJournal;
  readonly signal: AbortSignal;
  /** Threads, virtual; default: one a core. */
  readonly threads?: number | undefined;
  /** When a point is in the journal; not those that were there before. */
  readonly onDone: (point: SweepPoint) => void;
  /** Live: what a point is at. */
  readonly onLive: LivePointOptions['onProgress'];
};

/** All points that ended, now or before, by index. Throws an OperatorError when one cannot be kept. */
export async function sweep(terms: SweepTerms, options: SweepOptions): Promise<ReadonlyMap<number, SweepPoint>> {
  const points = new Map([...options.journal.points].filter(([, { outcome }]) => outcome !== 'broken'));
  const keep = async (point: SweepPoint | undefined): Promise<void> => {
    if (point === undefined) return; // it was interrupted
    await options.journal.add(point);
    points.set(point.index, point);
    options.onDone(point);
  };
  const missing = terms.places.filter(({ index }) => !points.has(index));
  await (terms.world === 'virtual' ? sweepVirtual : sweepLive)(terms, missing, options, keep);
  return points;
}

type Keep = (point: SweepPoint | undefined) => Promise<void>;
type Run = (terms: SweepTerms, missing: readonly SweepPlace[], options: SweepOptions, keep: Keep) => Promise<void>;

const sweepVirtual: Run = async (terms, missing, { signal, threads }, keep) => {
  const pool = new VirtualPool({ signal, ...(threads === undefined ? {} : { size: threads }) });
  try {
    await Promise.all(
      missing.map(async (place) => keep(virtualPoint(place.index, await pool.run(virtualJobOf(terms, place))))),
    );
  } finally {
    await pool.close();
  }
};

const sweepLive: Run = async (terms, missing, { signal, onLive }, keep) => {
  for (const place of missing) {
    if (signal.aborted) return;
    await keep(await runLivePoint(place.index, virtualJobOf(terms, place), { signal, onProgress: onLive }));
  }
};

/** All that a point changes in the file: what the command line sets for all, and the values of its own. */
export function pointSets({ loaded, axes }: SweepTerms, place: SweepPlace): readonly string[] {
  const own = setsOf(axes, place);
  const ofAll = Object.entries(loaded.overrides).map(([key, value]) => `${key}=${value}`);
  return [...ofAll.filter((set) => !set.startsWith('seed=')), ...own];
}

function virtualJobOf(terms: SweepTerms, place: SweepPlace): VirtualJob {
  const { text, path } = terms.loaded;
  return { text, path, overrides: pointSets(terms, place) };
}
