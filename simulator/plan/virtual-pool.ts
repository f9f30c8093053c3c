// Many virtual runs on all cores: jobs wait in a row, each thread has one at a time.
//
//     run(job) ──▶ waiting ──▶ thread ──▶ outcome        two messages a job
//                                 └── died: the job fails in words, the next one gets a new thread

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { programPath } from '../../common/child-program.ts';
import { assert } from '../../common/errors.ts';
import type { VirtualJob, VirtualOutcome } from './virtual-job.ts';

export type VirtualPoolOptions = {
  /** Threads at most; they start when there is work for them. Default: one a core. */
  readonly size?: number;
  /** Aborted: everything ends at once, and what is not done is `interrupted`. */
  readonly signal?: AbortSignal;
  /** Heap of a thread, in MB. Default: what Node gives a thread. */
  readonly heapMbMax?: number;
};

type Task = { readonly job: VirtualJob; readonly finish: (outcome: VirtualOutcome) => void };

/** Has to be closed: its threads keep the process alive. */
export class VirtualPool {
  readonly size: number;
  readonly #options: VirtualPoolOptions;
  readonly #waiting: Task[] = [];
  readonly #threads = new Map<Worker, Task | undefined>();
  readonly #onAbort = (): void => {
    void this.#end();
  };
  #isOver = false;

  constructor(options: VirtualPoolOptions = {}) {
    this.#options = options;
    this.size = options.size ?? availableParallelism();
    assert(this.size >= 1, 'a pool has a thread at least');
    options.signal?.addEventListener('abort', this.#onAbort);
    if (options.signal?.aborted === true) this.#isOver = true;
  }

  /** Never rejects. Jobs begin in the order in which they are given; they end in any. */
  run(job: VirtualJob): Promise<VirtualOutcome> {
    if (this.#isOver) return Promise.resolve({ kind: 'interrupted' });
    return new Promise((finish) => {
      this.#waiting.push({ job, finish });
      this.#next();
    });
  }

  /** Ends all threads; what is not done is `interrupted`. */
  async close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    const threads = [...this.#threads];
    this.#threads.clear();
    for (const [, task] of threads) task?.finish({ kind: 'interrupted' });
    for (const { finish } of this.#waiting.splice(0)) finish({ kind: 'interrupted' });
    await Promise.all(threads.map(([thread]) => thread.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const thread = this.#freeThread();
    if (thread === undefined) return;
    const task = this.#waiting.shift() as Task;
    this.#threads.set(thread, task);
    thread.postMessage(task.job);
  }

  /** Undefined while all are at work. */
  #freeThread(): Worker | undefined {
    for (const [thread, task] of this.#threads) if (task === undefined) return thread;
    return this.#threads.size < this.size ? this.#startThread() : undefined;
  }

  #startThread(): Worker {
    const { heapMbMax } = this.#options;
    const limits = heapMbMax === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMbMax } };
    const thread = new Worker(programPath('simulator/plan/virtual-worker'), limits);
    this.#threads.set(thread, undefined);
    let died = 'it ended without a word';
    thread.on('message', (outcome: VirtualOutcome) => {
      const task = this.#threads.get(thread);
      if (task === undefined) return; // the pool has ended meanwhile
      this.#threads.set(thread, undefined);
      task.finish(outcome);
      this.#next();
    });
    thread.on('error', (error) => {
      died = error.stack ?? error.message;
    });
    thread.on('exit', () => {
      const task = this.#threads.get(thread);
      if (!this.#threads.delete(thread)) return;
      task?.finish({ kind: 'broken', message: `the thread of this run died: ${died}` });
      this.#next();
    });
    return thread;
  }
}
