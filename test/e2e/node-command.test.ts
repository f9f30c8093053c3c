import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type ReadyLine, repositoryRoot } from '../../common/child-program.ts';

const execute = promisify(execFile);
const sim = join(repositoryRoot, 'simulator', 'sim.js');

describe('sim node', () => {
  it('is the node in the foreground: it says when it is ready, answers, and ends with SIGTERM', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sim-node-'));
    const options = ['node', '--drive', `${folder}/cache=1GB`, '--listen', '127.0.0.1:0', '--workers', '1'];
    const node = spawn(process.execPath, [sim, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(createInterface({ input: node.stdout }), 'line')) as [string];
      const ready = JSON.parse(line) as ReadyLine;
      const refused = await fetch(`http://${ready.listen}/file?cacheHostOrigin=elsewhere.test`);
      expect(refused.status).toBe(403);
      const health = (await (await fetch(`http://${ready.admin}/health`)).json()) as { healthy: boolean };
      expect(health.healthy).toBe(true);
    } finally {
      const gone = once(node, 'exit');
      node.kill('SIGTERM');
      expect(await gone).toEqual([0, null]);
      rmSync(folder, { recursive: true });
    }
  });

  it('prints its own help, with examples', async () => {
    const { stdout } = await execute(process.execPath, [sim, 'node', '--help']);
    expect(stdout).toContain('--drive <path=size>');
    expect(stdout).toContain('Examples:');
  });

  it('ends with the code of a mistake in its options', async () => {
    const failed = await execute(process.execPath, [sim, 'node', '--drive', 'cache']).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining('--drive: expected PATH=SIZE') as string });
  });
});
