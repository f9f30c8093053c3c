// Open extent files of a worker, under a budget of descriptors: the least recently used are closed. A file that is
// open stays readable after its extent was evicted, so an answer under way is never cut by an eviction.

import { close, open, read } from 'node:fs';

const openFilesMax = 256;

type OpenFile = { readonly fd: number; users: number; doomed: boolean };

export class ExtentFiles {
  readonly #files = new Map<string, OpenFile>();
  readonly #opening = new Map<string, Promise<OpenFile>>();

  /** Borrows the descriptor of a file that is open already; pair it with `giveBack`. */
  opened(path: string): OpenFile | undefined {
    const known = this.#files.get(path);
    if (known === undefined) return undefined;
    this.#files.delete(path);
    this.#files.set(path, known);
    known.users += 1;
    return known;
  }

  /** Opens where needed, and borrows; pair it with `giveBack`. Rejects when the file cannot be opened. */
  async borrow(path: string): Promise<OpenFile> {
    const known = this.opened(path);
    if (known !== undefined) return known;
    let opening = this.#opening.get(path);
    if (opening === undefined) {
      opening = this.#open(path);
      this.#opening.set(path, opening);
    }
    const file = await opening;
    file.users += 1;
    return file;
  }

  giveBack(file: OpenFile): void {
    file.users -= 1;
    if (file.doomed && file.users === 0) close(file.fd, () => undefined);
  }

  /** Closes the file of an evicted extent once nobody reads it, so that its blocks are free. */
  forget(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined) {
      this.#opening.get(path)?.then(
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
      open(path, 'r', (error, fd) => {
        this.#opening.delete(path);
        if (error !== null) {
          reject(error);
          return;
        }
        const file: OpenFile = { fd, users: 0, doomed: false };
        this.#files.set(path, file);
        resolve(file);
        for (const oldest of this.#files.keys()) {
          if (this.#files.size <= openFilesMax) break;
          this.forget(oldest);
        }
      });
    });
  }
}

/** Reads up to `bytes` at a position; resolves to how many there were. */
export function readAt(fd: number, buffer: Buffer, bytes: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, bytes, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
