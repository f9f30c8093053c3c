// Runs an exported script where k6 itself is not installed: the `.js` as it was written, in JavaScript contexts of Node
// that have what k6's documentation promises a script, and real requests. It is not k6: nothing here says anything of k6's
// speed, its request heads or its summary beyond the parts that the script reads.
//
// As in k6 each virtual user has a context of its own, metrics are common to all, and scenarios run side by side.

import vm from 'node:vm';
import { Agent, request } from 'undici';
import { errorCode } from '../../common/errors.ts';
import type { K6Scenario } from '../../simulator/export/k6/k6-scenarios.ts';

type Tags = Readonly<Record<string, string>>;
type Sample = { readonly value: number; readonly tags: Tags };
type Kind = 'counter' | 'rate' | 'trend';

type K6Options = {
  readonly scenarios: Readonly<Record<string, K6Scenario>>;
  readonly thresholds: Readonly<Record<string, readonly string[]>>;
  readonly noVUConnectionReuse: boolean;
};

/** What a script exports. */
type Script = {
  readonly options: K6Options;
  readonly setup: () => void;
  readonly device: () => Promise<void>;
  readonly range: () => Promise<void>;
  readonly handleSummary: (summary: unknown) => Record<string, string>;
};

export type StandInRun = {
  readonly options: K6Options;
  readonly stdout: string;
  /** Of the line `counts {…}` of the summary. */
  readonly counts: Readonly<Record<string, number>>;
  readonly log: readonly string[];
  /** Values of one metric, of samples with these tags. */
  values(metric: string, tags?: Tags): number[];
};

/** Runs a whole script; rejects when its `setup` does. */
export async function runInStandIn(
  text: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<StandInRun> {
  const run = new StandIn(text, environment);
  const { options, setup, handleSummary } = run.newVirtualUser().script;
  setup();
  try {
    await Promise.all(Object.entries(options.scenarios).map(([name, scenario]) => run.runScenario(name, scenario)));
  } finally {
    await run.close();
  }
  const stdout = handleSummary(run.summary(options))['stdout'] ?? '';
  return {
    options,
    stdout,
    counts: numbersOf(stdout).counts,
    log: run.log,
    values: (metric, tags) => run.values(metric, tags),
  };
}

type Numbers = Readonly<Record<string, number>>;

/** The line of numbers that a script prints at its end. */
export function numbersOf(stdout: string): { readonly counts: Numbers; readonly largest: Numbers } {
  const line = /^counts (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`no line of counts:\n${stdout}`);
  return JSON.parse(line) as { counts: Numbers; largest: Numbers };
}

/** Names of a script's own, for tests that look into it. */
export function namesOf<Names extends Record<string, unknown>>(
  text: string,
  names: readonly (keyof Names & string)[],
): Names {
  return new StandIn(text, {}, names).newVirtualUser().script as unknown as Names;
}

type VirtualUser = {
  readonly script: Script;
  readonly execution: { scenario: { name: string; iterationInTest: number; startTime: number } };
  agent: Agent;
};

class StandIn {
  readonly log: string[] = [];
  readonly #compiled: vm.Script;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #metrics = new Map<string, { readonly kind: Kind; readonly samples: Sample[] }>();
  readonly #agents = new Set<Agent>();

  constructor(text: string, environment: Readonly<Record<string, string>>, names?: readonly string[]) {
    this.#environment = environment;
    const exports = names ?? ['options', 'setup', 'device', 'range', 'handleSummary'];
    const body = text
      .replaceAll(/^import \{ (.*) \} from ['"](.*)['"];$/gm, "const { $1 } = k6['$2'];")
      .replaceAll(/^import (\w+) from ['"](.*)['"];$/gm, "const $1 = k6['$2'];")
      .replaceAll(/^export /gm, '');
    this.#compiled = new vm.Script(
      `(k6, __ENV, console) => {'use strict';\n${body}\nreturn { ${exports.join(', ')} };\n}`,
    );
    this.#metrics.set('http_reqs', { kind: 'counter', samples: [] });
    this.#metrics.set('dropped_iterations', { kind: 'counter', samples: [] });
  }

  newVirtualUser(): VirtualUser {
    const execution = { scenario: { name: '', iterationInTest: 0, startTime: 0 } };
    const user: Omit<VirtualUser, 'script'> = { execution, agent: this.#newAgent() };
    const start = this.#compiled.runInThisContext() as (...given: unknown[]) => Script;
    const console = { log: (line: string) => this.log.push(line) };
    const script = start(
      this.#modules(execution, () => user.agent),
      this.#environment,
      console,
    );
    return Object.assign(user, { script });
  }

  async runScenario(name: string, scenario: K6Scenario): Promise<void> {
    const free: VirtualUser[] = [];
    let userCount = 0;
    const usersMax = scenario.executor === 'shared-iterations' ? scenario.vus : scenario.maxVUs;
    const takeUser = (): VirtualUser | undefined => {
      if (free.length === 0 && userCount >= usersMax) return undefined;
      if (free.length === 0) userCount += 1;
      return free.pop() ?? this.newVirtualUser();
    };
    await until(Date.now() + msOf(scenario.startTime));
    const startTime = Date.now();
    const iterate = async (user: VirtualUser, iterationInTest: number): Promise<void> => {
      Object.assign(user.execution.scenario, { name, iterationInTest, startTime });
      if (user.script.options.noVUConnectionReuse) user.agent = this.#newAgent();
      await user.script[scenario.exec]();
      free.push(user);
    };
    const running: Promise<void>[] = [];
    if (scenario.executor === 'shared-iterations') {
      for (let i = 0; i < scenario.iterations; i += 1) {
        const user = takeUser();
        if (user !== undefined) running.push(iterate(user, i));
      }
    } else {
      const stepMs = msOf(scenario.timeUnit) / scenario.rate;
      for (let i = 0; i * stepMs < msOf(scenario.duration); i += 1) {
        await until(startTime + i * stepMs);
        const user = takeUser();
        if (user === undefined) this.#add('dropped_iterations', 1);
        else running.push(iterate(user, i));
      }
    }
    await Promise.all(running);
  }

  values(metric: string, tags: Tags = {}): number[] {
    const samples = this.#metrics.get(metric)?.samples ?? [];
    return samples
      .filter((sample) => Object.entries(tags).every(([name, value]) => sample.tags[name] === value))
      .map(({ value }) => value);
  }

  /** As k6 hands it to `handleSummary`, as far as the script reads it. */
  summary({ thresholds }: K6Options): unknown {
    const names = new Set([...this.#metrics.keys(), ...Object.keys(thresholds)]);
    const metrics = [...names].map((name) => {
      const [metric = '', tagText = ''] = name.split(/[{}]/);
      const tags = Object.fromEntries(tagText.split(',').map((tag) => tag.split(':'))) as Tags;
      const kind = this.#metrics.get(metric)?.kind ?? 'counter';
      const values = aggregates(kind, this.values(metric, tagText === '' ? {} : tags));
      const judged = (thresholds[name] ?? []).map((text) => [text, { ok: holds(text, values) }] as const);
      return [name, { type: kind, values, thresholds: Object.fromEntries(judged) }] as const;
    });
    return { metrics: Object.fromEntries(metrics) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents].map((agent) => agent.destroy()));
  }

  #newAgent(): Agent {
    const agent = new Agent({ pipelining: 1 });
    this.#agents.add(agent);
    return agent;
  }

  #add(metric: string, value: number | boolean, tags: Tags = {}): void {
    this.#metrics.get(metric)?.samples.push({ value: Number(value), tags });
  }

  #modules(execution: VirtualUser['execution'], agent: () => Agent): Readonly<Record<string, unknown>> {
    const metricOf = (kind: Kind) => {
      const add = (name: string, value: number | boolean, tags?: Tags) => this.#add(name, value, tags);
      const metrics = this.#metrics;
      return class {
        readonly #name: string;
        constructor(name: string) {
          this.#name = name;
          if (!metrics.has(name)) metrics.set(name, { kind, samples: [] });
        }
        add(value: number | boolean, tags?: Tags): void {
          add(this.#name, value, tags);
        }
      };
    };
    return {
      k6: {
        fail(message: string) {
          throw new Error(message);
        },
        check: (value: unknown, checks: Record<string, (value: unknown) => boolean>) =>
          Object.values(checks).every((holds) => holds(value)),
      },
      'k6/execution': execution,
      'k6/metrics': { Counter: metricOf('counter'), Rate: metricOf('rate'), Trend: metricOf('trend') },
      'k6/timers': { setTimeout, clearTimeout },
      'k6/http': {
        asyncRequest: (_: 'GET', url: string, __: null, params: RequestParams) => {
          this.#add('http_reqs', 1, params.tags);
          return answerOf(url, params, agent());
        },
      },
    };
  }
}

type RequestParams = {
  readonly headers: Record<string, string>;
  readonly timeout: number;
  readonly responseType: string;
  readonly tags: Tags;
};

async function answerOf(url: string, { headers, timeout, responseType }: RequestParams, dispatcher: Agent) {
  if (responseType !== 'none') throw new Error('bodies would be kept');
  const askedMs = performance.now();
  const timings = () => ({ duration: performance.now() - askedMs, sending: 0, waiting: 0, receiving: 0 });
  try {
    const answer = await request(url, { headers, dispatcher, signal: AbortSignal.timeout(timeout) });
    const waiting = performance.now() - askedMs;
    for await (const _ of answer.body);
    const duration = performance.now() - askedMs;
    return {
      status: answer.statusCode,
      error_code: answer.statusCode >= 400 ? 1000 + answer.statusCode : 0,
      headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [goName(name), value])),
      timings: { duration, sending: 0, waiting, receiving: duration - waiting },
    };
  } catch (error) {
    return { status: 0, error_code: k6ErrorCode(error), headers: {}, timings: timings() };
  }
}

/** `content-range` → `Content-Range`. */
const goName = (name: string): string => name.replaceAll(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());

/** As in k6's documentation, "Error codes". */
function k6ErrorCode(error: unknown): number {
  if (error instanceof Error && error.name === 'TimeoutError') return 1050;
  return errorCode(error) === 'ECONNREFUSED' ? 1212 : 1220;
}

function aggregates(kind: Kind, values: readonly number[]): Record<string, number> {
  const sum = values.reduce((all, value) => all + value, 0);
  if (kind === 'counter') return { count: sum };
  if (kind === 'rate') return { rate: values.length === 0 ? 0 : sum / values.length };
  const sorted = [...values].sort((a, b) => a - b);
  const at = (ratio: number): number => sorted[Math.min(sorted.length - 1, Math.floor(ratio * sorted.length))] ?? 0;
  return { med: at(0.5), 'p(90)': at(0.9), 'p(99)': at(0.99), max: at(1) };
}

function holds(threshold: string, values: Readonly<Record<string, number>>): boolean {
  const match = /^(.+?)(==|!=|<=|>=|<|>)([0-9.]+)$/.exec(threshold);
  const [, aggregate = '', operator = '', limitText = ''] = match ?? [];
  const [actual, limit] = [values[aggregate], Number(limitText)];
  if (actual === undefined) throw new Error(`${threshold}: no such aggregate`);
  if (operator === '==') return actual === limit;
  if (operator === '!=') return actual !== limit;
  if (operator.startsWith('<')) return actual < limit || (operator === '<=' && actual === limit);
  return actual > limit || (operator === '>=' && actual === limit);
}

function msOf(text: string): number {
  const match = /^([0-9.]+)(us|s|h)$/.exec(text);
  const unit = { us: 0.001, s: 1000, h: 3_600_000 }[match?.[2] ?? ''];
  if (match === null || unit === undefined) throw new Error(`no duration: ${text}`);
  return Number(match[1]) * unit;
}

async function until(atMs: number): Promise<void> {
  const leftMs = atMs - Date.now();
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
}
