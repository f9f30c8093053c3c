// The CDN as a program: ready line, ends, exit codes. Needs the built tree, as `npm test` makes it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { programPath, type ReadyLine } from '../../common/child-program.ts';
import { OperatorError } from '../../common/errors.ts';
import { startCdn } from '../../simulator/cloud/cdn.ts';
import { addCdnCommand } from '../../simulator/commands/cdn.ts';

const program = programPath('simulator/cloud/main');

function start(...options: readonly string[]) {
  const child = spawn(process.execPath, [program, ...options], { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ready = once(child.stdout, 'data').then(([line]) => JSON.parse(String(line)) as ReadyLine);
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, errors }));
  return { child, ready, ended };
}

describe.skipIf(!existsSync(program))('the program (skipped when the tree is not built: npm run build)', () => {
  it('says that it is ready, serves, and ends within a second of SIGTERM in the middle of an answer', async () => {
    const { child, ready, ended } = start('--latency', '1ms', '--egress', '1 Gbit/s', '--name', 'edge', '--ledger');
    const { listen, admin, pid } = await ready;
    expect(pid).toBe(child.pid);
    const response = await request(`http://${listen}/object/x/1000000000`);
    expect([response.statusCode, response.headers['server']]).toEqual([200, 'edge']);
    const well = await request(`http://${admin}/health`);
    expect(await well.body.json()).toEqual({ status: 'ok', name: 'edge' });
    const broken = once(response.body, 'error');
    const startedMs = performance.now();
    child.kill('SIGTERM');
    response.body.resume();
    await broken;
    const { code, errors } = await ended;
    if (process.platform !== 'win32') expect([code, errors]).toEqual([0, expect.stringContaining('stopped (SIGTERM)')]);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it('ends when its parent is gone', async () => {
    const { child, ready, ended } = start('--exit-with-parent');
    await ready;
    child.stdin.end();
    expect(await ended).toMatchObject({ code: 0, errors: expect.stringContaining('its parent is gone') });
  });

  it('says which port is taken', async () => {
    const cdn = await startCdn();
    const { ended } = start('--listen', cdn.listen);
    expect(await ended).toMatchObject({
      code: 3,
      errors: expect.stringMatching(
        /^cdn: --listen 127\.0\.0\.1:[0-9]+: cannot listen \(EADDRINUSE\); another program/,
      ),
    });
    await cdn.stop();
  });

  const badOptions = [
    { options: ['--listen', 'nowhere'], says: /Expected address:port.*found "nowhere"/ },
    { options: ['--latency', '20'], says: /Expected a duration with a unit, such as 20 ms/ },
    { options: ['--egress', '0 Gbit/s'], says: /Expected a rate with a unit/ },
    { options: ['--colour'], says: /unknown option '--colour'/ },
  ];
  it.each(badOptions)('refuses $options with exit code 2', async ({ options, says }) => {
    expect(await start(...options).ended).toMatchObject({ code: 2, errors: expect.stringMatching(says) });
  });
});

describe('sim cdn', () => {
  it('has help with examples', () => {
    const sim = new Command('sim');
    addCdnCommand(sim);
    let help = '';
    const command = sim.commands[0]?.configureOutput({ writeOut: (text) => (help += text) });
    command?.outputHelp();
    expect(help).toContain('--exit-with-parent');
    expect(help).toContain('$ sim cdn --listen 127.0.0.1:8081');
  });

  it('rejects with an operator error when it cannot listen', async () => {
    const cdn = await startCdn();
    const sim = new Command('sim');
    addCdnCommand(sim);
    const run = sim.parseAsync(['node', 'sim', 'cdn', '--admin', cdn.admin]);
    await expect(run).rejects.toBeInstanceOf(OperatorError);
    await expect(run).rejects.toMatchObject({ code: 'PORT_TAKEN', exitCode: 3 });
    await cdn.stop();
  });
});
