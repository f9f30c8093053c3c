// A small object that is asked for often, whole and by a range of all its bytes: each gets the status that it asked for.

import http from 'node:http';
import { expect, it } from 'vitest';
import { expectContent, origin, withSetup } from './node-process.ts';

it('a hot object is 200 to who asks for it, and 206 to who asks for a range of all of it', async () => {
  await withSetup({}, async (setup) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 60; i += 1) {
      const asksRange = i % 20 >= 10;
      const headers: Record<string, string> = { Host: origin, ...(asksRange ? { Range: 'bytes=0-' } : {}) };
      const reply = await setup.get('/object/hot/1000', headers, { agent });
      expect([i, reply.status]).toEqual([i, asksRange ? 206 : 200]);
      expect(reply.headers['content-range']).toBe(asksRange ? 'bytes 0-999/1000' : undefined);
      expectContent(reply.body, 'hot');
    }
    agent.destroy();
    expect((await setup.books()).answers).toEqual({ '200 miss': 1, '200 hit': 29, '206 hit': 30 });
  });
});
