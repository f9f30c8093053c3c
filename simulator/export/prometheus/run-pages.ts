// What a scraper of a run can ask for:
//
//   GET /metrics             the run's own numbers
//   GET /targets             where the numbers of its nodes are, for Prometheus' discovery by HTTP
//   GET /nodes/<id>/metrics  those of a node, passed on: its own address is of this machine alone, and another one after a restart
//
// (Discovery: https://prometheus.io/docs/prometheus/latest/http_sd/)

import { request } from 'undici';
import { type Address, formatAddress } from '../../../common/address.ts';
import { errorCode } from '../../../common/errors.ts';
import { prometheusContentType } from '../../../common/prometheus-text.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { Snapshot } from '../../world/live/live-snapshots.ts';
import { plainText, type ScrapeAnswer } from './metrics-server.ts';
import { RunExposition } from './run-exposition.ts';
import type { RunPhase } from './run-metrics.ts';

/** How long a node may take: less than a scraper waits by default (10 s). */
const nodeTimeoutMs = 5000;

export class RunPages {
  readonly #scenario: string;
  readonly #nodes: readonly string[];
  readonly #exposition: RunExposition;
  #adminOf: (id: string) => Address | undefined = () => undefined;

  constructor(scenario: Scenario, startedAtMs: number) {
    this.#scenario = scenario.name;
    // Those that were there before tell their numbers where their operator says.
    this.#nodes = scenario.nodes.flatMap(({ id, url }) => (url === undefined ? [id] : []));
    this.#exposition = new RunExposition(scenario, this.#nodes, startedAtMs);
  }

  /** This is what is known now. */
  take(snapshot: Snapshot): void {
    this.#exposition.take(snapshot);
  }

  enter(phase: RunPhase): void {
    this.#exposition.phase = phase;
  }

  /** Where the nodes can be asked. */
  find(adminOf: (id: string) => Address | undefined): void {
    this.#adminOf = adminOf;
  }

  async answer(path: string, host: string): Promise<ScrapeAnswer> {
    if (path === '/metrics') return { status: 200, type: prometheusContentType, text: this.#exposition.text() };
    if (path === '/targets') return { status: 200, type: 'application/json', text: this.#targets(host) };
    const node = this.#nodes.find((id) => path === nodePath(id));
    if (node !== undefined) return await this.#ofNode(node);
    const known = ['/metrics', '/targets', ...this.#nodes.map(nodePath)].join(', ');
    return { status: 404, type: plainText, text: `Here are ${known}.\n` };
  }

  #targets(host: string): string {
    const groups = this.#nodes.map((node) => ({
      targets: [host],
      labels: { __metrics_path__: nodePath(node), node, scenario: this.#scenario },
    }));
    return `${JSON.stringify(groups)}\n`;
  }

  async #ofNode(id: string): Promise<ScrapeAnswer> {
    const admin = this.#adminOf(id);
    if (admin === undefined) return { status: 503, type: plainText, text: `Node ${id} is not running.\n` };
    try {
      const signal = AbortSignal.timeout(nodeTimeoutMs);
      const { statusCode, body } = await request(`http://${formatAddress(admin)}/metrics`, { signal });
      return { status: statusCode, type: prometheusContentType, text: await body.text() };
    } catch (error) {
      return { status: 504, type: plainText, text: `Node ${id} has not answered: ${errorCode(error)}.\n` };
    }
  }
}

const nodePath = (id: string): string => `/nodes/${id}/metrics`;
