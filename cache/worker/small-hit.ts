// The shortest way to an answer: a small range of fresh content that is stored and in memory is read behind its head into
// one buffer, and both leave by one write. Whatever is different in any way takes the ordinary way (exchange.ts), whose
// answer would be the same.

import { Buffer } from 'node:buffer';
import { parseRangeHeader, resolveRange } from '../../common/byte-range.ts';
import type { RequestHead } from '../http/request-head.ts';
import { extentBytes } from '../protocol.ts';
import { contentHeadText } from './answer-head.ts';
import type { ClientConnection } from './client-connection.ts';
import type { LocalGeneration } from './local-catalogue.ts';
import type { WorkerState } from './worker-state.ts';

/** A larger body is cheaper to send by sendfile. */
const bodyBytesMax = 32 * 1024;
const headRoomBytes = 8 * 1024;
/** Head and body of the answer being sent; a new one takes its place when the socket did not take all at once. */
const room = (): Buffer => Buffer.allocUnsafeSlow(headRoomBytes + bodyBytesMax);
let shared = room();

/** Answers if this is such a request; false when it is not, and nothing has been sent. */
export function answerSmallHit(
  state: WorkerState,
  connection: ClientConnection,
  request: RequestHead,
  generation: LocalGeneration,
): boolean {
  const { sendFile } = state;
  if (sendFile === undefined || state.pacer.isLimited || request.method !== 'GET' || request.hasConditions)
    return false;
  const nowMs = Date.now();
  if (request.authorization !== undefined || nowMs >= generation.freshness.freshUntilMs) return false;
  const { sizeBytes } = generation.meta;
  const specs = request.range === undefined ? undefined : parseRangeHeader(request.range);
  if (specs !== undefined && specs.length !== 1) return false;
  const part = specs?.[0] === undefined ? undefined : resolveRange(specs[0], sizeBytes);
  if (specs !== undefined && part === undefined) return false;
  const { start, end } = part ?? { start: 0, end: sizeBytes };
  const bytes = end - start;
  const index = Math.floor(start / extentBytes);
  const extent = generation.extents.get(index);
  if (bytes === 0 || bytes > bodyBytesMax || extent === undefined || end > (index + 1) * extentBytes) return false;
  if (!generation.stored.covers(start, end) || connection.idleDescriptor === undefined) return false;
  const second = Math.floor(nowMs / 1000);
  const status = part === undefined ? 200 : 206;
  const hot = connection.keepAlive ? state.hot.find(generation, start, end) : undefined;
  if (hot !== undefined) {
    const isCurrent = hot.second === second && hot.status === status;
    if (!isCurrent && !hot.renew(contentHeadText(generation, state, 'hit', part, true), second, status)) return false;
    state.touch(generation);
    connection.noteHead(status);
    if (!send(state, connection, hot.bytes, hot.headBytes, bytes)) hot.detach();
    return true;
  }
  const file = state.files.opened(extent.path);
  if (file === undefined) return false;
  const head = contentHeadText(generation, state, 'hit', part, connection.keepAlive);
  const headBytes = head.length;
  let isRead = false;
  if (headBytes <= headRoomBytes) {
    shared.write(head, 0, 'latin1');
    isRead = sendFile.readCached(file.fd, start - index * extentBytes, shared, headBytes, bytes) === bytes;
  }
  state.files.giveBack(file);
  if (!isRead) return false;
  state.touch(generation);
  state.hot.offer(generation, start, end, shared, headBytes, second);
  connection.noteHead(status);
  if (!send(state, connection, shared, headBytes, bytes)) shared = room();
  return true;
}

/** Sends head and body, which a buffer begins with, by one write; false when the socket has not taken all of it yet. */
function send(
  state: WorkerState,
  connection: ClientConnection,
  answer: Buffer,
  headBytes: number,
  bytes: number,
): boolean {
  const { books } = state;
  connection.sending = true;
  let isDone = false;
  connection.send(answer, headBytes + bytes, (taken, isWhole) => {
    const bodyBytes = Math.max(0, taken - headBytes);
    connection.bodyBytes += bodyBytes;
    books.hitBytes += bodyBytes;
    books.egressBytes += bodyBytes;
    isDone = true;
    if (!isWhole) {
      connection.cut = true;
      return;
    }
    books.hitRequestCount += 1;
    connection.endAnswer();
  });
  return isDone;
}
