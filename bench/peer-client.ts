// Load tools that are libraries of Node, each in a process of its own: undici and autocannon, on so many connections, for so
// long. Prints a LoadReport (generator-loads.ts) as one line of JSON.
//
// Argument: a PeerOrder as JSON.

import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { Pool } from 'undici';
import { warmUpMs } from './fleet-order.ts';
import type { LoadReport, PeerOrder } from './generator-loads.ts';

const order = JSON.parse(process.argv[2] ?? '') as PeerOrder;
const { port, path, sizeBytes, pieceBytes, connections, seconds } = order;
const origin = `http://127.0.0.1:${port}`;

function randomRange(): string {
  const start = Math.floor(Math.random() * (sizeBytes / pieceBytes)) * pieceBytes;
  return `bytes=${start}-${start + pieceBytes - 1}`;
}

/** `request`, its body read to the end and dropped. */
async function byUndici(): Promise<LoadReport> {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  let bytes = 0;
  let requests = 0;
  const ask = async (): Promise<void> => {
    for (;;) {
      const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { range: randomRange() } });
      if (statusCode !== 206) throw new Error(`answered ${statusCode}`);
      for await (const chunk of body) bytes += (chunk as Buffer).length;
      requests += 1;
    }
  };
  // They end with the process: what is under way at the end counts as far as it came.
  const failed = Promise.race(Array.from({ length: connections }, ask));
  await Promise.race([failed, sleep(warmUpMs)]);
  bytes = 0;
  requests = 0;
  const cpu = process.cpuUsage();
  await Promise.race([failed, sleep(seconds * 1000)]);
  const { user, system } = process.cpuUsage(cpu);
  return { bytes, requests, cpuSeconds: (user + system) / 1e6 };
}

async function byAutocannon(): Promise<LoadReport> {
  const { errors, non2xx, requests, throughput } = await autocannon({
    url: `${origin}${path}`,
    connections,
    duration: seconds,
    requests: [{ setupRequest: (request) => ({ ...request, headers: { ...request.headers, range: randomRange() } }) }],
  });
  if (errors > 0 || non2xx > 0) throw new Error(`${errors} errors, ${non2xx} answers other than 2xx`);
  return { bytes: throughput.total, requests: requests.total };
}

const report = order.peer === 'undici' ? await byUndici() : await byAutocannon();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
