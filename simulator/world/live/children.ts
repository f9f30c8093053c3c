// The processes of a live run: started, watched, and gone when the run is, however it ends.

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Address, parseAddress } from '../../../common/address.ts';
import { programPath, type ReadyLine } from '../../../common/child-program.ts';
import { assert, errorCode, OperatorError } from '../../../common/errors.ts';
import { killGroup } from './process-group.ts';

const readyTimeoutMs = 30_000;
const stopTimeoutMs = 5000;
const keptErrorLines = 20;

/** A node or CDN that is running. */
export type Program = {
  readonly name: string;
  readonly process: ChildProcess;
  readonly pid: number;
  readonly listen: Address;
  readonly admin: Address;
  /** The last lines of its standard error. */
  readonly errors: readonly string[];
};

export class Children {
  /** The run's folder: cache drives and everything else that is not a result. */
  readonly folder: string;
  readonly #janitor: ChildProcess;
  readonly #processes = new Set<ChildProcess>();
  readonly #onUnexpectedEnd: (what: string) => void;
  readonly #expected = new Set<ChildProcess>();
  readonly #namespaces: string[] = [];
  #stopping = false;

  /** `onUnexpectedEnd`: a child ended that nobody told to. */
  constructor(onUnexpectedEnd: (what: string) => void) {
    this.#onUnexpectedEnd = onUnexpectedEnd;
    this.folder = mkdtempSync(join(tmpdir(), 'do-sim-'));
    this.#janitor = spawn(process.execPath, [programPath('simulator/world/live/janitor')], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#janitor.unref();
    this.#janitor.stdin?.on('error', () => undefined); // it is gone: nothing more to tell it
    this.#tell(`folder ${this.folder}`);
  }

  /** Starts a program, and resolves when it says that it is ready. */
  async start(name: string, program: string, options: readonly string[]): Promise<Program> {
    if (this.#stopping) throw new OperatorError('STOPPING', `${name} was not started: the run is at its end.`, 3);
    const child = spawn(process.execPath, [programPath(program), ...options], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const errors: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      errors.push(line);
      if (errors.length > keptErrorLines) errors.shift();
    });
    child.stdin.on('error', () => undefined); // it ended first: its exit is noticed
    this.#adopt(
      child,
      name,
      () => `${name} ended unexpectedly${errors.length > 0 ? `: ${errors.slice(-3).join(' | ')}` : ''}`,
    );
    const ready = await this.#ready(child, name, errors);
    const listen = parseAddress(ready.listen);
    const admin = parseAddress(ready.admin);
    assert(listen !== undefined && admin !== undefined && child.pid !== undefined, `${name} says where it listens`);
    return { name, process: child, pid: child.pid, listen, admin, errors };
  }

  /** A network namespace that is to go with them; said before it is made. */
  owns(namespace: string): void {
    this.#namespaces.push(namespace);
    this.#tell(`namespace ${namespace}`);
  }

  /** Forks one of our own processes, with a channel; in a network namespace where one is named. */
  fork(name: string, program: string, namespace?: string): ChildProcess {
    const child = fork(programPath(program), {
      ...(namespace === undefined
        ? {}
        : { execPath: 'ip', execArgv: ['netns', 'exec', namespace, process.execPath, ...process.execArgv] }),
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // As JSON, a delay that never ends would arrive as null.
      serialization: 'advanced',
    });
    this.#adopt(child, name, () => `${name} ended unexpectedly`);
    return child;
  }

  /** kill -9 of a program and all its processes; resolves when it is gone. */
  async kill(program: Program): Promise<void> {
    this.#expected.add(program.process);
    const gone = hasEnded(program.process) ? Promise.resolve() : once(program.process, 'exit');
    killGroup(program.pid, 'SIGKILL');
    await gone;
  }

  freeze(program: Program): void {
    killGroup(program.pid, 'SIGSTOP');
  }

  thaw(program: Program): void {
    killGroup(program.pid, 'SIGCONT');
  }

  /** From now on a child may end without being missed. */
  expectEnd(child: ChildProcess): void {
    this.#expected.add(child);
  }

  /** Ends everything: in order where that works, by force where not; then removes the folder. */
  async stopAll(): Promise<void> {
    this.#stopping = true;
    const children = [...this.#processes];
    for (const child of children) this.#expected.add(child);
    for (const child of children) {
      if (child.pid !== undefined && process.platform !== 'win32') killGroup(child.pid, 'SIGCONT');
      if (child.connected) child.disconnect();
      child.stdin?.end();
      child.kill('SIGTERM');
    }
    const ends = children.filter((child) => !hasEnded(child)).map((child) => once(child, 'exit'));
    const timeout = new Promise((resolve) => setTimeout(resolve, stopTimeoutMs).unref());
    await Promise.race([Promise.all(ends), timeout]);
    for (const child of children) if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
    for (const namespace of this.#namespaces) spawnSync('ip', ['netns', 'delete', namespace]);
    this.#removeFolder();
    this.#janitor.stdin?.end();
  }

  /** Where that fails, the janitor tries again. */
  #removeFolder(): void {
    try {
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      this.#tell('done');
    } catch (error) {
      process.stderr.write(`${this.folder}: cannot be removed yet (${errorCode(error)})\n`);
    }
  }

  #adopt(child: ChildProcess, name: string, ended: () => string): void {
    this.#processes.add(child);
    if (child.pid !== undefined) this.#tell(`group ${child.pid}`);
    child.on('exit', () => {
      this.#processes.delete(child);
      if (child.pid !== undefined) {
        // Stopped processes that it leaves behind could not end by themselves.
        if (process.platform !== 'win32') killGroup(child.pid, 'SIGKILL');
        this.#tell(`gone ${child.pid}`);
      }
      if (!this.#expected.has(child)) this.#onUnexpectedEnd(ended());
    });
    child.on('error', (error) => {
      if (child.pid !== undefined) return; // a signal or a message that came too late
      this.#processes.delete(child);
      if (!this.#expected.has(child)) this.#onUnexpectedEnd(`${name} could not be started (${errorCode(error)})`);
    });
  }

  async #ready(child: ChildProcess, name: string, errors: readonly string[]): Promise<ReadyLine> {
    // Until it is ready, its end is told by the rejection.
    this.#expected.add(child);
    const { stdout } = child;
    assert(stdout !== null, 'standard output is a pipe');
    const failed = (what: string): OperatorError => {
      const said = errors.length > 0 ? `\n  ${errors.join('\n  ')}` : '';
      return new OperatorError('DID_NOT_START', `${name} did not start: ${what}.${said}`, 3);
    };
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(failed(`no ready line within ${readyTimeoutMs / 1000} s`)), readyTimeoutMs);
      const lines = createInterface({ input: stdout });
      lines.once('line', (line) => {
        clearTimeout(timer);
        if (!this.#stopping) this.#expected.delete(child);
        resolve(JSON.parse(line) as ReadyLine);
      });
      child.once('error', (error) => {
        clearTimeout(timer);
        reject(failed(errorCode(error)));
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        // The reasons it gave may still be in the pipe.
        setImmediate(() => reject(failed(`it ended with ${signal ?? `code ${code}`}`)));
      });
    });
  }

  #tell(line: string): void {
    if (this.#janitor.stdin?.writable === true) this.#janitor.stdin.write(`${line}\n`);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
