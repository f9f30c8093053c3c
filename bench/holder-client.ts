// Opens connections at a stated rate, asks once on each, and keeps them until standard input ends: idle ones, or slow readers
// that take 4 KiB at a time. Prints one line of JSON (HeldReport) when each is answered, or lost.
//
// Argument: a HolderOrder (holder.ts) as JSON.

import net from 'node:net';
import type { HeldReport, HolderOrder } from './holder.ts';

const order = JSON.parse(process.argv[2] ?? '') as HolderOrder;
const { port, count, perSecond, bytesPerSecond } = order;
const readBuffer = Buffer.allocUnsafeSlow(4096);
const tickMs = 50;
/** All that is not answered by then is lost. */
const givenUpMs = 60_000;
const rangeLine = order.range === undefined ? '' : `Range: ${order.range}\r\n`;
const request = `GET ${order.target} HTTP/1.1\r\nHost: bench.test\r\n${rangeLine}\r\n`;
/** Bytes of a whole small answer: 4 KiB and a head. */
const answeredBytes = bytesPerSecond === undefined ? 4096 : 1;

let started = 0;
let answered = 0;
let lost = 0;
let lastAnswerMs = 0;
let isReported = false;
const startMs = performance.now();
const slowReaders: net.Socket[] = [];

function open(index: number): void {
  let received = 0;
  let isSettled = false;
  const socket = net.connect({
    port,
    host: '127.0.0.1',
    localAddress: `127.0.1.${order.firstAddress + (index % 8)}`,
    onread: {
      buffer: readBuffer,
      callback: (bytes) => {
        received += bytes;
        if (!isSettled && received >= answeredBytes) {
          isSettled = true;
          answered += 1;
          lastAnswerMs = performance.now();
        }
        return bytesPerSecond === undefined;
      },
    },
  });
  socket.on('error', () => undefined); // 'close' follows
  socket.on('close', () => {
    // One that was answered and is gone before its time is not held.
    if (isSettled) answered -= 1;
    isSettled = true;
    lost += 1;
  });
  socket.write(request);
  if (bytesPerSecond !== undefined) slowReaders.push(socket);
}

const readEveryMs =
  bytesPerSecond === undefined ? Number.POSITIVE_INFINITY : (readBuffer.length * 1000) / bytesPerSecond;
let turn = 0;

setInterval(() => {
  const nowMs = performance.now();
  const due = Math.min(count, Math.ceil(((nowMs - startMs) / 1000) * perSecond));
  while (started < due) open(started++);
  // Each slow reader has its turn once in `readEveryMs`.
  const turns = Math.ceil((slowReaders.length * tickMs) / readEveryMs);
  for (let i = 0; i < Math.min(turns, slowReaders.length); i += 1) slowReaders[turn++ % slowReaders.length]?.resume();
  if (isReported || started < count || (answered + lost < count && nowMs - startMs < givenUpMs)) return;
  isReported = true;
  const report: HeldReport = {
    heldCount: answered,
    lostCount: count - answered,
    seconds: (lastAnswerMs - startMs) / 1000,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}, tickMs);

process.stdin.on('end', () => process.exit(0)).resume();
