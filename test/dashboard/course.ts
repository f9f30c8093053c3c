// A run cut into what was known of it second by second, for pages that follow it; and a plain reader of their stream.

import http from 'node:http';
import { formatAddress } from '../../common/address.ts';
import type { PageEvent } from '../../reports/html/page-change.ts';
import { Dashboard, type SeenRun } from '../../simulator/dashboard/dashboard.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import type { LiveProgress } from '../../simulator/world/live/live-progress.ts';

/** What was known of a run after so many of its steps, and events. */
export function runUntil(run: Run, steps: number, eventCount = 1): SeenRun {
  const columns = Object.entries(run.series.columns).map(([name, values]) => [name, values.slice(0, steps)] as const);
  const timeline = run.timeline.slice(0, eventCount);
  const durationMs = Math.min(run.durationMs, steps * 1000);
  return { ...run, series: { ...run.series, columns: Object.fromEntries(columns) }, timeline, durationMs };
}

/** A page on a free port; verdicts are those of the finished result. */
export async function openDashboard(result: Result): Promise<Dashboard> {
  return await Dashboard.open({
    listen: { host: '127.0.0.1', port: 0 },
    expected: ['devices.completedRatio == 1'],
    conclude: (runs) => ({
      ...result,
      runs: runs.map((run) => {
        const judged = result.runs.find(({ purpose }) => purpose === run.purpose);
        return { ...run, expectations: judged?.expectations ?? [] };
      }),
    }),
  });
}

export function progressAt(seconds: number, completed = 0): LiveProgress {
  return {
    phase: 'running',
    elapsedMs: seconds * 1000,
    devices: {
      ...{ waiting: 3, connected: 2, downloading: 7, completed, failed: 0, onCdn: 1 },
      ...{ bytesFromCacheServer: 0, bytesFromCdn: 0, failedRanges: 0 },
    },
    egressBitsPerSecond: 1e9,
  };
}

export type Answer = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly text: string };

/** Asks by a plain client. */
export async function ask(url: string, path: string, options: http.RequestOptions = {}): Promise<Answer> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http
      .request(new URL(path, url), { agent: false, ...options }, resolve)
      .on('error', reject)
      .end();
  });
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** Reads the stream as its specification says: blocks of `field: value`, ended by an empty line. */
export class StreamReader {
  readonly events: { readonly name: string; readonly data: string }[] = [];
  ended = false;
  #text = '';
  #wake: () => void = () => undefined;
  readonly #request: http.ClientRequest;
  response: http.IncomingMessage | undefined;

  constructor(url: string) {
    this.#request = http.get(new URL('events', url), { agent: false }, (response) => {
      this.response = response;
      response.on('data', (chunk: Buffer) => this.#read(String(chunk)));
      response.on('close', () => {
        this.ended = true;
        this.#wake();
      });
    });
    this.#request.on('error', () => undefined);
  }

  #read(text: string): void {
    const blocks = (this.#text + text).split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => line.split(/: ?(.*)/s, 2));
      const field = (name: string): string => fields.find(([key]) => key === name)?.[1] ?? '';
      if (field('data') !== '') this.events.push({ name: field('event'), data: field('data') });
    }
    this.#wake();
  }

  get pages(): PageEvent[] {
    return this.events.filter(({ name }) => name === 'page').map(({ data }) => JSON.parse(data) as PageEvent);
  }

  /** The newest page that is like this. */
  async until(isLike: (page: PageEvent) => boolean): Promise<PageEvent> {
    for (;;) {
      const page = this.pages.at(-1);
      if (page !== undefined && isLike(page)) return page;
      if (this.ended) throw new Error(`the stream has ended, at last with ${page?.title ?? 'no page'}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async untilEnded(): Promise<void> {
    while (!this.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#request.destroy();
  }
}

/** The port of a page. */
export const portOf = (url: string): number => Number(new URL(url).port);

export const addressOf = (url: string): string => formatAddress({ host: '127.0.0.1', port: portOf(url) });
