// The page of `sim run --ui`: told what happens, it makes a page of it when somebody reads, about once a second and never in more
// than a small part of this process's time. Without a reader nothing is made.

import { randomUUID } from 'node:crypto';
import type { Address } from '../../common/address.ts';
import { type LiveStatus, livePage } from '../../reports/html/live-page.ts';
import { beatMs, eventNames, type PageEvent } from '../../reports/html/page-change.ts';
import { changeOf, type PageParts, pageOf } from '../../reports/html/page-frame.ts';
import { reportParts } from '../../reports/html/report-page.ts';
import type { Result, Run } from '../result/result.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import type { VirtualProgress } from '../world/virtual/virtual-world.ts';
import { EventReaders, streamEvent } from './event-readers.ts';
import { liveStatus, startingStatus, virtualStatus } from './live-status.ts';
import { PageServer } from './page-server.ts';

/** A run as far as it is known, before it is judged. */
export type SeenRun = Omit<Run, 'expectations'>;

export type DashboardTerms = {
  readonly listen: Address;
  /** What the scenario expects, in its words. */
  readonly expected: readonly string[];
  /** The result of these runs, judged as if there were nothing to come. */
  readonly conclude: (runs: readonly SeenRun[]) => Result;
};

const showMs = 1000;
/** Making pages takes at most so much of this process's time: then there are fewer of them. */
const timeRatioMax = 0.1;
/** How long readers may take for the last event. */
const farewellMs = 1000;
/** A page that is loaded again, or lost its connection, is back within so long. */
const returnMs = 3000;

const beat = streamEvent(eventNames.beat, {});

export class Dashboard {
  readonly #terms: DashboardTerms;
  readonly #id = randomUUID();
  readonly #finished: SeenRun[] = [];
  #underWay: SeenRun | undefined;
  #status: LiveStatus = startingStatus;
  #result: Result | undefined;
  #ended: string | undefined;

  #made: { readonly parts: PageParts; readonly number: number; readonly event: Buffer } | undefined;
  #isStale = true;
  #notBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  readonly #readers = new EventReaders(
    () => this.#newest(),
    () => {
      if (this.#isStale) this.#touch();
      this.#onReaders();
    },
  );
  #onReaders: () => void = () => undefined;
  readonly #beats = setInterval(() => this.#readers.beat(beat), beatMs).unref();
  #server: PageServer | undefined;

  private constructor(terms: DashboardTerms) {
    this.#terms = terms;
  }

  /** Serves from now on. Throws an OperatorError (PORT_TAKEN) when it cannot. */
  static async open(terms: DashboardTerms): Promise<Dashboard> {
    const dashboard = new Dashboard(terms);
    const page = (): string => pageOf(dashboard.#newest().parts, dashboard.#id);
    dashboard.#server = await PageServer.open(terms.listen, page, dashboard.#readers);
    return dashboard;
  }

  get url(): string {
    return this.#server?.url ?? '';
  }

  get isOpenToOthers(): boolean {
    return this.#server?.isOpenToOthers === true;
  }

  /** How many pages follow the run. */
  get readerCount(): number {
    return this.#readers.count;
  }

  /** What they have been sent and have not yet taken. */
  get unreadBytes(): number {
    return this.#readers.unreadBytes;
  }

  // ---- What happens

  show(progress: LiveProgress): void {
    this.#become(liveStatus(progress));
  }

  showVirtual(progress: VirtualProgress): void {
    this.#become(virtualStatus(progress));
  }

  /** What is known of the run that goes on. */
  take(snapshot: SeenRun): void {
    this.#underWay = snapshot;
    this.#touch();
  }

  /** A run has ended. */
  add(run: SeenRun): void {
    this.#underWay = undefined;
    this.#finished.push(run);
    this.#touch();
  }

  /** All runs have ended: the page becomes the report. `where`: the folder of the results. */
  end(result: Result, where: string): void {
    this.#result = result;
    this.#ended = `The run has ended; its report is in ${where}.`;
    this.#showNow();
  }

  /** It could not be carried out. */
  fail(message: string): void {
    if (this.#result !== undefined) return;
    this.#ended = 'The run could not be carried out.';
    this.#status = { phase: 'could not run', words: message, facts: [], isBroken: true };
    this.#showNow();
  }

  /** Resolves when no page has been open for a while, or when the signal is aborted. */
  async untilUnread(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      let leaving: NodeJS.Timeout | undefined;
      const look = (): void => {
        clearTimeout(leaving);
        if (this.#readers.count === 0) leaving = setTimeout(resolve, returnMs);
      };
      signal.addEventListener('abort', () => {
        clearTimeout(leaving);
        resolve();
      });
      if (signal.aborted) return resolve();
      this.#onReaders = look;
      look();
    });
    this.#onReaders = () => undefined;
  }

  /** Ends; whoever reads gets the last event first, if they take it soon. */
  async close(): Promise<void> {
    clearInterval(this.#beats);
    clearTimeout(this.#timer);
    await this.#readers.end(farewellMs);
    await this.#server?.close();
  }

  // ---- What is shown

  #become(status: LiveStatus): void {
    this.#status = status;
    this.#touch();
  }

  #touch(): void {
    this.#isStale = true;
    if (this.#timer !== undefined || this.#readers.count === 0) return;
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, this.#notBeforeMs - performance.now()));
  }

  #showNow(): void {
    this.#isStale = true;
    this.#tell();
  }

  /** It is time to, also when a timer was a fraction of a millisecond early. */
  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#notBeforeMs = 0;
    this.#readers.tell();
  }

  /** Made again when something has happened, and it is time to. */
  #newest(): { readonly parts: PageParts; readonly number: number; readonly event: Buffer } {
    const beganMs = performance.now();
    const made = this.#made;
    if (made !== undefined && (!this.#isStale || beganMs < this.#notBeforeMs)) return made;
    const parts = this.#parts();
    const ended = this.#ended === undefined ? {} : { ended: this.#ended };
    const event: PageEvent = { ...changeOf(parts), run: this.#id, ...ended };
    this.#made = { parts, number: (made?.number ?? 0) + 1, event: streamEvent(eventNames.page, event) };
    this.#isStale = false;
    this.#notBeforeMs = beganMs + Math.max(showMs, (performance.now() - beganMs) / timeRatioMax);
    return this.#made;
  }

  #parts(): PageParts {
    if (this.#result !== undefined) return reportParts(this.#result);
    const seen = [...this.#finished, ...(this.#underWay === undefined ? [] : [this.#underWay])];
    return livePage({
      result: this.#terms.conclude(seen),
      status: this.#status,
      underWay: this.#underWay?.purpose,
      expected: this.#terms.expected,
    });
  }
}
