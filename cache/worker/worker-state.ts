// What all requests of a worker share.

import type { Books } from '../books.ts';
import type { WorkerMessage } from '../protocol.ts';
import type { Upstream } from '../upstream.ts';
import type { ExtentFiles } from './extent-files.ts';
import type { LocalCatalogue, LocalGeneration } from './local-catalogue.ts';
import type { Pacer } from './pacer.ts';
import type { SendFile } from './send-file.ts';

export interface WorkerState {
  readonly name: string;
  readonly via: string;
  readonly catalogue: LocalCatalogue;
  readonly files: ExtentFiles;
  readonly books: Books;
  readonly pacer: Pacer;
  readonly sendFile: SendFile | undefined;
  readonly upstream: Upstream;
  readonly hideClientErrors: boolean;
  send(message: WorkerMessage): void;
  /** Notes that a generation was used, for eviction. */
  touch(generation: LocalGeneration): void;
  /** A request is over. */
  forget(exchange: number): void;
}
