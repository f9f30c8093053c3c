// The connections of a device process: opened from source addresses that are spread over the devices, into one read
// buffer, and kept in the books by the name of the server that they lead to.

import { type ConnectionOptions, type Failure, HttpConnection } from '../../../common/http-connection.ts';
import { loadKernelReads } from '../../../common/kernel-reads.ts';
import type { LedgerEntry } from '../../../common/ledger.ts';
import type { LiveDevice } from './live-device.ts';
import type { Endpoint } from './range-transfer.ts';

/**
 * Read buffer that all connections of the process share: more than is gathered, so that one read takes what came meanwhile, too.
 * And where all but heads is dropped in the kernel.
 */
const readBufferBytes = 2 ** 20;
const headBufferBytes = 4096;
/** How fast the whole fleet connects before a window, and how often it tries again for devices that lost theirs. */
export const connectsPerSecond = 5000;
const connectTickMs = 10;
const connectRoundsMax = 4;
/** How long a device may take until it opens its first connection: a Linux agent's first request leaves 100 ms after it is due. */
const firstConnectionMsMax = 1000;
/** Devices that share an address of 127.0.0.0/8, and its ports. */
export const devicesPerSourceAddress = 1000;

export class FleetConnections {
  /** By server: the nodes in the scenario's order, then the CDN. */
  readonly #servers: readonly string[];
  readonly #sourceNetwork: string | undefined;
  readonly #open = new Map<HttpConnection, string>();
  /** Closed by their devices, and still open for their servers, which were told nothing. */
  #halfOpen: HttpConnection[] = [];
  readonly #ledgers: Record<string, LedgerEntry[]> = {};
  /** What every connection is made with. */
  readonly #reads: Pick<ConnectionOptions, 'readBuffer' | 'kernelReads' | 'drops'>;
  #connecting = 0;
  #whenOpened: (() => void) | undefined;
  /** The first one that could not be opened. */
  #problem: string | undefined;

  /** `discards`: nobody looks at bodies. */
  constructor(servers: readonly string[], sourceNetwork: string | undefined, discards: boolean) {
    this.#servers = servers;
    this.#sourceNetwork = sourceNetwork;
    const kernelReads = loadKernelReads();
    const drops = discards && kernelReads !== undefined;
    this.#reads = { readBuffer: Buffer.allocUnsafeSlow(drops ? headBufferBytes : readBufferBytes), kernelReads, drops };
  }

  open(endpoint: Endpoint, device: LiveDevice, onConnect: (failure: Failure | undefined) => void): HttpConnection {
    this.#connecting += 1;
    let opened = false;
    const server = this.#servers[endpoint.server] ?? '';
    const connection: HttpConnection = new HttpConnection(
      {
        host: endpoint.host,
        port: endpoint.port,
        localAddress: this.#sourceAddress(device),
        line: device.line?.connect(),
        ...this.#reads,
        onUnasked: () => device.failedUnasked(endpoint.server, connection.peer, 'bytes that nobody asked for'),
        onClose: (closed) => {
          this.#open.delete(closed);
          if (!opened) this.#connected();
          else device.connectionClosed();
          if (closed.peer !== '') this.#note(server, closed);
          if (closed.isHalfOpen) this.#halfOpen.push(closed);
        },
      },
      (failure) => {
        if (failure === undefined) {
          opened = true;
          this.#open.set(connection, server);
          device.connectionOpened();
          this.#connected();
        } else this.#problem ??= `${server}: ${failure.detail}`;
        onConnect(failure);
      },
    );
    return connection;
  }

  /**
   * Every device opens its connections; resolves when all are open, or with the first problem. `processCount`: how many
   * processes do so at once.
   */
  async openAll(devices: readonly LiveDevice[], processCount: number): Promise<string | undefined> {
    for (let round = 0; round < connectRoundsMax; round += 1) {
      const unconnected = devices.filter((device) => device.openConnections === 0);
      if (unconnected.length === 0 || this.#problem !== undefined) break;
      await this.#openSlowly(unconnected, processCount);
    }
    const lostCount = devices.filter((device) => device.openConnections === 0).length;
    return this.#problem ?? (lostCount === 0 ? undefined : `${lostCount} connections were lost again and again`);
  }

  /** At the end of the run. */
  buryHalfOpen(): void {
    for (const connection of this.#halfOpen) connection.bury();
    this.#halfOpen = [];
  }

  /** Both those that have ended and those that are open now. */
  ledgers(): Readonly<Record<string, readonly LedgerEntry[]>> {
    for (const [connection, server] of this.#open) this.#note(server, connection);
    return this.#ledgers;
  }

  /** At a rate that a listener can accept: connections that overflow its queue are lost without a word. */
  async #openSlowly(devices: readonly LiveDevice[], processCount: number): Promise<void> {
    const perTick = Math.max(1, Math.round((connectsPerSecond * connectTickMs) / 1000 / processCount));
    for (let first = 0; first < devices.length; first += perTick) {
      for (const device of devices.slice(first, first + perTick)) device.connect();
      await new Promise((resolve) => setTimeout(resolve, connectTickMs));
    }
    const untilMs = performance.now() + firstConnectionMsMax;
    for (;;) {
      while (this.#connecting > 0) await this.#oneOpened();
      if (devices.every(({ connectionCount }) => connectionCount > 0) || performance.now() > untilMs) return;
      await new Promise((resolve) => setTimeout(resolve, connectTickMs));
    }
  }

  #sourceAddress(device: LiveDevice): string | undefined {
    if (this.#sourceNetwork === undefined) return undefined;
    const number = Math.floor(device.plan.index / devicesPerSourceAddress);
    return `${this.#sourceNetwork}.${number >> 8}.${1 + (number & 0xff)}`;
  }

  #connected(): void {
    this.#connecting -= 1;
    this.#whenOpened?.();
  }

  #oneOpened(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenOpened = resolve;
    });
  }

  #note(server: string, connection: HttpConnection): void {
    const { peer, bodyBytes, answerCount, cut } = connection;
    const entries = this.#ledgers[server] ?? [];
    this.#ledgers[server] = entries;
    entries.push({ peer, bodyBytes, answerCount, cut });
  }
}
