// The replay of a log in one device process: its part of the requests, each asked for when it is due, whatever became of
// those before it (an open model). Clients are made when their first request is due.
//
//   log ─▶ PartRequests (read ahead, in order) ─▶ due ─▶ ReplayClient ─▶ ReplayLane ─▶ node, or CDN

import { OperatorError } from '../../../common/errors.ts';
import type { Source } from '../../device/download-policy.ts';
import { policyOf } from '../../device/policies.ts';
import { PartRequests, type TimedRequest } from '../../replay/part-requests.ts';
import type { ReplaySpec } from '../../scenario/replay-spec.ts';
import type { FleetGroup } from '../../scenario/scenario.ts';
import { policySettingsOf } from '../policy-settings.ts';
import { type Cancel, DownloadRunner, type Observation, type World } from '../world.ts';
import type { DeviceOrder, ReplayReport } from './device-protocol.ts';
import { LiveDevice } from './live-device.ts';
import type { LiveFleet } from './live-fleet.ts';
import { ReplayClient } from './replay-client.ts';
import { ReplayedRequest } from './replayed-request.ts';

export class Replay implements World<ReplayedRequest> {
  readonly #fleet: LiveFleet;
  readonly #group: FleetGroup;
  readonly #replay: ReplaySpec;
  readonly #part: DeviceOrder['part'];
  readonly #seed: number;
  readonly #requests: PartRequests;
  readonly #stream: AsyncGenerator<TimedRequest, void, void>;
  readonly #onIdle: () => void;
  readonly #clients = new Map<string, ReplayClient>();
  /** Clients that may have connections. */
  readonly #connected = new Set<ReplayClient>();
  #next: IteratorResult<TimedRequest, void> | undefined;
  #cancelWait: Cancel | undefined;
  #requestCount = 0;
  #allRead = false;
  #problem: string | undefined;

  constructor(
    fleet: LiveFleet,
    { scenario, part }: DeviceOrder,
    replay: ReplaySpec,
    group: FleetGroup,
    onIdle: () => void,
  ) {
    this.#fleet = fleet;
    this.#group = group;
    this.#replay = replay;
    this.#part = part;
    this.#seed = scenario.seed;
    this.#requests = new PartRequests(scenario, part);
    this.#stream = this.#requests.read();
    this.#onIdle = onIdle;
  }

  /** Opens the log and reads ahead; resolves with what is wrong with it, if anything is. */
  async open(): Promise<string | undefined> {
    try {
      this.#next = await this.#stream.next();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** The run has started: its clock is the fleet's. */
  start(): void {
    void this.#run();
  }

  /** Asks for nothing more; what is under way stays as far as it came. */
  stop(): void {
    this.#cancelWait?.();
    for (const client of this.#clients.values()) client.stop();
    void this.#stream.return();
  }

  /** Closes connections that nothing was asked on for as long as its client keeps them. */
  closeIdle(nowMs: number): void {
    for (const client of this.#connected) {
      client.closeIdle(nowMs - client.device.timeouts.idleCloseMs);
      if (!client.isConnected) this.#connected.delete(client);
    }
  }

  report(): ReplayReport {
    return {
      requestCount: this.#requestCount,
      lateLineCount: this.#requests.lateCount,
      heldCountMax: this.#requests.heldCountMax,
      problem: this.#problem,
    };
  }

  // ---- World

  now(): number {
    return this.#fleet.now();
  }

  schedule(atMs: number, run: () => void): Cancel {
    return this.#fleet.schedule(atMs, run);
  }

  transfer(request: ReplayedRequest, source: Source): void {
    if (this.#fleet.isEnding) return;
    this.#connected.add(request.client);
    request.client.transfer(request, this.#fleet.endpointOf(source, request.client.device));
  }

  observe(request: ReplayedRequest, what: Observation): void {
    const { client } = request;
    if (what.kind === 'source') {
      if (what.source.kind !== 'cdn' || what.because === undefined || this.#group.cacheHosts.length === 0) return;
      request.leftCacheHostAtMs = request.lastByteMs;
      client.device.fellBack(what.because);
      return;
    }
    client.pendingCount -= 1;
    if (what.kind === 'failed') client.hasFailed = true;
    this.#endClient(client);
  }

  // ---- The course of the log

  async #run(): Promise<void> {
    try {
      for (let turn = this.#next ?? (await this.#stream.next()); turn.done !== true; turn = await this.#stream.next()) {
        await this.#until(turn.value.atMs);
        if (this.#fleet.isEnding) return;
        this.#ask(turn.value);
      }
    } catch (error) {
      this.#problem = messageOf(error);
    }
    this.#allRead = true;
    if (this.#clients.size === 0) this.#onIdle();
    for (const client of this.#clients.values()) this.#endClient(client);
  }

  async #until(atMs: number): Promise<void> {
    if (this.#fleet.elapsedMs() >= atMs) return;
    await new Promise<void>((resolve) => {
      this.#cancelWait = this.#fleet.schedule(this.#fleet.startedAtMs + atMs, resolve);
    });
  }

  #ask(timed: TimedRequest): void {
    const fleet = this.#fleet;
    fleet.meter.lateness(fleet.elapsedMs() - timed.atMs);
    const client = this.#client(timed);
    const request = new ReplayedRequest(client, timed, fleet.startedAtMs + timed.atMs);
    this.#requestCount += 1;
    client.pendingCount += 1;
    client.device.replayedWantedBytes += timed.bytes;
    request.runner = new DownloadRunner<ReplayedRequest>(this, request, {
      policy: policyOf(this.#group.client),
      settings: policySettingsOf(this.#group),
      agent: client.device.agent,
      origin: timed.content.host,
    });
    request.runner.start();
  }

  #client({ device: name, atMs }: TimedRequest): ReplayClient {
    let client = this.#clients.get(name);
    if (client === undefined) {
      // Numbers of their own in every process.
      const index = this.#clients.size * this.#part.count + this.#part.index;
      const plan = {
        ...{ index, group: this.#group, groupIndex: 0, arriveAtMs: atMs, seed: this.#seed, phase: 0 },
        downlinkBytesPerMs: Number.POSITIVE_INFINITY,
      };
      const device = new LiveDevice(this.#fleet, plan);
      device.state = 'downloading';
      this.#fleet.meter.started();
      this.#fleet.devices.push(device);
      client = new ReplayClient(device, this.#replay.connectionsPerDevice);
      this.#clients.set(name, client);
    }
    return client;
  }

  /** A client has got all that it asked for once the log is read, and nothing of it is under way. */
  #endClient(client: ReplayClient): void {
    if (client.pendingCount > 0) return;
    client.device.completedAtMs = client.hasFailed ? undefined : this.#fleet.elapsedMs();
    if (this.#allRead) this.#fleet.ended(client.device, client.hasFailed ? 'failed' : 'completed');
  }
}

/** An operator's error is told; everything else is the programmer's. */
function messageOf(error: unknown): string {
  if (error instanceof OperatorError) return error.message;
  throw error;
}
