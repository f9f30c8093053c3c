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
/**
 * Connections on their way to one worker: Node's channel carries one handle at a time, and for each it goes through all
 * messages that wait behind it.
 */
const underWayMax = 16;
/** Who is turned away is told so; when more than this many at once are being told, the rest are only closed. */
const refusingMax = 256;
const refusalMs = 2000;
const refusal = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n';

type Guest = { readonly id: number; readonly address: string; socket: Socket | undefined };

/** Whom a worker has, or will have: `queue` is still to be handed over. */
type Table = { readonly guests: Map<number, Guest>; readonly queue: Guest[]; underWayCount: number };

export class FrontDoor {
  readonly #limits: DoorLimits;
  readonly #server: net.Server;
  readonly #tables = new Map<Seat, Table>();
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
    this.#tables.set(seat, { guests: new Map(), queue: [], underWayCount: 0 });
    for (const socket of this.#waiting.splice(0)) this.#enter(socket);
  }

  /** The worker is gone: whom it had not taken over yet is reset. */
  removeSeat(seat: Seat): void {
    const table = this.#tables.get(seat);
    this.#tables.delete(seat);
    for (const guest of table?.guests.values() ?? []) {
      guest.socket?.resetAndDestroy();
      this.#forget(guest);
    }
  }

  /** What a worker says of connections: those that it has now, and those that are closed. */
  hear(seat: Seat, taken: readonly number[], left: readonly number[]): void {
    const table = this.#tables.get(seat);
    if (table === undefined) return;
    for (const id of taken) {
      const guest = table.guests.get(id);
      guest?.socket?.destroy();
      if (guest !== undefined) guest.socket = undefined;
      table.underWayCount -= 1;
    }
    for (const id of left) {
      const guest = table.guests.get(id);
      if (guest === undefined) continue;
      table.guests.delete(id);
      this.#forget(guest);
    }
    this.#handOn(seat, table);
  }

  /** Hands over who waits for this worker, as many at once as may be. */
  #handOn(seat: Seat, table: Table): void {
    while (table.underWayCount < underWayMax) {
      const guest = table.queue.shift();
      if (guest === undefined) return;
      const isHanded = guest.socket !== undefined && !guest.socket.destroyed && seat.hand(guest.id, guest.socket);
      if (isHanded) table.underWayCount += 1;
      else {
        guest.socket?.destroy();
        table.guests.delete(guest.id);
        this.#forget(guest);
      }
    }
  }

  #enter(socket: Socket): void {
    socket.on('error', () => undefined); // its 'close' is what counts
    const [seat, table] = this.#emptiest() ?? [];
    const address = socket.remoteAddress;
    if (address === undefined) socket.destroy();
    else if (seat === undefined || table === undefined) this.#wait(socket);
    else if (this.#isFullFor(address)) this.#turnAway(socket);
    else {
      const id = this.#idCount++;
      const guest: Guest = { id, address, socket };
      this.#guestCount += 1;
      this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
      table.guests.set(id, guest);
      table.queue.push(guest);
      this.#handOn(seat, table);
    }
  }

  #wait(socket: Socket): void {
    if (this.#waiting.length < this.#limits.maxConnections) this.#waiting.push(socket);
    else this.#turnAway(socket);
  }

  #emptiest(): readonly [Seat, Table] | undefined {
    let best: readonly [Seat, Table] | undefined;
    for (const each of this.#tables) if (best === undefined || each[1].guests.size < best[1].guests.size) best = each;
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
