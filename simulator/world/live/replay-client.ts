// One client of a replayed log: its requests go out when they are due, each on a connection that is idle, else on one
// more, up to a limit; what is due beyond that waits, and its latency counts from when it was due.

import { Fifo } from './fifo.ts';
import type { LiveDevice } from './live-device.ts';
import type { Endpoint } from './range-transfer.ts';
import { ReplayLane } from './replay-lane.ts';
import type { ReplayedRequest } from './replayed-request.ts';

export class ReplayClient {
  readonly device: LiveDevice;
  readonly #lanesMax: number;
  readonly #lanes: ReplayLane[] = [];
  readonly #waiting = new Fifo<ReplayedRequest>();
  #requestCount = 0;
  /** Requests that have not ended. */
  pendingCount = 0;
  /** Whether one of its requests was given up. */
  hasFailed = false;

  constructor(device: LiveDevice, lanesMax: number) {
    this.device = device;
    this.#lanesMax = lanesMax;
  }

  get isConnected(): boolean {
    return this.#lanes.length > 0;
  }

  /** Sends a request to a source, or lets it wait for a connection. */
  transfer(request: ReplayedRequest, endpoint: Endpoint): void {
    request.endpoint = endpoint;
    const lane = this.#waiting.count > 0 ? undefined : this.#freeLane(endpoint);
    if (lane === undefined) this.#waiting.push(request);
    else lane.ask(request);
  }

  /** The request that waits longest goes out on it. */
  laneIsFree(): void {
    const endpoint = this.#waiting.first?.endpoint;
    const lane = endpoint === undefined || this.device.fleet.isEnding ? undefined : this.#freeLane(endpoint);
    if (lane !== undefined) lane.ask(this.#waiting.take());
  }

  /** Closes connections that nothing was asked on since then. */
  closeIdle(sinceMs: number): void {
    for (let i = this.#lanes.length - 1; i >= 0; i -= 1) {
      const lane = this.#lanes[i];
      if (lane === undefined || lane.isBusy || lane.idleSinceMs > sinceMs) continue;
      lane.stop();
      this.#lanes.splice(i, 1);
    }
  }

  /** The run is over. */
  stop(): void {
    for (const lane of this.#lanes.splice(0)) lane.stop();
  }

  /** MS-CV of its next request, numbered as the real client does. */
  nextCorrelationVector(): string {
    this.#requestCount += 1;
    return `${this.device.correlationVector}.2.${this.#requestCount}`;
  }

  /** An idle connection to that server, else a new one; undefined when all that it may have are busy. */
  #freeLane(endpoint: Endpoint): ReplayLane | undefined {
    const idle = this.#lanes.find((lane) => !lane.isBusy && lane.endpoint.server === endpoint.server);
    if (idle !== undefined) return idle;
    if (this.#lanes.length >= this.#lanesMax) {
      // One that leads elsewhere makes room.
      const other = this.#lanes.findIndex((lane) => !lane.isBusy);
      if (other < 0) return undefined;
      for (const lane of this.#lanes.splice(other, 1)) lane.stop();
    }
    const lane = new ReplayLane(this, endpoint);
    this.#lanes.push(lane);
    return lane;
  }
}
