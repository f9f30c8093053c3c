// The line of one device in the live world: the pace that all its connections share, and for each connection what its group's
// `line` makes of it. Nothing is copied or stored: a connection is not read while its bytes are held, and TCP slows its
// sender down.
//
//   server ─▶ TCP ─▶ read, at most `readBytesMax` ─▶ faults of the connection ─▶ pace of the connection ─▶ pace of the device
//                            ▲                                                                                │
//                            └──────────────── release, when all that was read has passed ◀───────────────────┘

import type { Line, Shaped } from '../../../common/line.ts';
import { mix32 } from '../../../common/random.ts';
import { Pace } from '../../device/pace.ts';
import type { ProcessLine } from '../../scenario/scenario.ts';
import { LineFaults } from './line-faults.ts';

/** A read is what a line carries in about so long: short against a second, long against what a read costs. */
const readMs = 32;
const readBytesMin = 64;
/** Timers are no finer: what is owed for less is left to the next read. */
const holdMsMin = 1;

export class DeviceLine {
  readonly #pace: Pace;
  readonly #spec: ProcessLine | undefined;
  readonly #seed: number;
  #connectionCount = 0;
  /** Those that may not be read until the device's pace allows it. */
  #waiting: Shaped[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `rateBytesPerMs`: Infinity for no limit. `seed`: of the device. */
  constructor(rateBytesPerMs: number, spec: ProcessLine | undefined, seed: number) {
    this.#pace = new Pace(rateBytesPerMs);
    this.#spec = spec;
    this.#seed = seed;
  }

  /** The line of its next connection. */
  connect(): Line {
    this.#connectionCount += 1;
    return new ConnectionLine(this, this.#spec, mix32(this.#seed ^ Math.imul(this.#connectionCount, 0x85ebca6b)));
  }

  get rateBytesPerMs(): number {
    return this.#pace.rateBytesPerMs;
  }

  setRate(rateBytesPerMs: number, nowMs: number): void {
    this.#pace.setRate(rateBytesPerMs, nowMs);
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    for (const connection of this.#waiting) connection.heldUntilMs = nowMs + this.#pace.owedMs(nowMs);
    this.#arm(nowMs);
  }

  take(bytes: number, nowMs: number): void {
    this.#pace.take(bytes, nowMs);
  }

  /** Whether the device may receive more; if not, this connection is released with the others that wait. */
  passes(connection: Shaped, nowMs: number): boolean {
    const owedMs = this.#pace.owedMs(nowMs);
    if (owedMs < holdMsMin) return true;
    connection.heldUntilMs = nowMs + owedMs;
    this.#waiting.push(connection);
    if (this.#timer === undefined) this.#arm(nowMs);
    return false;
  }

  #arm(nowMs: number): void {
    this.#timer = setTimeout(() => this.#wake(), this.#pace.owedMs(nowMs));
  }

  /** All that wait may read once, in the order in which they came: so nobody starves. */
  #wake(): void {
    const nowMs = performance.now();
    this.#timer = undefined;
    if (this.#pace.owedMs(nowMs) >= holdMsMin) {
      this.#arm(nowMs);
      return;
    }
    const released = this.#waiting;
    this.#waiting = [];
    release(released, this.#pace);
  }
}

class ConnectionLine implements Line {
  readonly #device: DeviceLine;
  readonly #faults: LineFaults | undefined;
  readonly #pace: Pace | undefined;

  constructor(device: DeviceLine, spec: ProcessLine | undefined, seed: number) {
    this.#device = device;
    this.#faults = spec === undefined ? undefined : new LineFaults(spec, seed);
    this.#pace = spec?.rateBytesPerMs === undefined ? undefined : new Pace(spec.rateBytesPerMs);
  }

  get isDead(): boolean {
    return this.#faults?.isDead === true;
  }

  get readBytesMax(): number {
    const rate = Math.min(this.#device.rateBytesPerMs, this.#pace?.rateBytesPerMs ?? Number.POSITIVE_INFINITY);
    const ofRate = Math.max(readBytesMin, rate * readMs);
    const untilNext = this.#faults?.untilNextBytes ?? Number.POSITIVE_INFINITY;
    return Math.max(1, Math.floor(Math.min(Number.MAX_SAFE_INTEGER, ofRate, untilNext)));
  }

  opening(): number {
    return this.#faults?.openingMs() ?? 0;
  }

  asking(): number {
    if (this.isDead) return Number.POSITIVE_INFINITY;
    return this.#faults?.askingMs() ?? 0;
  }

  take(bytes: number, nowMs: number, connection: Shaped): boolean {
    this.#device.take(bytes, nowMs);
    this.#pace?.take(bytes, nowMs);
    const silentMs = this.#faults?.advance(bytes) ?? 0;
    if (this.isDead) return false;
    if (this.#faults?.isBroken === true) {
      // Not within this call: what was read is still to be parsed.
      queueMicrotask(() => connection.fail({ cause: 'reset', detail: 'reset by its line' }));
      return false;
    }
    if (silentMs === 0) return this.#passes(connection, nowMs);
    setTimeout(() => {
      if (this.#passes(connection, performance.now())) connection.release();
    }, silentMs);
    return false;
  }

  /** Whether both paces let it go on; if not, it is released later. */
  #passes(connection: Shaped, nowMs: number): boolean {
    const pace = this.#pace;
    const owedMs = pace?.owedMs(nowMs) ?? 0;
    if (owedMs < holdMsMin) return this.#device.passes(connection, nowMs);
    connection.heldUntilMs = nowMs + owedMs;
    setTimeout(() => {
      if (this.#device.passes(connection, performance.now())) release([connection], pace);
    }, owedMs);
    return false;
  }
}

/** What has come by now is read before the event loop comes to its immediates: the rest was not there in time. */
function release(connections: readonly Shaped[], pace: Pace | undefined): void {
  pace?.wake();
  for (const connection of connections) connection.release();
  setImmediate(() => pace?.settle());
}
