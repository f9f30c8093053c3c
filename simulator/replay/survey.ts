// The first reading of a log: what must be known before anything is started. Objects with their sizes, how many devices,
// the time from the first request to the last, and what of the log is of no use. What it holds grows with the number of
// objects and devices, not of lines.

import { OperatorError } from '../../common/errors.ts';
import { formatCount } from '../../common/units.ts';
import type { ReplaySpec, SurveyedLog } from '../scenario/replay-spec.ts';
import type { ContentSpec, Scenario } from '../scenario/scenario.ts';
import { shownLine, unreadable } from './choose-format.ts';
import { badLog, LogFile, type LogLine } from './log-lines.ts';
import { type UnusableReason, unusableReasons } from './log-record.ts';
import { type LeftOutReason, type LogRequest, LogRequests, runsBackMsMax } from './log-requests.ts';
import { Positions } from './positions.ts';

/** How far a reading has come. */
export type SurveyProgress = { readonly lineCount: number; readonly doneRatio: number };

const examplesMax = 5;
const progressMs = 200;
/** Devices within so much time of each other may hold connections at once (an idle one is closed after 28.5 s). */
const heldMs = 30_000;

/**
 * Reads a scenario's log, and gives the scenario with its objects as content and its devices counted. Throws an
 * OperatorError (BAD_LOG) when the log cannot be replayed.
 */
export async function surveyLog(
  scenario: Scenario,
  signal: AbortSignal,
  onProgress: (progress: SurveyProgress) => void,
): Promise<Scenario> {
  const { replay } = scenario;
  if (replay === undefined) return scenario;
  const file = await LogFile.open(replay.log);
  try {
    const survey = new Survey(replay, scenario.seed);
    let toldAtMs = Number.NEGATIVE_INFINITY;
    for await (const lines of file.batches()) {
      if (signal.aborted) throw new OperatorError('INTERRUPTED', 'Interrupted while the log was read.', 130);
      for (const line of lines) survey.take(line);
      if (performance.now() - toldAtMs > progressMs) {
        toldAtMs = performance.now();
        onProgress({ lineCount: survey.lineCount, doneRatio: file.readBytes / file.extent.sizeBytes });
      }
      if (survey.isPast) break;
    }
    const surveyed = survey.result(file);
    const fleet = scenario.fleet.map((group) => ({ ...group, devices: surveyed.deviceCount }));
    return { ...scenario, content: survey.contents(), fleet, replay: { ...replay, surveyed } };
  } finally {
    await file.close();
  }
}

/** What is known of one object: its size as told, and the furthest end of ranges that were seen and assumed. */
type Sighting = { host: string; path: string; toldBytes: number; seenBytes: number; assumedBytes: number };

class Survey {
  readonly #replay: ReplaySpec;
  readonly #requests: LogRequests;
  readonly #objects = new Map<string, Sighting>();
  readonly #positions = new Positions();
  /** By device: the last stretch of `heldMs` in which it asked. */
  readonly #devices = new Map<string, number>();
  readonly #leftOut: Partial<Record<LeftOutReason, number>> = {};
  readonly #unusable: Partial<Record<UnusableReason, number>> = {};
  readonly #examples: string[] = [];
  #firstUnusable: LogLine | undefined;
  lineCount = 0;
  #requestCount = 0;
  #outsideCount = 0;
  #requestedBytes = 0;
  #firstAtMs = Number.POSITIVE_INFINITY;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  /** Devices by stretch of `heldMs` (of the run's time), and the most of two that follow each other. */
  readonly #active = { stretch: 0, count: 0, before: 0, most: 0 };
  readonly #counts = { assumedPosition: 0, assumedHost: 0, spread: 0, query: 0, hitKnown: 0 };
  /** Where the replayed part ends. */
  #untilMs = Number.POSITIVE_INFINITY;
  #hitBytes = 0;
  #hitCount = 0;

  constructor(replay: ReplaySpec, seed: number) {
    this.#replay = replay;
    this.#requests = new LogRequests(replay, seed);
  }

  /** Whether all that follows in the log is later than what is replayed. */
  get isPast(): boolean {
    return this.#requests.latestEndMs > this.#untilMs + runsBackMsMax;
  }

  take(line: LogLine): void {
    this.lineCount += 1;
    const outcome = this.#requests.take(line, this.#untilMs);
    switch (outcome.kind) {
      case 'request':
        this.#note(outcome.request);
        return;
      case 'leftOut':
        this.#leftOut[outcome.reason] = (this.#leftOut[outcome.reason] ?? 0) + 1;
        return;
      case 'outside':
        this.#outsideCount += 1;
        return;
      case 'unusable':
        this.#firstUnusable ??= line;
        this.#unusable[outcome.reason] = (this.#unusable[outcome.reason] ?? 0) + 1;
        if (this.#examples.length < examplesMax) {
          this.#examples.push(`line ${line.number}, ${unusableReasons[outcome.reason]}: ${shownLine(line.text)}`);
        }
    }
  }

  #note(request: LogRequest): void {
    const { bytes, position, sizeBytes = 0, atMs, hitBytes } = request;
    const { forMs, fromEpochMs } = this.#replay;
    // Without a beginning of its own the part begins with the first request in the log.
    if (this.#requestCount === 0 && forMs !== undefined) this.#untilMs = (fromEpochMs ?? atMs) + forMs;
    this.#requestCount += 1;
    this.#requestedBytes += bytes;
    this.#firstAtMs = Math.min(this.#firstAtMs, atMs);
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
    this.#noteDevice(request);
    if (request.isHostAssumed) this.#counts.assumedHost += 1;
    if (request.isSpread) this.#counts.spread += 1;
    if (request.hadQuery) this.#counts.query += 1;
    if (hitBytes !== undefined) {
      this.#counts.hitKnown += 1;
      this.#hitBytes += hitBytes;
      if (hitBytes === bytes) this.#hitCount += 1;
    }
    const key = request.host + request.path;
    let object = this.#objects.get(key);
    if (object === undefined) {
      object = { host: request.host, path: request.path, toldBytes: 0, seenBytes: 0, assumedBytes: 0 };
      this.#objects.set(key, object);
    }
    object.toldBytes = Math.max(object.toldBytes, sizeBytes);
    const start = position.kind === 'at' ? position.start : 0;
    object.seenBytes = Math.max(object.seenBytes, start + bytes);
    if (position.kind !== 'unknown') return;
    this.#counts.assumedPosition += 1;
    const told = object.toldBytes === 0 ? undefined : Math.max(object.toldBytes, object.seenBytes);
    const end = this.#positions.take(request.device, key, bytes, told) + bytes;
    object.assumedBytes = Math.max(object.assumedBytes, end);
  }

  #noteDevice({ device, atMs }: LogRequest): void {
    const stretch = Math.floor(atMs / (heldMs * this.#replay.speed));
    const active = this.#active;
    // Requests are almost in order: one of an earlier stretch counts with the present one.
    if (stretch > active.stretch) {
      active.before = stretch === active.stretch + 1 ? active.count : 0;
      active.stretch = stretch;
      active.count = 0;
    }
    if (this.#devices.get(device) !== active.stretch) active.count += 1;
    this.#devices.set(device, active.stretch);
    active.most = Math.max(active.most, active.before + active.count);
  }

  /** The objects, in the order in which the log first names them. */
  contents(): ContentSpec[] {
    return [...this.#objects.values()].map((object, index) => ({
      id: `log-${index + 1}`,
      host: object.host,
      path: object.path,
      sizeBytes: sizeOf(object),
    }));
  }

  result(file: LogFile): SurveyedLog {
    const { format } = this.#requests;
    if (this.lineCount === 0) throw badLog(file.path, 'expected at least one line, found an empty file');
    const unusableCount = Object.values(this.#unusable).reduce((sum, count) => sum + count, 0);
    if (format === undefined) throw badLog(file.path, 'expected a line with a request, found none');
    if (this.#firstUnusable !== undefined && unusableCount === this.lineCount) {
      throw unreadable(this.#replay, format, this.#firstUnusable);
    }
    if (unusableCount > this.#replay.unusableRatioMax * this.lineCount) throw this.#tooManyUnusable(unusableCount);
    if (this.#requestCount === 0) throw this.#nothingToReplay();
    const { hitKnown, ...counts } = this.#counts;
    const isHitKnown = hitKnown === this.#requestCount;
    return {
      extent: file.extent,
      formatName: format.name,
      firstAtMs: this.#firstAtMs,
      durationMs: this.#lastAtMs - this.#firstAtMs,
      untilMs: this.#untilMs,
      lineCount: this.lineCount,
      requestCount: this.#requestCount,
      requestedBytes: this.#requestedBytes,
      deviceCount: this.#devices.size,
      activeDeviceCountMax: this.#active.most,
      leftOut: this.#leftOut,
      unusable: this.#unusable,
      unusableExamples: this.#examples,
      outsideCount: this.#outsideCount,
      assumedPositionCount: counts.assumedPosition,
      assumedHostCount: counts.assumedHost,
      spreadCount: counts.spread,
      queryCount: counts.query,
      minimumSizeCount: [...this.#objects.values()].filter(({ toldBytes }) => toldBytes === 0).length,
      hitRatioBytes: isHitKnown ? this.#hitBytes / this.#requestedBytes : undefined,
      hitRatioRequests: isHitKnown ? this.#hitCount / this.#requestCount : undefined,
    };
  }

  #tooManyUnusable(unusableCount: number): Error {
    const { log, unusableRatioMax } = this.#replay;
    return badLog(
      log,
      `expected at most ${unusableRatioMax * 100} % of its lines to be unusable (replay.unusableRatioMax), found ` +
        `${formatCount(unusableCount)} of ${formatCount(this.lineCount)}:\n  ${this.#examples.join('\n  ')}`,
    );
  }

  #nothingToReplay(): Error {
    const leftOut = Object.values(this.#leftOut).reduce((sum, count) => sum + count, 0);
    const found = `${formatCount(this.lineCount)} lines, of which ${formatCount(leftOut)} are no such requests and ${formatCount(this.#outsideCount)} are before or after the part that replay.from and replay.for name`;
    return badLog(this.#replay.log, `expected a GET that was answered by 200 or 206, found ${found}`);
  }
}

/** What is told or seen; what is only assumed counts where nothing told it. */
function sizeOf({ toldBytes, seenBytes, assumedBytes }: Sighting): number {
  return Math.max(toldBytes, seenBytes, toldBytes === 0 ? assumedBytes : 0);
}
