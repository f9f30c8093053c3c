// What commands that run something have in common: a folder for results that is taken back when it stays empty, Ctrl-C, a
// progress line.

import { makeFolder } from '../result/write-whole.ts';
import { ProgressLine } from './progress-line.ts';

/** Carries a run out. `out`: undefined when it leaves no files. `signal` is aborted by Ctrl-C (SIGINT) and SIGTERM. */
export async function carryOut(
  out: string | undefined,
  { quiet }: { readonly quiet: boolean },
  run: (signal: AbortSignal, progress: ProgressLine) => Promise<void>,
): Promise<void> {
  const unmakeFolder = out === undefined ? undefined : makeFolder(out);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  const progress = new ProgressLine(quiet ? undefined : process.stderr);
  try {
    await run(interrupt.signal, progress);
  } finally {
    progress.end();
    unmakeFolder?.();
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
  }
}
