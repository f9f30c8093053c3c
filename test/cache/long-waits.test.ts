// What the node does after seconds that no option sets, each waited for in full. In one file, because nothing happens
// meanwhile, so that the waits can be side by side, each at a node of its own.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runsLongTests } from '../long-tests.ts';
import { withMount } from './mounted.ts';
import {
  adminJson,
  ask,
  childrenOf,
  expectContent,
  expectWhole,
  journalWritten,
  origin,
  until,
  withSetup,
} from './node-process.ts';
import { withScripted } from './scripted-node.ts';
import { type Asked, contentOf, honest, send, type Version } from './scripted-origin.ts';

describe.concurrent('who waits', () => {
  it.skipIf(!runsLongTests)(
    'no more leaves a fill that goes on for ten seconds and not for ever; what has come is kept',
    async () => {
      const version: Version = { id: 'left', version: 1, sizeBytes: 300_000 };
      const all: Asked[] = [];
      const answer = (asked: Asked): void => {
        if (all.push(asked) > 1) {
          send(asked, version, honest(asked, version));
          return;
        }
        const { response } = asked;
        response.writeHead(206, { 'Content-Length': String(version.sizeBytes), ...honest(asked, version).fields });
        let sent = 0;
        const drip = setInterval(() => {
          response.write(contentOf(version, sent, sent + 100));
          sent += 100;
        }, 100);
        response.once('close', () => clearInterval(drip));
      };
      await withScripted(answer, async (node) => {
        const first = node.get('/left', {}, { onBody: (_bytes, request) => request.destroy() });
        await node.origin.hasBeenAsked(1);
        const response = all[0]?.response;
        const startedAtMs = performance.now();
        await Promise.all([first, response === undefined ? undefined : once(response, 'close')]);
        const elapsedMs = performance.now() - startedAtMs;
        expect(elapsedMs).toBeGreaterThan(9000);
        expect(elapsedMs).toBeLessThan(13_000);
        const reply = await node.get('/left');
        expect([reply.status, reply.complete, reply.body.length]).toEqual([200, true, version.sizeBytes]);
        expectContent(reply.body, version.id);
        expect(all.length).toBe(2);
        expect(Number(/bytes=([0-9]+)-/.exec(all[1]?.headers.range ?? '')?.[1])).toBeGreaterThan(5000);
      });
    },
  );
});

describe.concurrent('a drive that goes', () => {
  it.skipIf(!runsLongTests)('as somebody else fills its file system, serves what it has', async (context) => {
    await withMount('tmpfs', 16, context, async (folder) => {
      await withSetup({ drives: [], node: ['--drive', `${folder}=12MB`] }, async (setup) => {
        await expectWhole(setup, 'mine', 1_000_000);
        await journalWritten(setup);
        const rest = join(folder, 'rest');
        // Writes until there is no room.
        spawnSync('dd', ['if=/dev/zero', `of=${rest}`, 'bs=64k'], { timeout: 10_000 });
        for (let i = 0; i < 6; i += 1) await expectWhole(setup, `other${i}`, 1_000_000);
        await expectWhole(setup, 'mine', 1_000_000);
        expect((await setup.books()).errorCount).toBe(0);
        expect(setup.node.log()).not.toContain('failed (');
        rmSync(rest);
        // It looks at the file system again every 10 s.
        await until(
          () => setup.node.log(),
          (log) => log.includes('has room again'),
        );
        for (let round = 0; round < 2; round += 1)
          for (let i = 0; i < 6; i += 1) await expectWhole(setup, `again${i}`, 1_000_000);
        expect((await setup.cdnOf('again0')).bodyBytes).toBe(1_000_000);
      });
    });
  });
});

describe.concurrent('a fault of the origin', () => {
  it('silence is cut after 5 s and another request replaces it, before and after the head', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      const ids = ['silent', 'silent-later'] as const;
      await setup.fault({ stall: true, object: ids[0], count: 1 });
      await setup.fault({ stall: true, afterBytes: 100_000, object: ids[1], count: 1 });
      const replies = await Promise.all(ids.map((id) => setup.get(`/object/${id}/500000`)));
      for (const [i, reply] of replies.entries()) {
        const id = ids[i] ?? '';
        expect([reply.status, reply.complete, reply.body.length]).toEqual([200, true, 500_000]);
        expectContent(reply.body, id);
        expect(await setup.cdnOf(id)).toEqual({ bodyBytes: 500_000, requestCount: 2 });
      }
    });
  });
});

describe.concurrent('the admin interface of a node', () => {
  it.runIf(process.platform === 'linux')('says so when a worker does not confirm a purge', async () => {
    await withSetup({ workers: 3, cdn: ['--cache-control', 'max-age=3600'] }, async (setup) => {
      // Every worker knows the object: connections go round.
      for (let i = 0; i < 6; i += 1) await expectWhole(setup, 'frozen', 1000);
      const purge = `/objects?url=http://${origin}/object/frozen/1000`;
      const [worker = 0] = childrenOf(setup.node.pid);
      process.kill(worker, 'SIGSTOP');
      try {
        const reply = await ask({ port: setup.node.admin.port, path: purge, method: 'DELETE', headers: {} });
        const { workersConfirmed, workersSilent } = JSON.parse(reply.body.toString()) as Record<string, unknown>;
        expect([reply.status, workersConfirmed, workersSilent]).toEqual([504, 2, 1]);
      } finally {
        process.kill(worker, 'SIGCONT');
      }
      await adminJson(setup.node, 'DELETE', purge); // it is 200 now
    });
  });
});
