// One file on its way to one device, in k6: pieces by as many requests at once as the client has connections, and what
// the policy says when a source fails. k6 cannot take a request back: when one of several fails, the others end first.

import { clearTimeout, setTimeout } from 'k6/timers';
import type { ByteRange } from '../../../../common/byte-range.ts';
import { hashText } from '../../../../common/random.ts';
import type { Source, SourceFailureCause, TransportRules } from '../../../device/download-policy.ts';
import { windowsConnectionsPerFile } from '../../../device/range-plan.ts';
import type { Cancel, DownloadRunner, Observation, World } from '../../../world/world.ts';
import { serverOf } from './addresses.ts';
import type { ExportedContent, ExportedGroup, ExportedScenario } from './exported-scenario.ts';
import { measured } from './measured.ts';
import { askSource } from './source-request.ts';

/** The pieces that a download asks for: all of a file, or the one that is due. */
export type Pieces = {
  readonly pieceCount: number;
  next(): number | undefined;
  giveBack(piece: number): void;
  /** `undefined`: the whole file, without a Range header. */
  rangeOf(piece: number): ByteRange | undefined;
};

/** Who downloads. */
export type DownloadingDevice = {
  readonly exported: ExportedScenario;
  readonly group: ExportedGroup;
  /** In the fleet. */
  readonly index: number;
  readonly seed: number;
  /** When the piece was due (live window); undefined: as soon as it can be asked for. */
  readonly dueMs: number | undefined;
  readonly untilMs: number;
  fellBack(cause: SourceFailureCause): void;
};

export class ScriptDownload {
  readonly #device: DownloadingDevice;
  readonly #content: ExportedContent;
  /** 2, 5, 8 … as captured. */
  readonly #fileNumber: number;
  readonly #pieces: Pieces;
  readonly #transport: TransportRules;
  readonly #onEnd: (how: 'done' | 'failed' | 'stopped') => void;
  runner: DownloadRunner<ScriptDownload> | undefined;
  #cameCount = 0;
  #requestCount = 0;
  #lastByteMs = Date.now();
  #leftCacheHostAtMs: number | undefined;
  #busyCount = 0;

  constructor(
    device: DownloadingDevice,
    content: ExportedContent,
    fileNumber: number,
    pieces: Pieces,
    transport: TransportRules,
    onEnd: (how: 'done' | 'failed' | 'stopped') => void,
  ) {
    this.#device = device;
    this.#content = content;
    this.#fileNumber = fileNumber;
    this.#pieces = pieces;
    this.#transport = transport;
    this.#onEnd = onEnd;
  }

  transfer(source: Source): void {
    void this.#transferAll(source);
  }

  /** The window is over: what is under way ends by itself, nothing more is asked for. */
  stop(): void {
    if (this.runner?.hasEnded === true) return;
    this.runner?.stop();
    if (this.#busyCount === 0) this.#onEnd('stopped');
  }

  observe(what: Observation): void {
    if (what.kind !== 'source') this.#onEnd(what.kind);
    else if (what.source.kind === 'cdn' && what.because !== undefined && this.#device.group.cacheHosts.length > 0) {
      this.#leftCacheHostAtMs = this.#lastByteMs;
      this.#device.fellBack(what.because);
    }
  }

  async #transferAll(source: Source): Promise<void> {
    const wanted = this.#device.group.connectionsPerFile ?? windowsConnectionsPerFile(this.#pieces.pieceCount);
    const count = this.#transport.ranges === 'rest' ? 1 : wanted;
    const state: TransferState = { failure: undefined, progressed: false };
    this.#busyCount = count;
    await Promise.all(
      Array.from({ length: count }, async () => {
        await this.#askInTurn(source, state);
        this.#busyCount -= 1;
      }),
    );
    if (this.runner?.hasEnded === true) this.#onEnd('stopped');
    else if (state.failure !== undefined) this.runner?.sourceFailed(state.failure, state.progressed);
    else if (this.#cameCount === this.#pieces.pieceCount) this.runner?.sourceFinished();
    else this.stop();
  }

  /** One connection: piece after piece until none is left, or one of the connections has failed. */
  async #askInTurn(source: Source, state: TransferState): Promise<void> {
    while (state.failure === undefined && Date.now() < this.#device.untilMs) {
      const piece = this.#pieces.next();
      if (piece === undefined) return;
      const failure = await this.#ask(source, piece);
      if (failure === undefined) state.progressed = true;
      else {
        this.#pieces.giveBack(piece);
        state.failure = state.failure ?? failure;
      }
    }
  }

  async #ask(source: Source, piece: number): Promise<SourceFailureCause | undefined> {
    const { exported, group, dueMs } = this.#device;
    const content = this.#content;
    const server = serverOf(exported, group, source);
    const range = this.#pieces.rangeOf(piece);
    const bytes = range === undefined ? content.sizeBytes : range.end - range.start;
    const tags = { fleet_group: group.id };
    this.#requestCount += 1;
    const askedMs = Date.now();
    const answer = await askSource({
      server,
      content,
      range,
      headers: this.#headers(),
      timeoutMs: this.#timeoutMs(bytes),
      redirectsMax: group.client === 'linux' ? linuxRedirectsMax : 0,
      tags,
    });
    const nowMs = Date.now();
    if (answer.failure !== undefined) {
      measured.rangesFailed.add(1, { ...tags, server: server.id, cause: answer.failure });
      return answer.failure;
    }
    this.#cameCount += 1;
    this.#lastByteMs = nowMs;
    measured.ranges.add(1, tags);
    (server.id === 'cdn' ? measured.bytesFromCdn : measured.bytesFromCacheServer).add(bytes, {
      ...tags,
      server: server.id,
    });
    measured.rangeLatencyMs.add(nowMs - (dueMs ?? askedMs), tags);
    measured.rangeServiceMs.add(answer.serviceMs, tags);
    measured.rangeFirstByteMs.add(answer.firstByteMs, tags);
    if (server.id === 'cdn' && this.#leftCacheHostAtMs !== undefined) {
      measured.fallbackTimeMs.add(Math.max(0, nowMs - answer.receivingMs - this.#leftCacheHostAtMs), tags);
      this.#leftCacheHostAtMs = undefined;
    }
    return undefined;
  }

  #headers(): Readonly<Record<string, string>> {
    const { group, seed, index } = this.#device;
    if (group.client === 'linux') return { 'User-Agent': 'Microsoft-Delivery-Optimization-Lite/10.0.0.1' };
    const vector = hashText(`${seed}/${index}`).toString(36).padStart(16, 'A').slice(0, 16);
    return {
      'User-Agent': 'Microsoft-Delivery-Optimization/10.1',
      'MS-CV': `${vector}.${this.#fileNumber}.${this.#requestCount}`,
    };
  }

  /** A client waits so long to connect, and so long without (enough) bytes; k6 has one time-out for all of a request. */
  #timeoutMs(bytes: number): number {
    const set = Number(__ENV['REQUEST_TIMEOUT_MS'] ?? '');
    if (set > 0) return set;
    const { stallTimeMs, stallBytesPerMs } = this.#transport;
    const slowestMs = stallBytesPerMs === 0 ? 0 : bytes / stallBytesPerMs;
    const cacheHostCount = this.#device.group.cacheHosts.length;
    const connectMs = this.#transport.connectTimeoutMs({ cacheHostCount, fallbackDelayMs: undefined });
    return Math.ceil(connectMs + stallTimeMs + slowestMs);
  }
}

type TransferState = { failure: SourceFailureCause | undefined; progressed: boolean };

/** As the Linux client follows them; the Windows client is taken to follow none. */
const linuxRedirectsMax = 10;

/** k6 as a world that downloads run in: its clock and timers, real requests. */
export const scriptWorld: World<ScriptDownload> = {
  now: () => Date.now(),
  schedule(atMs, run): Cancel {
    const timer = setTimeout(run, Math.max(0, Math.ceil(atMs - Date.now())));
    return () => clearTimeout(timer);
  },
  transfer: (download, source) => download.transfer(source),
  observe: (download, what) => download.observe(what),
};
