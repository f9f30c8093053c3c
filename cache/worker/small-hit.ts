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
let shared = Buffer.allocUnsafeSlow(headRoomBytes + bodyBytesMax);

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
  if (request.authorization !== undefined || Date.now() >= generation.freshness.freshUntilMs) return false;
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
  send(state, connection, headBytes, bytes);
  return true;
}

function send(state: WorkerState, connection: ClientConnection, headBytes: number, bytes: number): void {
  const { books } = state;
  connection.sending = true;
  connection.answerCount += 1;
  let isDone = false;
  const total = headBytes + bytes;
  connection.send(shared, total, (taken, isWhole) => {
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
  if (!isDone) shared = Buffer.allocUnsafeSlow(headRoomBytes + bodyBytesMax);
}
