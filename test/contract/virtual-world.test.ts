// The virtual world through the contract of a world: a simulation of one device, whose sources do what the case wants.

import type { Source } from '../../simulator/device/download-policy.ts';
import type { Answer } from '../../simulator/world/virtual/availability.ts';
import { type DownloadParts, Downloads } from '../../simulator/world/virtual/downloads.ts';
import { Limits } from '../../simulator/world/virtual/limits.ts';
import { SeriesGrid } from '../../simulator/world/virtual/series-grid.ts';
import { Simulation } from '../../simulator/world/virtual/simulation.ts';
import { Tally } from '../../simulator/world/virtual/tally.ts';
import { components, layOut } from '../../simulator/world/virtual/topology.ts';
import type { Cancel, Observation } from '../../simulator/world/world.ts';
import { scenarioOf } from '../world/fleet-run.ts';
import { type Behaviour, type ContractWorld, type DownloadSetup, runWorldContract } from './world-contract.ts';

const inWords = (source: Source): string => (source.kind === 'cdn' ? 'cdn' : `host ${source.index}`);

/** Writes down what passes between policy and world, and lets sources behave by the number of the transfer. */
class LoggedDownloads extends Downloads {
  readonly log: string[] = [];
  readonly #setup: DownloadSetup;
  readonly #asked = new Map<string, number>();

  constructor(parts: DownloadParts, setup: DownloadSetup) {
    super(parts);
    this.#setup = setup;
  }

  /** The contract's own timers go on when its one download has ended. */
  override get areOver(): boolean {
    return false;
  }

  override transfer(flow: number, source: Source): void {
    this.log.push(`transfer ${inWords(source)}`);
    super.transfer(flow, source);
  }

  override observe(flow: number, what: Observation): void {
    if (what.kind === 'done') this.log.push('done');
    else if (what.kind === 'failed') this.log.push(`failed ${what.cause}`);
    else {
      const because = what.because === undefined ? '' : ` because ${what.because}`;
      this.log.push(`source ${inWords(what.source)}${because}`);
    }
    super.observe(flow, what);
  }

  override answerOf(flow: number, p: number, source: Source): Answer {
    const behaviours = source.kind === 'cdn' ? this.#setup.cdn : (this.#setup.cacheHosts[source.index] ?? []);
    const place = this.#asked.get(inWords(source)) ?? 0;
    this.#asked.set(inWords(source), place + 1);
    const behaviour: Behaviour | undefined = behaviours[Math.min(place, behaviours.length - 1)];
    if (behaviour === 'breaks') return { kind: 'fails', cause: 'status5xx', afterMs: 0 };
    return behaviour === 'hangs' ? { kind: 'silent' } : super.answerOf(flow, p, source);
  }
}

class VirtualContractWorld implements ContractWorld {
  readonly #simulation: Simulation;
  #downloads: LoggedDownloads | undefined;

  constructor(setup: DownloadSetup) {
    const ids = setup.cacheHosts.map((_, i) => `host${i}`);
    const { fallbackDelayMs } = setup;
    const scenario = scenarioOf(`
content: [{ id: update, size: 1000 B }]
cdn: { egress: 1 Gbit/s }
nodes: [${ids.map((id) => `{ id: ${id} }`).join(', ')}]
fleet:
  - id: office
    devices: 1
    cacheHosts: [${ids.join(', ')}]
    wants: [update]
    policy: ${fallbackDelayMs === undefined ? '{}' : `{ fallbackDelayBackground: ${fallbackDelayMs} ms }`}`);
    const topology = layOut(scenario);
    const [component] = components(topology, true);
    if (component === undefined) throw new Error('one device is one component');
    const terms = {
      scenario,
      topology,
      limits: new Limits(),
      tally: new Tally(scenario, new SeriesGrid(0), true, () => 1),
      arrivals: () => new Float64Array(1),
      machine: undefined,
      rows: undefined,
    };
    this.#simulation = new Simulation(terms, component, (parts) => {
      this.#downloads = new LoggedDownloads(parts, setup);
      return this.#downloads;
    });
  }

  get log(): readonly string[] {
    return this.#isStarted ? (this.#downloads?.log ?? []) : [];
  }

  now(): number {
    return this.#simulation.clock.nowMs;
  }

  schedule(atMs: number, run: () => void): Cancel {
    return this.#simulation.clock.schedule(atMs, run);
  }

  #isStarted = false;

  start(): void {
    this.#isStarted = true;
  }

  #isTicking = false;

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      // Virtual time passes by what happens in it.
      if (!this.#isTicking) {
        this.#isTicking = true;
        this.schedule(this.now() + 100, () => {
          this.#isTicking = false;
        });
      }
      if (this.#simulation.advance(1)) throw new Error('the run ended before what was waited for');
    }
  }

  async stop(): Promise<void> {
    this.#downloads?.stop();
  }

  async end(): Promise<void> {
    await this.stop();
  }
}

runWorldContract('virtual', async (setup) => new VirtualContractWorld(setup));
