// Where clients come in: the owner listens, and hands each connection to the worker that has the fewest. It keeps its own
// end of a connection until the worker says that it has it, so that a worker's death resets a client instead of leaving
// it to wait for an answer from nobody.

import net, { type Socket } from 'node:net';
import { type Address, formatAddress } from '../../common/address.ts';
import { errorCode, OperatorError } from '../../common/errors.ts';

/** A worker as the door sees it. */
export interface Seat {
  /** Gives a connection to the worker; false when it cannot be reached any more. */
  hand(id: number, socket: Socket): boolean;
}

export type DoorLimits = {
  /** Connections held at once, over all workers. */
  readonly maxConnections: number;
  /** Connections of one client address held at once; undefined: no limit of its own. */
  readonly maxConnectionsPerAddress: number | undefined;
};

const backlog = 4096;
/** Who is turned away is told so; when more than this many at once are being told, the rest are only closed. */
const refusingMax = 256;
const refusalMs = 2000;
const refusal = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n';

type Guest = { readonly address: string; socket: Socket | undefined };

export class FrontDoor {
  readonly #limits: DoorLimits;
  readonly #server: net.Server;
  readonly #guests = new Map<Seat, Map<number, Guest>>();
  readonly #byAddress = new Map<string, number>();
  /** Connections that came while no worker was there. */
  readonly #waiting: Socket[] = [];
  #guestCount = 0;
  #idCount = 0;
  #refusing = 0;
  /** Connections turned away because there were too many. */
  refusedCount = 0;

  constructor(limits: DoorLimits) {
    this.#limits = limits;
    this.#server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.#enter(socket));
  }

  /** Starts to listen; resolves to the port. */
  async listen(address: Address): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(cannotListen(address, errorCode(error))));
      this.#server.listen({ port: address.port, host: address.host, backlog }, resolve);
    });
    this.#server.on('error', (error) => {
      process.stderr.write(`cache node: --listen ${formatAddress(address)}: ${errorCode(error)}\n`);
    });
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Nobody comes in any more; who is in may stay. */
  close(): void {
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  addSeat(seat: Seat): void {
    this.#guests.set(seat, new Map());
    for (const socket of this.#waiting.splice(0)) this.#enter(socket);
  }

  /** The worker is gone: whom it had not taken over yet is reset. */
  removeSeat(seat: Seat): void {
    for (const guest of this.#guests.get(seat)?.values() ?? []) {
      guest.socket?.resetAndDestroy();
      this.#forget(guest);
    }
    this.#guests.delete(seat);
  }

  /** What a worker says of connections: those that it has now, and those that are closed. */
  hear(seat: Seat, taken: readonly number[], left: readonly number[]): void {
    const guests = this.#guests.get(seat);
    for (const id of taken) {
      const guest = guests?.get(id);
      guest?.socket?.destroy();
      if (guest !== undefined) guest.socket = undefined;
    }
    for (const id of left) {
      const guest = guests?.get(id);
      if (guest === undefined) continue;
      guests?.delete(id);
      this.#forget(guest);
    }
  }

  #enter(socket: Socket): void {
    socket.on('error', () => undefined); // its 'close' is what counts
    const seat = this.#emptiestSeat();
    const address = socket.remoteAddress;
    if (address === undefined) socket.destroy();
    else if (seat === undefined) this.#wait(socket);
    else if (this.#isFullFor(address)) this.#turnAway(socket);
    else {
      const id = this.#idCount++;
      const guest: Guest = { address, socket };
      this.#guests.get(seat)?.set(id, guest);
      this.#guestCount += 1;
      this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
      if (!seat.hand(id, socket)) this.hear(seat, [id], [id]);
    }
  }

  #wait(socket: Socket): void {
    if (this.#waiting.length < this.#limits.maxConnections) this.#waiting.push(socket);
    else this.#turnAway(socket);
  }

  #emptiestSeat(): Seat | undefined {
    let best: Seat | undefined;
    let bestCount = Number.POSITIVE_INFINITY;
    for (const [seat, guests] of this.#guests) {
      if (guests.size >= bestCount) continue;
      best = seat;
      bestCount = guests.size;
    }
    return best;
  }

  #isFullFor(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#guestCount >= maxConnections) return true;
    return maxConnectionsPerAddress !== undefined && (this.#byAddress.get(address) ?? 0) >= maxConnectionsPerAddress;
  }

  /** Overload is 503, never 4xx: a 4xx bans the node on the device that sees it. */
  #turnAway(socket: Socket): void {
    this.refusedCount += 1;
    if (this.#refusing >= refusingMax) {
      socket.destroy();
      return;
    }
    this.#refusing += 1;
    const timer = setTimeout(() => socket.destroy(), refusalMs);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refusing -= 1;
    });
    socket.resume();
    socket.end(refusal);
  }

  #forget(guest: Guest): void {
    this.#guestCount -= 1;
    const count = (this.#byAddress.get(guest.address) ?? 0) - 1;
    if (count > 0) this.#byAddress.set(guest.address, count);
    else this.#byAddress.delete(guest.address);
  }
}

function cannotListen(address: Address, code: string): OperatorError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there. Stop it, or choose another port (0 picks a free one)',
    EACCES: 'no right to use that port. Choose one above 1023, or run with the right to',
    EADDRNOTAVAIL: 'this machine has no such address',
  };
  return new OperatorError('CANNOT_LISTEN', `--listen ${formatAddress(address)}: ${why[code] ?? code}.`, 3);
}
