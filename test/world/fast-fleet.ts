// A fleet whose clock runs faster than the wall's: what takes minutes for a device takes seconds in a test.

import type { DeviceOrder } from '../../simulator/world/live/device-protocol.ts';
import type { Cancel } from '../../simulator/world/world.ts';
import { FleetWithRows } from './range-rows.ts';

/** How often the fast clock is read at least. */
const tickMs = 4;

/** Its clock runs `scale` times as fast as the wall's, but not on while this process stands still. */
export class FastFleet extends FleetWithRows {
  readonly #scale: number;
  readonly #ticker: NodeJS.Timeout;
  #readAtMs = performance.now();
  #nowMs = 0;

  constructor(order: DeviceOrder, onIdle: () => void, scale: number) {
    super(order, onIdle);
    this.#scale = scale;
    this.#ticker = setInterval(() => this.now(), tickMs);
  }

  override now(): number {
    const wallMs = performance.now();
    this.#nowMs += Math.min(wallMs - this.#readAtMs, 2 * tickMs) * this.#scale;
    this.#readAtMs = wallMs;
    return this.#nowMs;
  }

  override schedule(atMs: number, run: () => void): Cancel {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = Math.max(0, Math.ceil((atMs - this.now()) / this.#scale));
      timer = setTimeout(() => (this.now() < atMs ? arm() : run()), leftMs);
    };
    arm();
    return () => clearTimeout(timer);
  }

  end(): void {
    clearInterval(this.#ticker);
  }
}
