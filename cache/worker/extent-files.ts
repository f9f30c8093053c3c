// Open extent files of a worker, under a budget of descriptors: those used least are closed. A file that is
// open stays readable after its extent was evicted, so an answer under way is never cut by an eviction.

import type { Buffer } from 'node:buffer';
import { close, open, read } from 'node:fs';
import { errorCode } from '../../common/errors.ts';
import { Residence } from './residence.ts';

const openFilesMax = 1024;
/** While the process has no descriptor left: how long until the next try. */
const retryMs = 50;

export type OpenFile = {
  readonly fd: number;
  readonly residence: Residence;
  users: number;
  wasUsed: boolean;
  doomed: boolean;
};

/** A file that is being opened, and how many want it. */
type Opening = { readonly file: Promise<OpenFile>; borrowers: number };

export class ExtentFiles {
  readonly #files = new Map<string, OpenFile>();
  readonly #opening = new Map<string, Opening>();

  /** Whether more files are open than should be: give back what is not needed at once. */
  get isCrowded(): boolean {
    return this.#files.size > openFilesMax;
  }

  /** Borrows the descriptor of a file that is open already; pair it with `giveBack`. */
  opened(path: string): OpenFile | undefined {
    const known = this.#files.get(path);
    if (known === undefined) return undefined;
    known.wasUsed = true;
    known.users += 1;
    return known;
  }

  /** Opens where needed, and borrows; pair it with `giveBack`. Rejects when the file cannot be opened. */
  async borrow(path: string): Promise<OpenFile> {
    const known = this.opened(path);
    if (known !== undefined) return known;
    let opening = this.#opening.get(path);
    if (opening === undefined) {
      opening = { file: this.#open(path), borrowers: 0 };
      this.#opening.set(path, opening);
    }
    opening.borrowers += 1;
    return await opening.file;
  }

  giveBack(file: OpenFile): void {
    file.users -= 1;
    if (file.doomed && file.users === 0) close(file.fd, () => undefined);
    else if (file.users === 0 && this.isCrowded) this.#trim();
  }

  /** Closes the file of an evicted extent once nobody reads it, so that its blocks are free. */
  forget(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined) {
      this.#opening.get(path)?.file.then(
        () => this.forget(path),
        () => undefined,
      );
      return;
    }
    this.#files.delete(path);
    file.doomed = true;
    if (file.users === 0) close(file.fd, () => undefined);
  }

  #open(path: string): Promise<OpenFile> {
    return new Promise((resolve, reject) => {
      const attempt = (): void => {
        open(path, 'r', (error, fd) => {
          const code = error === null ? undefined : errorCode(error);
          if (code === 'EMFILE' || code === 'ENFILE') {
            setTimeout(attempt, retryMs);
            return;
          }
          const users = this.#opening.get(path)?.borrowers ?? 0;
          this.#opening.delete(path);
          if (error !== null) {
            reject(error);
            return;
          }
          const file: OpenFile = { fd, residence: new Residence(fd), users, wasUsed: true, doomed: false };
          this.#files.set(path, file);
          resolve(file);
          this.#trim();
        });
      };
      attempt();
    });
  }

  /** Closes files that nobody reads, down to the budget; one that was used since it was last looked at is spared once. */
  #trim(): void {
    let looksLeft = 2 * this.#files.size;
    for (const [path, file] of this.#files) {
      if (!this.isCrowded || looksLeft === 0) return;
      looksLeft -= 1;
      if (file.users > 0 || file.wasUsed) {
        file.wasUsed = false;
        this.#files.delete(path);
        this.#files.set(path, file);
      } else this.forget(path);
    }
  }
}

/** Reads up to `bytes` at a position; resolves to how many there were. */
export function readAt(fd: number, buffer: Buffer, bytes: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, bytes, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
