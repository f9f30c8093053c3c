// `--metrics` of `sim run`: the run's numbers for Prometheus while it goes on, and for a last scrape after it.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Address, formatAddress } from '../../common/address.ts';
import { OperatorError } from '../../common/errors.ts';
import { formatDuration } from '../../common/units.ts';
import type { MetricsServer } from '../export/prometheus/metrics-server.ts';
import type { RunPages } from '../export/prometheus/run-pages.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import type { Snapshot } from '../world/live/live-snapshots.ts';
import { durationAboveZero, portOrAddress } from './option-values.ts';

export type MetricsOptions = {
  readonly metrics?: Address;
  /** In ms. */
  readonly metricsLinger?: number;
};

type Quiet = { readonly quiet: boolean };

const group = 'For Prometheus and Grafana (docs/monitoring.md):';

export function withMetricsOptions(command: Command): Command {
  const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup(group);
  return command
    .addOption(
      option(
        '--metrics <[address:]port>',
        'serve the numbers of the live run at /metrics while it goes on (default address: 127.0.0.1; port 0: any)',
      ).argParser(metricsAddress),
    )
    .addOption(
      option(
        '--metrics-linger <duration>',
        'after the run, go on until its last numbers were scraped once, at most so long (default: not at all)',
      ).argParser(durationAboveZero),
    );
}

function metricsAddress(text: string): Address {
  const parsed = portOrAddress(text);
  if (parsed !== undefined) return parsed;
  throw new InvalidArgumentError(`Expected a port, or address:port, such as 9464 or 0.0.0.0:9464; found "${text}".`);
}

/** Throws an OperatorError (BAD_OPTIONS) for options that make no sense together. `isLive`: whether there is a live run. */
export function checkMetricsOptions(
  { metrics, metricsLinger, shard }: MetricsOptions & { readonly shard?: unknown },
  isLive: boolean,
): void {
  if (metrics === undefined && metricsLinger !== undefined) {
    throw new OperatorError('BAD_OPTIONS', '--metrics-linger: expected beside --metrics, found without it.');
  }
  if (metrics === undefined) return;
  if (shard !== undefined) {
    const where = 'give it to the environment, which has the numbers of all shards';
    throw new OperatorError(
      'BAD_OPTIONS',
      `--metrics: expected a whole run, found one shard of it (--shard): ${where}.`,
    );
  }
  if (!isLive) {
    const why = 'the virtual world is over before anybody could scrape it';
    throw new OperatorError('BAD_OPTIONS', `--metrics: expected a live run, found a virtual one alone: ${why}.`);
  }
}

/** The numbers of a live run, at an address. */
export class ServedMetrics {
  readonly #pages: RunPages;
  readonly #server: MetricsServer;
  readonly #lingerMs: number;

  private constructor(pages: RunPages, server: MetricsServer, lingerMs: number) {
    this.#pages = pages;
    this.#server = server;
    this.#lingerMs = lingerMs;
  }

  /**
   * Calls `run` with them while they are served; with undefined when nobody asked for it. Throws an OperatorError before
   * anything is run when it cannot listen there.
   */
  static async during(
    scenario: Scenario,
    { metrics, metricsLinger = 0, quiet }: MetricsOptions & Quiet,
    run: (served: ServedMetrics | undefined) => Promise<void>,
  ): Promise<void> {
    if (metrics === undefined) return await run(undefined);
    // A tenth of a second until they are loaded, which only those wait for who ask for it.
    const { RunPages } = await import('../export/prometheus/run-pages.ts');
    const { MetricsServer } = await import('../export/prometheus/metrics-server.ts');
    const pages = new RunPages(scenario, Date.now());
    const server = await MetricsServer.open(metrics, '--metrics', (path, host) => pages.answer(path, host));
    try {
      const served = new ServedMetrics(pages, server, metricsLinger);
      if (!quiet) process.stderr.write(`The numbers of this run are at ${served.#url}\n`);
      await run(served);
    } finally {
      await server.close();
    }
  }

  /** This is what is known now. */
  take(snapshot: Snapshot): void {
    this.#pages.take(snapshot);
  }

  /** The nodes have started: `adminOf` says where each can be asked. */
  find(adminOf: (id: string) => Address | undefined): void {
    this.#pages.find(adminOf);
  }

  enter(phase: LiveProgress['phase']): void {
    this.#pages.enter(phase);
  }

  /** The run has finished, and its results are written: waits for a last scrape, if that was asked for. */
  async linger(signal: AbortSignal, { quiet }: Quiet): Promise<void> {
    this.#pages.enter('finished');
    if (this.#lingerMs === 0 || signal.aborted) return;
    const atMost = `at most ${formatDuration(this.#lingerMs)}, or until Ctrl-C`;
    if (!quiet) process.stderr.write(`Waiting for a last scrape of ${this.#url} (${atMost})\n`);
    await this.#server.scraped('/metrics', AbortSignal.any([signal, AbortSignal.timeout(this.#lingerMs)]));
  }

  get #url(): string {
    return `http://${formatAddress(this.#server.address)}/metrics`;
  }
}
