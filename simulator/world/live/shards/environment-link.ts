// A shard's way to its environment: found by its address, asked for the run, told twice a second that the shard is there, and
// at the end given what it measured (protocol.ts).

import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { request } from 'undici';
import { type Address, formatAddress } from '../../../../common/address.ts';
import { errorCode, exitCodes, OperatorError } from '../../../../common/errors.ts';
import { formatDuration } from '../../../../common/units.ts';
import type { FleetPart } from '../../fleet-plan.ts';
import type { DeviceProgress, DeviceReport } from '../device-protocol.ts';
import type { ClockOffset } from '../parts.ts';
import { endSecondOf, fromSecond } from '../series-so-far.ts';
import { differenceOf, type RunIdentity } from './part.ts';
import {
  type Beat,
  beatAnswerForm,
  beatMs,
  clockAheadMsMax,
  type RunAnswer,
  runAnswerForm,
  silenceMsMax,
} from './protocol.ts';

export type LinkOptions = {
  readonly environment: Address;
  readonly shard: FleetPart;
  readonly run: RunIdentity;
  /** How long to wait for the environment. */
  readonly waitMs: number;
  /** When this shard was told that the run begins; absent: when the environment says. */
  readonly startAtEpochMs?: number | undefined;
  readonly signal: AbortSignal;
};

/** That the shard is to end, and why when that is before its time. */
export type End = {
  readonly graceMs: number;
  readonly because?: string | undefined;
  /** Whether nobody said so, but the environment is not there any more. */
  readonly isLost?: boolean;
};

/** Where the devices of a shard find everything. */
export type RunPlace = Pick<RunAnswer, 'nodes' | 'cdns' | 'deviceRows' | 'snapshots'>;

const retryMs = 250;
const askTimeoutMs = 5000;
const clockQuestions = 5;

export class EnvironmentLink {
  readonly place: RunPlace;
  readonly clock: ClockOffset;
  /** When the run begins; resolves once the environment has said so. */
  readonly begin: Promise<number>;
  /** Resolves when the environment says so, or is not there any more. */
  readonly end: Promise<End>;
  readonly #base: string;
  readonly #instance = randomUUID();
  #toBegin: (atEpochMs: number) => void = () => undefined;
  #toEnd: (end: End) => void = () => undefined;
  #state: Beat['state'] = 'connecting';
  #problem: string | undefined;
  #progress: () => DeviceProgress = () => noProgress;
  #reports: () => readonly DeviceReport[] = () => [];
  /** Of the epoch: the environment knows the seconds before it. */
  #toldSecond = 0;
  #heardAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  private constructor(place: RunPlace, clock: ClockOffset, base: string) {
    this.place = place;
    this.clock = clock;
    this.#base = base;
    this.begin = new Promise((resolve) => {
      this.#toBegin = resolve;
    });
    this.end = new Promise((resolve) => {
      this.#toEnd = resolve;
    });
  }

  /** Waits for the environment, and joins its run. Throws an OperatorError when it does not come, or is of another run. */
  static async join(options: LinkOptions): Promise<EnvironmentLink> {
    const { at, answer } = await findRun(options);
    refuseOther(answer, options);
    const clock = await compareClocks(at);
    if (Math.abs(clock.aheadMs) - clock.errorMs > clockAheadMsMax) {
      const found = `${formatDuration(Math.abs(clock.aheadMs))} ${clock.aheadMs > 0 ? 'ahead' : 'behind'}`;
      throw new OperatorError(
        'CLOCKS_DIFFER',
        `This machine's clock: expected one within a second of the environment's, found it ${found}. Let both follow a time server (NTP).`,
        3,
      );
    }
    const { index, count } = options.shard;
    const reached = (address: Address): Address => reachedAt(address, at, options.environment);
    const nodes = Object.fromEntries(Object.entries(answer.nodes).map(([id, address]) => [id, reached(address)]));
    const place = { nodes, cdns: answer.cdns.map(reached), deviceRows: answer.deviceRows, snapshots: answer.snapshots };
    const link = new EnvironmentLink(place, clock, `http://${formatAddress(at)}/shards/${index}-of-${count}`);
    await link.#beat();
    link.#timer = setInterval(() => void link.#beat(), beatMs);
    return link;
  }

  /** What is said of the devices from now on; `reports`: what they have measured so far. */
  watch(progress: () => DeviceProgress, reports: () => readonly DeviceReport[]): void {
    this.#progress = progress;
    this.#reports = reports;
  }

  /** Says so at once. */
  async say(state: Beat['state'], problem?: string): Promise<void> {
    this.#state = state;
    this.#problem = problem;
    await this.#beat();
  }

  /** Hands in what was measured. Throws an OperatorError when the environment does not take it. */
  async handIn(part: string): Promise<void> {
    const failed = (found: string): OperatorError =>
      new OperatorError('NOT_HANDED_IN', `The environment has not taken the part of this shard: ${found}.`, 3);
    let answer: { readonly status: number; readonly body: string };
    try {
      answer = await ask('PUT', `${this.#base}/part`, part, 12 * askTimeoutMs);
    } catch (error) {
      throw failed(errorCode(error));
    }
    if (answer.status !== 200) throw failed(errorOf(answer.body));
  }

  /** Says nothing more. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    const reports = this.#reports();
    const endSecond = reports.length === 0 ? 0 : Math.min(...reports.map(endSecondOf));
    const isNews = endSecond > this.#toldSecond;
    const beat: Beat = {
      instance: this.#instance,
      state: this.#state,
      problem: this.#problem,
      progress: this.#progress(),
      ...(isNews ? { reports: reports.map((report) => fromSecond(report, this.#toldSecond)) } : {}),
    };
    try {
      const { status, body } = await ask('POST', this.#base, JSON.stringify(beat), askTimeoutMs);
      this.#heardAtMs = performance.now();
      if (status !== 200) {
        this.#toEnd({ graceMs: 0, because: errorOf(body) });
        return;
      }
      this.#toldSecond = Math.max(this.#toldSecond, endSecond);
      const { beginAtEpochMs, end } = beatAnswerForm.parse(JSON.parse(body));
      if (beginAtEpochMs !== undefined) this.#toBegin(beginAtEpochMs);
      if (end !== undefined) this.#toEnd(end);
    } catch (error) {
      if (performance.now() - this.#heardAtMs < silenceMsMax) return; // it is told again
      const silence = `the environment has not answered for ${formatDuration(silenceMsMax)}`;
      this.#toEnd({ graceMs: 0, because: `${silence} (${errorCode(error)})`, isLost: true });
    }
  }
}

const noProgress: DeviceProgress = {
  ...{ waiting: 0, connected: 0, downloading: 0, onCdn: 0, completed: 0, failed: 0 },
  ...{ bytesFromCacheServer: 0, bytesFromCdn: 0, failedRanges: 0 },
};

/** Asks until somebody answers. A name is looked up once: its address serves all devices. */
async function findRun({ environment, waitMs, signal }: LinkOptions): Promise<{ at: Address; answer: RunAnswer }> {
  const untilMs = performance.now() + waitMs;
  const where = `--environment ${formatAddress(environment)}`;
  let found = '';
  while (performance.now() < untilMs) {
    if (signal.aborted) {
      const message = 'Interrupted while waiting for the environment: nothing was measured.';
      throw new OperatorError('INTERRUPTED', message, exitCodes.interrupted);
    }
    try {
      for (const { address } of await lookup(environment.host, { all: true })) {
        const at = { host: address, port: environment.port };
        const { status, body } = await ask('GET', `http://${formatAddress(at)}/run`, undefined, askTimeoutMs).catch(
          (error: unknown) => ({ status: 0, body: errorCode(error) }),
        );
        found = body.slice(0, 100);
        if (status === 0) continue;
        const answer = runAnswerForm.safeParse(status === 200 ? parsed(body) : undefined);
        if (answer.success) return { at, answer: answer.data };
        const what = `${where}: expected the environment of a run (sim run SCENARIO --role environment), found ${found}`;
        throw new OperatorError('NO_ENVIRONMENT', what, 3);
      }
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      found = errorCode(error);
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  throw new OperatorError(
    'NO_ENVIRONMENT',
    `${where}: expected the environment of this run to answer within ${formatDuration(waitMs)} (--wait), found ${found}. Start it by: sim run SCENARIO --role environment`,
    3,
  );
}

function refuseOther(answer: RunAnswer, { environment, run, startAtEpochMs }: LinkOptions): void {
  const difference = differenceOf(run, answer.run);
  const where = `The environment at ${formatAddress(environment)}`;
  if (difference !== undefined) {
    throw new OperatorError('OTHER_RUN', `${where} is of another run than this shard: ${difference}.`);
  }
  if (startAtEpochMs === undefined || startAtEpochMs === answer.startAtEpochMs) return;
  const iso = (epochMs: number): string => new Date(epochMs).toISOString();
  const found =
    answer.startAtEpochMs === undefined ? 'begins as soon as all are ready' : `begins at ${iso(answer.startAtEpochMs)}`;
  throw new OperatorError('OTHER_RUN', `${where} ${found}, --start-at of this shard is ${iso(startAtEpochMs)}.`);
}

/** What listens on all addresses of the environment's machine is reached at the one that was asked. */
function reachedAt({ host, port }: Address, at: Address, environment: Address): Address {
  if (host === '0.0.0.0' || host === '::') return { host: at.host, port };
  if (isLoopback(host) && !isLoopback(at.host)) {
    throw new OperatorError(
      'NOT_REACHED',
      `The environment at ${formatAddress(environment)} has a node or its CDN on ${formatAddress({ host, port })}, which this machine cannot reach. ` +
        `Start it with --listen 0.0.0.0:${environment.port}.`,
      3,
    );
  }
  return { host, port };
}

const isLoopback = (host: string): boolean => /^127\.|^::1$|^localhost$/.test(host);

/** By the question that came back fastest. */
async function compareClocks(at: Address): Promise<ClockOffset> {
  let best: ClockOffset = { aheadMs: 0, errorMs: Number.POSITIVE_INFINITY };
  for (let question = 0; question < clockQuestions; question += 1) {
    const askedAtMs = performance.now();
    const { body } = await ask('GET', `http://${formatAddress(at)}/run`, undefined, askTimeoutMs);
    const tookMs = performance.now() - askedAtMs;
    const { epochMs } = runAnswerForm.parse(JSON.parse(body));
    const aheadMs = performance.timeOrigin + askedAtMs + tookMs / 2 - epochMs;
    if (tookMs / 2 < best.errorMs) best = { aheadMs, errorMs: tookMs / 2 };
  }
  return best;
}

async function ask(
  method: 'GET' | 'POST' | 'PUT',
  url: string,
  body: string | undefined,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly body: string }> {
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await request(url, { method, signal, ...(body === undefined ? {} : { body }) });
  return { status: answer.statusCode, body: await answer.body.text() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(body: string): string {
  const { error } = (parsed(body) ?? {}) as { readonly error?: unknown };
  return typeof error === 'string' ? error : body.slice(0, 200);
}
