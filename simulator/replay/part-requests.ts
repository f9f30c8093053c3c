// The second reading of a log, during the run: the requests of one part of its devices, in order of their time, read
// ahead only as far as it takes to put them in order.

import { assert } from '../../common/errors.ts';
import type { ReplaySpec, SurveyedLog } from '../scenario/replay-spec.ts';
import type { ContentSpec, Scenario } from '../scenario/scenario.ts';
import { LogFile } from './log-lines.ts';
import { isOfPart, type LogRequest, LogRequests, runsBackMsMax } from './log-requests.ts';
import { Positions } from './positions.ts';
import { type InTurn, ReorderBuffer } from './reorder.ts';

/** Requests that are read ahead, in each process. */
export const readAheadCountMax = 50_000;

/** A request to be made. */
export type TimedRequest = {
  /** Since the start of the run. */
  readonly atMs: number;
  readonly device: string;
  readonly content: ContentSpec;
  readonly start: number;
  readonly bytes: number;
  /** Whether it asks for the object without a Range field. */
  readonly isWhole: boolean;
};

type SurveyedReplay = ReplaySpec & { readonly surveyed: SurveyedLog };

export class PartRequests {
  readonly #replay: SurveyedReplay;
  readonly #seed: number;
  readonly #contents: ReadonlyMap<string, ContentSpec>;
  readonly #part: { readonly index: number; readonly count: number };
  readonly #positions = new Positions();
  readonly #buffer: ReorderBuffer<TimedRequest>;

  /** `scenario`: after its log was surveyed. */
  constructor(
    scenario: Scenario,
    part: { readonly index: number; readonly count: number },
    countMax = readAheadCountMax,
  ) {
    const { replay } = scenario;
    assert(replay?.surveyed !== undefined, 'the log was surveyed before');
    this.#replay = { ...replay, surveyed: replay.surveyed };
    this.#seed = scenario.seed;
    this.#contents = new Map(scenario.content.map((content) => [content.host + content.path, content]));
    this.#part = part;
    this.#buffer = new ReorderBuffer(countMax);
  }

  /** Most requests that were held at once. */
  get heldCountMax(): number {
    return this.#buffer.heldCountMax;
  }

  /** Requests whose line came too late to be put in order: made as soon as they were read. */
  get lateCount(): number {
    return this.#buffer.lateCount;
  }

  /** Opens the log, and reads it once; throws an OperatorError (BAD_LOG) when it is not the one that was surveyed. */
  async *read(): AsyncGenerator<TimedRequest, void, void> {
    const file = await LogFile.open(this.#replay.log, this.#replay.surveyed.extent);
    try {
      yield* this.#ordered(file);
    } finally {
      await file.close();
    }
  }

  async *#ordered(file: LogFile): AsyncGenerator<TimedRequest, void, void> {
    const { untilMs } = this.#replay.surveyed;
    const requests = new LogRequests(this.#replay, this.#seed);
    for await (const lines of file.batches()) {
      for (const line of lines) {
        const outcome = requests.take(line, untilMs);
        if (outcome.kind !== 'request' || !isOfPart(outcome.request.device, this.#part.index, this.#part.count))
          continue;
        const request = this.#located(outcome.request);
        const first = this.#buffer.push(request, request.atMs);
        if (first !== undefined) yield inTurn(first);
      }
      if (requests.latestEndMs > untilMs + runsBackMsMax) break;
    }
    for (let first = this.#buffer.shift(); first !== undefined; first = this.#buffer.shift()) yield inTurn(first);
  }

  /** In the order of the log, as the survey did it. */
  #located({ device, host, path, bytes, position, atMs, sizeBytes: toldBytes }: LogRequest): TimedRequest {
    const content = this.#contents.get(host + path);
    assert(content !== undefined, 'the survey saw the same objects');
    const { sizeBytes } = content;
    const start =
      position.kind === 'at'
        ? position.start
        : position.kind === 'last'
          ? sizeBytes - bytes
          : this.#positions.take(device, host + path, bytes, sizeBytes);
    const isWhole = toldBytes === bytes && bytes === sizeBytes && start === 0 && position.kind === 'at';
    const { surveyed, speed } = this.#replay;
    return { atMs: Math.max(0, atMs - surveyed.firstAtMs) / speed, device, content, start, bytes, isWhole };
  }
}

const inTurn = ({ item, atMs }: InTurn<TimedRequest>): TimedRequest => (item.atMs === atMs ? item : { ...item, atMs });
