// A fleet whose devices are in shards: commands that find this one over HTTP (protocol.ts), get ready, begin together, and
// hand in what they measured. How many there are is what the first one says.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Address } from '../../../../common/address.ts';
import { assert, OperatorError } from '../../../../common/errors.ts';
import { listenAt } from '../../../../common/listen-at.ts';
import { formatDuration } from '../../../../common/units.ts';
import type { DeviceProgress, DeviceReport } from '../device-protocol.ts';
import type { Fleet, FleetTerms } from '../fleet.ts';
import { type DevicesPart, shardName } from '../parts.ts';
import { continued } from '../series-so-far.ts';
import { differenceOf, openPart, type RunIdentity, type ShardPart } from './part.ts';
import { type Beat, type BeatAnswer, beatForm, beatMs, type RunAnswer, silenceMsMax } from './protocol.ts';

export type RemoteFleetOptions = {
  readonly listen: Address;
  readonly run: RunIdentity;
  /** How long to wait for shards. */
  readonly waitMs: number;
  readonly startAtEpochMs?: number | undefined;
  /** Told where shards find the environment, once they do. */
  readonly onListening: (address: Address) => void;
  /** Default {@link silenceMsMax}. */
  readonly silenceMs?: number;
};

type Shard = {
  readonly instance: string;
  beat: Beat;
  heardAtMs: number;
  reports: readonly DeviceReport[];
  part?: ShardPart;
};
type Reply = { readonly status: number; readonly body: unknown };

const partBytesMax = 2 ** 28;
/** How long a shard may take for its part, beside the grace of its devices. */
const partTimeoutMs = 40_000;

export class RemoteFleet implements Fleet {
  /** Every shard has said something, and heard the answer, four times. */
  readonly beginLeadMs = 4 * beatMs;
  readonly idle: Promise<void>;
  readonly #options: RemoteFleetOptions;
  readonly #silenceMs: number;
  readonly #onBroken: (what: string) => void;
  readonly #server: Server;
  readonly #shards = new Map<number, Shard>();
  #shardCount: number | undefined;
  #terms: FleetTerms | undefined;
  #answer: BeatAnswer = {};
  #watch: NodeJS.Timeout | undefined;
  /** Called after whatever a shard said, or did not say in time. */
  readonly #listeners = new Set<() => void>();

  /** `onBroken` is told of a shard that cannot go on, or is not there any more. */
  constructor(options: RemoteFleetOptions, onBroken: (what: string) => void) {
    this.#options = options;
    this.#silenceMs = options.silenceMs ?? silenceMsMax;
    this.#onBroken = onBroken;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.idle = this.#until(() => this.#isEvery((shard) => shard.beat.state === 'idle' || shard.part !== undefined));
  }

  /** The parts that were handed in. */
  get parts(): readonly ShardPart[] {
    const parts = [...this.#shards.values()].flatMap((shard) => shard.part ?? []);
    return parts.sort((a, b) => a.devices.shard.index - b.devices.shard.index);
  }

  /** How many shards the run has; undefined before the first one has come. */
  get shardCount(): number | undefined {
    return this.#shardCount;
  }

  get waitsFor(): string | undefined {
    if (this.#answer.beginAtEpochMs !== undefined) return undefined;
    if (this.#shardCount === undefined) return 'the first shard';
    const ready = [...this.#shards.values()].filter(({ beat }) => beat.state === 'ready').length;
    return `shards: ${ready} of ${this.#shardCount} are ready`;
  }

  async start(terms: FleetTerms): Promise<string | undefined> {
    this.#terms = terms;
    await this.#listen();
    this.#watch = setInterval(() => this.#lookForSilence(), this.#silenceMs / 10);
    const { waitMs } = this.#options;
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.#tellAll();
    }, waitMs);
    const problem = (): string | undefined => [...this.#shards.values()].find(({ beat }) => beat.problem)?.beat.problem;
    await this.#until(() => isOver || problem() !== undefined || this.#isEvery(({ beat }) => beat.state === 'ready'));
    clearTimeout(timer);
    if (problem() !== undefined) return problem();
    if (this.#isEvery(({ beat }) => beat.state === 'ready')) return undefined;
    const waited = `within ${formatDuration(waitMs)} (--wait)`;
    return this.#shardCount === undefined
      ? `no shard came ${waited}`
      : `not every shard was ready ${waited}: ${this.#missing().join(', ')}`;
  }

  begin(atEpochMs: number): void {
    this.#answer = { ...this.#answer, beginAtEpochMs: atEpochMs };
  }

  progress(): readonly DeviceProgress[] {
    return [...this.#shards.values()].map(({ beat }) => beat.progress);
  }

  snapshot(): readonly DevicesPart[] | undefined {
    if (!this.#isEvery((shard) => shard.reports.length > 0)) return undefined;
    const count = this.#shards.size;
    const parts = [...this.#shards].map(([index, { reports }]) => ({ shard: { index, count }, reports, lost: false }));
    return parts.sort((a, b) => a.shard.index - b.shard.index);
  }

  async report(graceMs: number, signal: AbortSignal, because: string | undefined): Promise<readonly DevicesPart[]> {
    this.#end(graceMs, because);
    signal.addEventListener('abort', () => this.#end(0, because), { once: true });
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.#tellAll();
    }, graceMs + partTimeoutMs);
    await this.#until(
      () => isOver || [...this.#shards.values()].every((shard) => shard.part !== undefined || this.#isDead(shard)),
    );
    clearTimeout(timer);
    return this.parts.map((part) => part.devices);
  }

  /** Answers no more; shards that are still there are told before. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    if (!this.#server.listening) return;
    if ([...this.#shards.values()].some((shard) => shard.part === undefined && !this.#isDead(shard))) {
      if (this.#answer.end === undefined) this.#end(0, 'the environment has ended');
      await new Promise((resolve) => setTimeout(resolve, 2 * beatMs));
    }
    this.#server.close();
    this.#server.closeIdleConnections();
    setTimeout(() => this.#server.closeAllConnections(), beatMs).unref();
    await once(this.#server, 'close');
  }

  async #listen(): Promise<void> {
    this.#options.onListening(await listenAt(this.#server, this.#options.listen, '--listen'));
  }

  #end(graceMs: number, because: string | undefined): void {
    this.#answer = { ...this.#answer, end: { graceMs, because } };
  }

  #isEvery(is: (shard: Shard) => boolean): boolean {
    return this.#shards.size > 0 && this.#shards.size === this.#shardCount && [...this.#shards.values()].every(is);
  }

  #missing(): string[] {
    const count = this.#shardCount ?? 0;
    return Array.from({ length: count }, (_, index) => ({ index, count }))
      .filter(({ index }) => this.#shards.get(index)?.beat.state !== 'ready')
      .map(shardName);
  }

  #isDead(shard: Shard): boolean {
    return shard.beat.state === 'gone' || performance.now() - shard.heardAtMs > this.#silenceMs;
  }

  #lookForSilence(): void {
    for (const [index, shard] of this.#shards) {
      if (shard.part !== undefined || !this.#isDead(shard)) continue;
      const name = shardName({ index, count: this.#shardCount ?? 0 });
      const silence = formatDuration(this.#silenceMs);
      this.#onBroken(
        shard.beat.state === 'gone' ? `${name} has ended` : `${name} has not been heard of for ${silence}`,
      );
    }
    this.#tellAll();
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      look();
    });
  }

  #tellAll(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  // ---- Answers

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let reply: Reply;
    try {
      reply = this.#reply(`${request.method} ${request.url}`, await readBody(request));
    } catch (error) {
      if (!(error instanceof OperatorError)) return void request.destroy(); // it broke off, or sent what nobody reads
      reply = refused(400, error.message);
    }
    const text = `${JSON.stringify(reply.body)}\n`;
    response.writeHead(reply.status, { 'Content-Type': 'application/json' }).end(text);
    this.#tellAll();
  }

  #reply(what: string, body: string): Reply {
    if (what === 'GET /run') return { status: 200, body: this.#runAnswer() };
    const [, method, i, n, part] = /^(POST|PUT) \/shards\/(\d+)-of-(\d+)(\/part)?$/.exec(what) ?? [];
    const shard = { index: Number(i), count: Number(n) };
    if (i === undefined || (method === 'PUT') !== (part !== undefined) || shard.index >= shard.count) {
      return refused(404, `there is no "${what}"`);
    }
    this.#shardCount ??= shard.count;
    if (shard.count !== this.#shardCount) {
      return refused(409, `this run has ${this.#shardCount} shards, found ${shardName(shard)}`);
    }
    return part === undefined ? this.#hear(shard.index, body) : this.#take(shard.index, body);
  }

  #runAnswer(): RunAnswer {
    const terms = this.#terms;
    assert(terms !== undefined, 'nobody is answered before the start');
    const { nodes, cdns, deviceRows, snapshots = false } = terms;
    const { run, startAtEpochMs } = this.#options;
    const place = { nodes: { ...nodes }, cdns: [...cdns], deviceRows, snapshots };
    return { run, epochMs: Date.now(), ...place, startAtEpochMs };
  }

  #hear(index: number, body: string): Reply {
    const beat = beatForm.safeParse(parsed(body));
    if (!beat.success) return refused(400, `expected what a shard says of itself, found ${body.slice(0, 100)}`);
    const known = this.#shards.get(index);
    const name = shardName({ index, count: this.#shardCount ?? 0 });
    if (known === undefined && this.#answer.beginAtEpochMs !== undefined) {
      return refused(409, `${name} came too late: the run has begun`);
    }
    if (known !== undefined && known.instance !== beat.data.instance) {
      return refused(409, `${name} is there already: another command has this number`);
    }
    const shard = known ?? { instance: beat.data.instance, beat: beat.data, heardAtMs: 0, reports: [] };
    this.#shards.set(index, shard);
    const { reports, ...rest } = beat.data;
    shard.beat = rest;
    if (reports !== undefined) shard.reports = reports.map((report, i) => continued(shard.reports[i], report));
    shard.heardAtMs = performance.now();
    return { status: 200, body: this.#answer };
  }

  #take(index: number, body: string): Reply {
    const count = this.#shardCount ?? 0;
    const name = shardName({ index, count });
    const part = openPart(body, name);
    const shard = this.#shards.get(index);
    if (part.kind !== 'devices' || part.devices.shard.index !== index || part.devices.shard.count !== count) {
      return refused(409, `expected the part of ${name}, found another one`);
    }
    const difference = differenceOf(part.run, this.#options.run);
    if (difference !== undefined) return refused(409, `${name} is not of this run: ${difference}`);
    if (shard === undefined) return refused(409, `${name} has never said that it is there`);
    shard.part = part;
    if (part.devices.broken !== undefined) this.#onBroken(`${name}: ${part.devices.broken}`);
    return { status: 200, body: {} };
  }
}

const refused = (status: number, error: string): Reply => ({ status, body: { error } });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > partBytesMax) throw new Error('more than a part has');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
