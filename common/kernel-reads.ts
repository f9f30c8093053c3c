// Two things that Linux does for a client that takes in a lot, called through koffi: it drops bytes that nobody will look at
// without copying them (recv with MSG_TRUNC and no buffer, tcp(7)), and it lets a reader sleep until a good deal has come
// (SO_RCVLOWAT, socket(7)), so that a read takes hundreds of KiB instead of what the sender's last write was.
// Elsewhere, and where koffi does not load, there is neither, and bytes are read as they come.

import type { Socket } from 'node:net';
import { loadKoffi } from './koffi.ts';

export interface KernelReads {
  /** Drops up to `count` bytes that have come; how many did. 0: none is there, or an error that the next read will tell. */
  drop(socketFd: number, count: number): number;
  /** From now on the socket is readable once so many bytes are there, or the other side has ended. 1: the usual. */
  wakeAt(socketFd: number, bytes: number): void;
}

const MSG_DONTWAIT_TRUNC = 0x40 | 0x20;
const SOL_SOCKET = 1;
const SO_RCVLOWAT = 18;

/** Both, or undefined where this machine has them not. */
export function loadKernelReads(): KernelReads | undefined {
  const koffi = loadKoffi();
  if ('missing' in koffi) return undefined;
  try {
    const libc = koffi.load(null);
    const recv = libc.func('int64_t recv(int socket, void *bytes, size_t count, int flags)');
    const setsockopt = libc.func('int setsockopt(int socket, int level, int option, void *value, uint32_t bytes)');
    // Off V8's heap, where the garbage collector would move it: typed arrays of up to 64 bytes are on it.
    const value = new Int32Array(Buffer.allocUnsafeSlow(4096).buffer);
    return {
      drop: (socketFd, count) => Math.max(0, Number(recv(socketFd, null, count, MSG_DONTWAIT_TRUNC))),
      wakeAt(socketFd, bytes) {
        value[0] = bytes;
        setsockopt(socketFd, SOL_SOCKET, SO_RCVLOWAT, value, 4);
      },
    };
  } catch {
    return undefined; // a C library without them: bytes are read as they come
  }
}

/** A connected socket's descriptor, which Node keeps to itself; undefined on Windows, and when the socket is gone. */
export function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}
