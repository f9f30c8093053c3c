// sendfile(2) on Linux, called through koffi: bytes go from the page cache to the socket without passing through user
// space. Elsewhere, and where koffi does not load, there is none, and answers read and write (answer.ts).
//
// The loop must not wait for a disk: before a stretch is sent, `isCached` asks (preadv2 with RWF_NOWAIT, a byte of every
// 128 KiB, the kernel's read-ahead unit) whether it is in memory; what is not is read by the thread pool first.

import { assert, errorCode } from '../../common/errors.ts';
import { loadKoffi } from '../../common/koffi.ts';

export interface SendFile {
  /** Sends up to `count` bytes from `offset` of a file; how many went, 0 when the socket takes no more, -1 on an error. */
  send(socketFd: number, fileFd: number, offset: number, count: number): number;
  /**
   * Sends text (Latin-1) that more will follow at once: the kernel waits for that before it makes a packet. How many
   * characters went.
   */
  sendLead(socketFd: number, text: string): number;
  /** Bytes that the kernel has taken and the other side has not acknowledged yet; undefined when it does not tell. */
  unacknowledged(socketFd: number): number | undefined;
  /** Whether the file's bytes are in memory, as far as a sample tells. */
  isCached(fileFd: number, offset: number, count: number): boolean;
  /** Copies up to `count` bytes that are in memory to `at` of a buffer; how many, 0 when they are not there. */
  readCached(fileFd: number, offset: number, buffer: Buffer, at: number, count: number): number;
}

const EAGAIN = 11;
const RWF_NOWAIT = 0x8;
const sampleBytes = 128 * 1024;
const MSG_DONTWAIT_MORE_NOSIGNAL = 0x40 | 0x8000 | 0x4000;
const leadBytesMax = 8 * 1024;
const SIOCOUTQ = 0x5411;

/** The fast path, or undefined with the reason on standard error when Linux lacks it. */
export function loadSendFile(): SendFile | undefined {
  const koffi = loadKoffi();
  if ('missing' in koffi) {
    if (koffi.missing !== 'not Linux' && koffi.missing !== 'CACHE_NODE_PORTABLE') say(koffi.missing);
    return undefined;
  }
  try {
    const libc = koffi.load(null);
    const sendfile = libc.func('int64_t sendfile(int out, int in, int64_t *offset, size_t count)');
    const preadv2 = libc.func('int64_t preadv2(int fd, void *iov, int count, int64_t offset, int flags)');
    const send = libc.func('int64_t send(int socket, void *bytes, size_t count, int flags)');
    const lead = Buffer.allocUnsafeSlow(leadBytesMax);
    const ioctl = libc.func('int ioctl(int fd, unsigned long request, int *value)');
    const outQueue = new Int32Array(1);
    const offsetCell = new BigInt64Array(1);
    // struct iovec { void *base; size_t length } that names one byte. Its memory must not be on V8's heap, where the
    // garbage collector moves it: typed arrays of up to 64 bytes are.
    const sampled = Buffer.allocUnsafeSlow(4096);
    const iovec = new BigUint64Array([koffi.address(sampled), 1n]);
    // Another for a place in a buffer, as 32-bit halves: BigInts would cost more than the call.
    const place = new Uint32Array(4);
    let lastBuffer: Buffer | undefined;
    let lastAddress = 0;
    return {
      send(socketFd, fileFd, offset, count) {
        offsetCell[0] = BigInt(offset);
        const sent = Number(sendfile(socketFd, fileFd, offsetCell, count));
        if (sent >= 0) return sent === 0 ? -1 : sent;
        return koffi.errno() === EAGAIN ? 0 : -1;
      },
      sendLead(socketFd, text) {
        if (text.length > leadBytesMax) return 0;
        lead.write(text, 0, 'latin1');
        return Math.max(0, Number(send(socketFd, lead, text.length, MSG_DONTWAIT_MORE_NOSIGNAL)));
      },
      unacknowledged(socketFd) {
        return Number(ioctl(socketFd, SIOCOUTQ, outQueue)) === 0 ? outQueue[0] : undefined;
      },
      isCached(fileFd, offset, count) {
        assert(sampled.length > 0, 'the sampled byte is kept alive as long as its address');
        for (let at = offset; at < offset + count; at += sampleBytes) {
          if (Number(preadv2(fileFd, iovec, 1, at, RWF_NOWAIT)) !== 1) return false;
        }
        return true;
      },
      readCached(fileFd, offset, buffer, at, count) {
        assert(at + count <= buffer.length && buffer.length > 64, 'the buffer holds the bytes, off the heap of V8');
        if (buffer !== lastBuffer) {
          lastBuffer = buffer;
          lastAddress = Number(koffi.address(buffer));
        }
        const address = lastAddress + at;
        place[0] = address % 2 ** 32;
        place[1] = Math.floor(address / 2 ** 32);
        place[2] = count;
        return Math.max(0, Number(preadv2(fileFd, place, 1, offset, RWF_NOWAIT)));
      },
    };
  } catch (error) {
    say(errorCode(error));
    return undefined;
  }
}

function say(why: string): void {
  process.stderr.write(`cache node: no sendfile here (${why}): answers are read and written\n`);
}
