// A server that answers at once with small objects, and stands still once: its whole process, for a time, so long after its
// first request. Any host and query; the last part of the path is the object's id. Arguments: size of every object in bytes, ms
// from the first request to the standstill, ms that it lasts.

import { createServer } from 'node:net';
import { printReady, watchParent } from '../common/child-program.ts';
import { ContentFunction, etagOf } from '../common/content.ts';

const [sizeBytes = 0, afterMs = 0, stallMs = 0] = process.argv.slice(2, 5).map(Number);
const answers = new Map<string, Buffer>();
let isArmed = true;

function answerTo(id: string): Buffer {
  let answer = answers.get(id);
  if (answer === undefined) {
    const body = Buffer.alloc(sizeBytes);
    new ContentFunction(id, 1).fill(body, 0, 0, sizeBytes);
    const head =
      `HTTP/1.1 206 Partial Content\r\nContent-Length: ${sizeBytes}\r\n` +
      `Content-Range: bytes 0-${sizeBytes - 1}/${sizeBytes}\r\nETag: ${etagOf(id, 1)}\r\n\r\n`;
    answer = Buffer.concat([Buffer.from(head), body]);
    answers.set(id, answer);
  }
  return answer;
}

function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stallMs);
}

const server = createServer({ noDelay: true }, (socket) => {
  let text = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const id = /^GET [^ ?]*\/([^/ ?]+)[ ?]/.exec(text)?.[1] ?? '';
      text = text.slice(end + 4);
      if (isArmed) {
        isArmed = false;
        setTimeout(standStill, afterMs);
      }
      socket.write(answerTo(id));
    }
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  printReady(`127.0.0.1:${port}`, `127.0.0.1:${port}`);
});
watchParent(() => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
