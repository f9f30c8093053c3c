// The live world through the contract of a world: a real LiveFleet of one device, against real servers.

import type { Source } from '../../simulator/device/download-policy.ts';
import type { DeviceOrder } from '../../simulator/world/live/device-protocol.ts';
import type { LiveDownload } from '../../simulator/world/live/live-download.ts';
import { LiveFleet } from '../../simulator/world/live/live-fleet.ts';
import type { Cancel, Observation } from '../../simulator/world/world.ts';
import { scenarioOf, until } from '../world/fleet-run.ts';
import { type Answer, RawServer, servesContent } from '../world/raw-server.ts';
import { type Behaviour, type ContractWorld, type DownloadSetup, runWorldContract } from './world-contract.ts';

const sizeBytes = 1000;

const inWords = (source: Source): string => (source.kind === 'cdn' ? 'cdn' : `host ${source.index}`);

/** Writes down what passes between policy and world. */
class LoggedFleet extends LiveFleet {
  readonly log: string[] = [];

  override transfer(download: LiveDownload, source: Source): void {
    this.log.push(`transfer ${inWords(source)}`);
    super.transfer(download, source);
  }

  override observe(download: LiveDownload, what: Observation): void {
    if (what.kind === 'done') this.log.push('done');
    else if (what.kind === 'failed') this.log.push(`failed ${what.cause}`);
    else {
      const because = what.because === undefined ? '' : ` because ${what.because}`;
      this.log.push(`source ${inWords(what.source)}${because}`);
    }
    super.observe(download, what);
  }
}

const answers =
  (behaviours: readonly Behaviour[]): Answer =>
  (request, socket, sent) => {
    const behaviour = behaviours[Math.min(request.index, behaviours.length - 1)];
    if (behaviour === 'serves') servesContent(sizeBytes)(request, socket, sent);
    else if (behaviour === 'breaks') socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
  };

class LiveContractWorld implements ContractWorld {
  readonly #fleet: LoggedFleet;
  readonly #servers: readonly RawServer[];

  constructor(order: DeviceOrder, servers: readonly RawServer[]) {
    this.#fleet = new LoggedFleet(order, () => undefined);
    this.#servers = servers;
  }

  get log(): readonly string[] {
    return this.#fleet.log;
  }

  now(): number {
    return this.#fleet.now();
  }

  schedule(atMs: number, run: () => void): Cancel {
    return this.#fleet.schedule(atMs, run);
  }

  start(): void {
    this.#fleet.start(Date.now());
  }

  until(condition: () => boolean): Promise<void> {
    return until(condition);
  }

  async stop(): Promise<void> {
    await this.#fleet.stop(0);
  }

  async end(): Promise<void> {
    await this.#fleet.stop(0);
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

async function newLiveWorld({ cacheHosts, cdn, fallbackDelayMs }: DownloadSetup): Promise<ContractWorld> {
  const ids = cacheHosts.map((_, i) => `host${i}`);
  const scenario = scenarioOf(`
content: [{ id: update, size: ${sizeBytes} B }]
nodes: [${ids.map((id) => `{ id: ${id} }`).join(', ')}]
fleet:
  - id: office
    devices: 1
    cacheHosts: [${ids.join(', ')}]
    wants: [update]
    policy: ${fallbackDelayMs === undefined ? '{}' : `{ fallbackDelayBackground: ${fallbackDelayMs} ms }`}`);
  const servers = [...cacheHosts, cdn].map((behaviours) => new RawServer(answers(behaviours)));
  const addresses = await Promise.all(servers.map((server) => server.listen()));
  const order: DeviceOrder = {
    scenario,
    part: { index: 0, count: 1 },
    nodes: Object.fromEntries(ids.map((id, i) => [id, addresses[i] ?? { host: '', port: 0 }])),
    cdns: addresses.slice(-1),
    number: 0,
    sourceNetwork: undefined,
    deviceRows: false,
  };
  return new LiveContractWorld(order, servers);
}

runWorldContract('live', newLiveWorld, [
  {
    test: 'timers of the same time run in the order in which they were set',
    reason: 'the clock on the wall knows no two events of the same time',
  },
  {
    test: 'fails after twelve failures in a row, 211 s of pauses later',
    reason: 'would take 211 s on the wall; test/device/windows-policy.test.ts has the pauses',
  },
]);
