// A user's `sim run` in a process of its own, with its own temporary folder and its own folder for results. All processes
// of a run carry that temporary folder in their environment: by it they are found, also when their parent is gone.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, expect } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { resultForm } from '../../simulator/result/result-schema.ts';

/** Whether processes and ports of a run can be looked up (by /proc). */
export const canLookUp = process.platform === 'linux';

/** How long anything of a run may outlive it (the contract: a few seconds). */
const goneWithinMs = 5000;

export type RunOptions = {
  /** Of `sim`; default: run. */
  readonly command?: string;
  /** `default`: the command line does not say. Most tests are about the live world alone: live. */
  readonly world?: 'live' | 'virtual' | 'both' | 'default';
  /** Words after the scenario. */
  readonly options?: readonly string[];
  /** Values by `--set`. */
  readonly set?: Readonly<Record<string, string | number>>;
  /** Words before `node`, e.g. `bash -c 'ulimit -n 256; exec "$@"' -`. */
  readonly prefix?: readonly string[];
  readonly out?: string;
  readonly temporaryFolder?: string;
  /** Files in the run's folder, by name: where it works when the scenario is given as a text. */
  readonly files?: Readonly<Record<string, string>>;
};

export type LookedUp = {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** T: stopped. */
  readonly state: string;
};

const started: SimRun[] = [];
afterAll(() => {
  for (const run of started) run.clear();
});

export class SimRun {
  readonly folder: string;
  readonly temporaryFolder: string;
  readonly out: string;
  readonly child: ChildProcess;
  /** Resolves to the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  stdout = '';
  stderr = '';
  readonly #listeners = new Set<() => void>();

  /** `scenario`: a path below the repository, or the text of a scenario (it has more than one line). */
  constructor(scenario: string, runOptions: RunOptions = {}) {
    const {
      command: simCommand = 'run',
      world = 'live',
      options = [],
      set = {},
      prefix = [],
      out,
      temporaryFolder,
      files = {},
    } = runOptions;
    this.folder = mkdtempSync(join(tmpdir(), 'sim-e2e-'));
    this.temporaryFolder = temporaryFolder ?? join(this.folder, 'tmp');
    mkdirSync(this.temporaryFolder, { recursive: true });
    this.out = out ?? join(this.folder, 'out');
    const path = scenario.includes('\n') ? join(this.folder, 'scenario.yaml') : scenario;
    if (path !== scenario) writeFileSync(path, scenario);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
    const sets = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const worldOptions = world === 'default' ? [] : ['--world', world];
    const sim = [process.execPath, join(repositoryRoot, 'simulator/sim.js')];
    const words = [...sim, simCommand, path, '--out', this.out, ...worldOptions, ...sets, ...options];
    const [command = '', ...rest] = [...prefix, ...words];
    this.child = spawn(command, rest, {
      cwd: path === scenario ? repositoryRoot : this.folder,
      env: {
        ...process.env,
        TMPDIR: this.temporaryFolder,
        FORCE_COLOR: undefined,
        NO_COLOR: undefined,
        CI: undefined,
        TERM: 'xterm-256color',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      for (const listener of this.#listeners) listener();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      for (const listener of this.#listeners) listener();
    });
    this.ended = once(this.child, 'close').then(([code, signal]: (number | string | null)[]) => {
      for (const listener of this.#listeners) listener();
      return code ?? signal ?? 'unknown';
    });
    started.push(this);
  }

  /** Resolves once standard error holds it; fails when the run ends without. */
  async says(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const over = this.child.exitCode !== null || this.child.signalCode !== null;
        if (pattern.test(this.stderr)) resolve();
        else if (over) reject(new Error(`${pattern} was never said, but:\n${this.stderr}`));
        else return;
        this.#listeners.delete(look);
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Resolves when the fleet is at it: the node has sent so many bytes. */
  async isDownloading(bytesMin = 1): Promise<void> {
    await this.says(/running/);
    await this.isServing(bytesMin);
  }

  /** Resolves when the node that runs now has sent so many bytes. */
  async isServing(bytesMin = 1): Promise<void> {
    const port = await this.adminPort('cache/main');
    await eventually('bytes from the node', async () => {
      const books = await this.books(port);
      return books !== undefined && (books['egressBytes'] ?? 0) >= bytesMin ? true : undefined;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Its exit code; then nothing of it may be left: no process (so no port), no temporary folder. */
  async exitCode(): Promise<number | string> {
    const code = await this.ended;
    await this.leavesNothing();
    if (!this.stdout.startsWith('{')) this.#isNarrowAndPlain();
    return code;
  }

  /** The summary has at most 80 columns (but for the paths of this test), and no colours: this is no terminal. */
  #isNarrowAndPlain(): void {
    expect(stripVTControlCharacters(this.stdout + this.stderr)).toBe(this.stdout + this.stderr);
    const wide = this.stdout.split('\n').filter((line) => line.length > 80 && !line.includes(this.folder));
    expect(wide).toEqual([]);
  }

  async leavesNothing(): Promise<void> {
    const startedMs = performance.now();
    await eventually('an end of all processes and folders', () => (this.#left().length === 0 ? true : undefined)).catch(
      () => undefined,
    );
    expect(this.#left()).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(goneWithinMs);
  }

  #left(): string[] {
    const folders = existsSync(this.temporaryFolder)
      ? readdirSync(this.temporaryFolder).filter((name) => name.startsWith('do-sim-'))
      : [];
    return [...this.processes().map(({ pid, command }) => `${pid} ${command}`), ...folders];
  }

  /** The run's processes whose command line holds `part`; `sim` itself is one. */
  processes(part = ''): LookedUp[] {
    return canLookUp ? lookUp(this.temporaryFolder).filter(({ command }) => command.includes(part)) : [];
  }

  /** The node's owner and workers: the owner first. */
  nodeProcesses(): LookedUp[] {
    const all = this.processes('cache/main');
    const pids = new Set(all.map(({ pid }) => pid));
    return [...all.filter(({ parent }) => !pids.has(parent)), ...all.filter(({ parent }) => pids.has(parent))];
  }

  /** The numbers of an admin interface; undefined when that port is none. */
  async books(port: number): Promise<Record<string, number> | undefined> {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/books`, { signal: AbortSignal.timeout(500) });
      return answer.ok ? ((await answer.json()) as Record<string, number>) : undefined;
    } catch {
      return undefined;
    }
  }

  /** The admin interface of one of its processes. */
  async adminPort(part: string): Promise<number> {
    return await eventually(`the admin interface of ${part}`, async () => {
      const [first] = part === 'cache/main' ? this.nodeProcesses() : this.processes(part);
      for (const port of first === undefined ? [] : listeningPorts(first.pid)) {
        if ((await this.books(port)) !== undefined) return port;
      }
      return undefined;
    });
  }

  /** result.json, checked against its form. */
  result(): Result {
    return resultForm.parse(JSON.parse(readFileSync(join(this.out, 'result.json'), 'utf8')));
  }

  /** The run of that purpose; by default the first. */
  run(purpose?: Run['purpose']): Run {
    const run = this.result().runs.find((each) => purpose === undefined || each.purpose === purpose);
    if (run === undefined) throw new Error(`no ${purpose ?? 'run'} in the result`);
    return run;
  }

  metrics(purpose?: Run['purpose']): Record<string, number> {
    return { ...this.run(purpose).metrics };
  }

  file(name: string): string {
    return readFileSync(join(this.out, name), 'utf8');
  }

  wroteResult(): boolean {
    return existsSync(join(this.out, 'result.json'));
  }

  /** Standard error without what differs from run to run. */
  said(): string {
    return stripVTControlCharacters(this.stderr)
      .replaceAll(this.folder, '<folder>')
      .replaceAll(/^(virtual time|starting|connecting|running|finishing)\b.*\n/gm, '')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>');
  }

  /** Kills what a failed test has left. */
  clear(): void {
    for (const { pid } of this.processes()) {
      spawnSync('kill', ['-9', String(pid)], { stdio: 'ignore' }); // it may have just ended
    }
    this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Looks again and again until there is a value; for states that no event tells. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  withinMs = goneWithinMs,
): Promise<T> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > untilMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Processes that have this temporary folder in their environment. */
function lookUp(temporaryFolder: string): LookedUp[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        if (!environment.includes(`TMPDIR=${temporaryFolder}`)) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(1).join(' ').trim();
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '');
        const [state = '', parent] = stat.split(' ');
        return [{ pid: Number(pid), parent: Number(parent), command, state }];
      } catch {
        return []; // it has ended, or is somebody else's
      }
    });
}

/** Ports on which a process listens. */
export function listeningPorts(pid: number): number[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  const listens = '0A';
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const words = line.trim().split(/\s+/);
      return words[3] === listens && sockets.has(words[9] ?? '') ? Number.parseInt((words[1] ?? '').slice(9), 16) : [];
    });
}
