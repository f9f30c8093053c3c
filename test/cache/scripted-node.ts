// A node in front of a scripted origin.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Books } from '../../cache/books.ts';
import {
  adminJson,
  ask,
  origin as host,
  type Program,
  type Question,
  type Reply,
  startProgram,
} from './node-process.ts';
import { type Asked, ScriptedOrigin } from './scripted-origin.ts';

export class ScriptedNode {
  readonly origin: ScriptedOrigin;
  readonly #folder: string;
  readonly #options: readonly string[];
  #programs: Program[] = [];

  private constructor(origin: ScriptedOrigin, options: readonly string[]) {
    this.origin = origin;
    this.#folder = mkdtempSync(join(tmpdir(), 'scripted-'));
    this.#options = options;
  }

  /** `isNested`: a child node before a parent node; `driveBytes` is the size of each one's drive. */
  static async start(
    answer: (asked: Asked) => void,
    more: { readonly options?: readonly string[]; readonly isNested?: boolean; readonly driveBytes?: number } = {},
  ): Promise<ScriptedNode> {
    const { options = [], isNested = false, driveBytes = 50e6 } = more;
    const node = new ScriptedNode(await ScriptedOrigin.start(answer), options);
    await node.#run(`parent=${driveBytes}B`, []);
    if (isNested) await node.#run(`child=${driveBytes}B`, ['--upstream-host', `127.0.0.1:${node.node.listen.port}`]);
    return node;
  }

  /** The node that clients talk to. */
  get node(): Program {
    const node = this.#programs.at(-1);
    if (node === undefined) throw new Error('no node runs');
    return node;
  }

  get(path: string, headers: Record<string, string> = {}, more: Partial<Question> = {}): Promise<Reply> {
    return ask({ port: this.node.listen.port, path, headers: { Host: host, ...headers }, ...more });
  }

  async books(): Promise<Books & { readonly storedBytes: number }> {
    return (await adminJson(this.node, 'GET', '/books')) as never;
  }

  /** Ends the clients' node by a signal, and starts it again on its drive. */
  async restart(signal: NodeJS.Signals): Promise<void> {
    const ended = this.#programs.pop();
    await ended?.end(signal);
    const parent = this.#programs[0];
    if (parent === undefined) await this.#run(this.#drives.pop() ?? '', []);
    else await this.#run(this.#drives.pop() ?? '', ['--upstream-host', `127.0.0.1:${parent.listen.port}`]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end('SIGKILL')));
    this.origin.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  readonly #drives: string[] = [];

  async #run(drive: string, more: readonly string[]): Promise<void> {
    this.#drives.push(drive);
    this.#programs.push(
      await startProgram('cache/main', [
        ...['--listen', '127.0.0.1:0', '--exit-with-parent', '--workers', '1', '--drive', join(this.#folder, drive)],
        ...['--origin', `${host}=127.0.0.1:${this.origin.port}`, ...this.#options, ...more],
      ]),
    );
  }
}

/** Runs `use` with a node that is stopped whatever happens. */
export async function withScripted(
  answer: (asked: Asked) => void,
  use: (node: ScriptedNode) => Promise<void>,
  more: Parameters<typeof ScriptedNode.start>[1] = {},
): Promise<void> {
  const node = await ScriptedNode.start(answer, more);
  try {
    await use(node);
  } finally {
    await node.stop();
  }
}
