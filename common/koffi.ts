// koffi, by which libc and the runtime's own C functions are called. An optional dependency: where it is not installed, or
// there is no Linux, there is none, and everything does without. `CACHE_NODE_PORTABLE=1` does without it anywhere.

import { createRequire } from 'node:module';
import { errorCode } from './errors.ts';

export type NativeFunction = ((...values: readonly unknown[]) => number | bigint) & {
  /** Runs in the thread pool; the last argument hears an error, or the result. */
  async(...values: readonly unknown[]): void;
};

/** What we use of it; even the build must do without its types. */
export type Koffi = {
  load(library: null): { func(signature: string): NativeFunction };
  address(memory: Buffer): bigint;
  errno(): number;
};

/** koffi, or why there is none. */
export function loadKoffi(): Koffi | { readonly missing: string } {
  if (process.platform !== 'linux') return { missing: 'not Linux' };
  if (process.env['CACHE_NODE_PORTABLE'] === '1') return { missing: 'CACHE_NODE_PORTABLE' };
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (error) {
    return { missing: errorCode(error) };
  }
}
