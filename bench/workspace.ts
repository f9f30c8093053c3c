// A folder and the servers of one benchmark. Whatever happens (an error, Ctrl-C), the servers are stopped and the folder is
// removed; should this process be killed, ours notice the closed pipe and peers get the kernel's word (peers.ts).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from './peers.ts';

export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), 'do-bench-'));
  readonly #servers: Server[] = [];

  /** Stops a server, at the latest at the end; returns it. */
  keep<S extends Server>(server: S): S {
    this.#servers.push(server);
    return server;
  }

  async clean(): Promise<void> {
    for (const server of this.#servers.splice(0).reverse()) await server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Does something in a workspace, and cleans it. */
export async function inWorkspace<T>(work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = new Workspace();
  const interrupted = (): void => {
    void workspace.clean().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await work(workspace);
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await workspace.clean();
  }
}
