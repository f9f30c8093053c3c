// One client's connection at a worker: what was sent on it, for the books. The kernel's word counts: bytes handed to
// the socket are counted when libuv reports them written; on a broken connection, what is still queued is not counted.
// An upper bound that errs by at most the last write (256 KiB), and never the other way: the receiver cannot be ahead.

import type { Socket } from 'node:net';
import { type LedgerEntry, peerKey } from '../../common/ledger.ts';

/** What we need of libuv's handle: no public interface of Node tells it. */
type SocketHandle = { readonly writeQueueSize?: number; readonly fd?: number };

export class ClientConnection {
  readonly socket: Socket;
  readonly peer: string;
  readonly client: string;
  /** Requests whose head had come. */
  requestCount = 0;
  bodyBytes = 0;
  hitBytes = 0;
  missBytes = 0;
  /** When the last answer's head was sent, by performance.now(). */
  headAtMs = 0;
  #answerCount = 0;
  cut = false;
  /** Whether a body is being sent at present. */
  sending = false;
  readonly #handle: SocketHandle | null;

  constructor(socket: Socket) {
    this.socket = socket;
    this.client = socket.remoteAddress ?? '';
    this.peer = peerKey(socket.remoteAddress, socket.remotePort);
    this.#handle = (socket as unknown as { readonly _handle: SocketHandle | null })._handle;
  }

  /** Heads sent so far. */
  get answerCount(): number {
    return this.#answerCount;
  }

  set answerCount(count: number) {
    this.#answerCount = count;
    this.headAtMs = performance.now();
  }

  /** Bytes given to the socket that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#handle?.writeQueueSize ?? 0;
  }

  /** The descriptor, when the socket is open and nothing of ours waits in user space; else undefined. */
  get idleDescriptor(): number | undefined {
    const { socket } = this;
    if (socket.destroyed || socket.writableLength > 0 || this.queuedBytes > 0) return undefined;
    const fd = this.#handle?.fd;
    return fd === undefined || fd < 0 ? undefined : fd;
  }

  entry(): LedgerEntry {
    const { peer, bodyBytes, answerCount, cut } = this;
    return { peer, bodyBytes, answerCount, cut: cut || this.sending };
  }
}
