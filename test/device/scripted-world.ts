// A world of one queue of events, whose servers do with each request what a script says. For the policies' tests.

import { assert } from '../../common/errors.ts';
import type {
  PolicySettings,
  Source,
  SourceFailureCause,
  TransportRules,
} from '../../simulator/device/download-policy.ts';
import type { Cancel, DownloadRunner, Observation, World } from '../../simulator/world/world.ts';

/** What becomes of a request, so long after it was sent. */
export type Outcome =
  | { readonly afterMs: number; readonly kind: 'finishes' }
  | {
      readonly afterMs: number;
      readonly kind: 'fails';
      readonly cause: SourceFailureCause;
      readonly progressed: boolean;
    };

/** A request that left. */
export type SentRequest = { readonly source: Source; readonly atMs: number };

export class ScriptedDownload {
  readonly requests: SentRequest[] = [];
  readonly observations: Observation[] = [];
  readonly answer: (request: SentRequest) => Outcome;
  runner: DownloadRunner<ScriptedDownload> | undefined;
  endedAtMs: number | undefined;

  constructor(answer: (request: SentRequest) => Outcome) {
    this.answer = answer;
  }

  /** `C 0.1`, `A 2.3`: where its requests went (cache host or CDN), and when, in seconds. */
  get requestsInWords(): readonly string[] {
    return this.requests.map(({ source, atMs }) => `${source.kind === 'cdn' ? 'A' : 'C'} ${(atMs / 1000).toFixed(1)}`);
  }

  /** How it ended: `done`, `failed status5xx`; undefined: it has not. */
  get end(): string | undefined {
    const last = this.observations.at(-1);
    if (last === undefined || last.kind === 'source') return undefined;
    return last.kind === 'done' ? 'done' : `failed ${last.cause}`;
  }
}

const eventCountMax = 10_000;

export class ScriptedWorld implements World<ScriptedDownload> {
  #nowMs: number;
  #events: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  schedule(atMs: number, run: () => void): Cancel {
    const event = { atMs: Math.max(atMs, this.#nowMs), run };
    const later = this.#events.findIndex((other) => other.atMs > event.atMs);
    this.#events.splice(later < 0 ? this.#events.length : later, 0, event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  transfer(download: ScriptedDownload, source: Source): void {
    const request = { source, atMs: this.#nowMs };
    download.requests.push(request);
    const outcome = download.answer(request);
    this.schedule(this.#nowMs + outcome.afterMs, () => {
      if (outcome.kind === 'finishes') download.runner?.sourceFinished();
      else download.runner?.sourceFailed(outcome.cause, outcome.progressed);
    });
  }

  observe(download: ScriptedDownload, what: Observation): void {
    download.observations.push(what);
    if (what.kind !== 'source') download.endedAtMs = this.#nowMs;
  }

  /** Carries out what is due until then; default: all there is, which must come to an end. */
  runUntil(untilMs = Number.POSITIVE_INFINITY): void {
    let eventCount = 0;
    for (let event = this.#events[0]; event !== undefined && event.atMs <= untilMs; event = this.#events[0]) {
      eventCount += 1;
      assert(eventCount < eventCountMax, 'the script comes to an end');
      this.#events.shift();
      this.#nowMs = event.atMs;
      event.run();
    }
    if (untilMs < Number.POSITIVE_INFINITY) this.#nowMs = untilMs;
  }
}

/** The faults of the measurements, as a world with these rules sees them. */
export function outcomeOf(fault: Fault, rules: TransportRules, settings: PolicySettings): Outcome {
  const failure = (cause: SourceFailureCause, afterMs = 0, progressed = false): Outcome => ({
    kind: 'fails',
    afterMs,
    cause,
    progressed,
  });
  switch (fault) {
    case 'healthy':
      return { kind: 'finishes', afterMs: 50 };
    case '4xx':
      return failure('status4xx');
    case '5xx':
      return failure('status5xx');
    case 'garbage':
      return failure('badResponse');
    case 'reset':
      return failure('reset');
    case 'reset in mid-body':
      return failure('reset', 50, true);
    case 'refused':
      return failure('refused');
    case 'SYN dropped':
      return failure('timeout', rules.connectTimeoutMs(settings));
    case 'no first byte':
      return failure('timeout', rules.stallTimeMs);
    case 'stall in mid-body':
      return failure('stall', 50 + rules.stallTimeMs, true);
  }
}

export type Fault =
  | 'healthy'
  | '4xx'
  | '5xx'
  | 'garbage'
  | 'reset'
  | 'reset in mid-body'
  | 'refused'
  | 'SYN dropped'
  | 'no first byte'
  | 'stall in mid-body';
