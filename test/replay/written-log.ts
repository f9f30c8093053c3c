// Logs that tests write: files in a folder of their own, and the lines of one request in either format.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { parseScenario } from '../../simulator/scenario/load.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';

/** Writes a log into a folder that is gone after the test; its path. */
export function writtenLog(content: string | Uint8Array, name = 'access.log'): string {
  const folder = mkdtempSync(join(tmpdir(), 'sim-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

export type WrittenRequest = {
  readonly client?: string;
  /** Seconds after 2026-11-20T08:00:00Z. */
  readonly second?: number;
  readonly request?: string;
  readonly status?: number;
  readonly bytes?: number;
};

export const logStartMs = Date.parse('2026-11-20T08:00:00Z');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A line of nginx's combined format, with its line end. */
export function combinedLine({
  client = '10.0.0.1',
  second = 0,
  request = 'GET /files/a HTTP/1.1',
  status = 206,
  bytes = 1000,
}: WrittenRequest): string {
  const time = new Date(logStartMs + Math.floor(second) * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(time.getUTCDate())}/${months[time.getUTCMonth()]}/${time.getUTCFullYear()}`;
  const clock = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  return `${client} - - [${day}:${clock} +0000] "${request}" ${status} ${bytes} "-" "Agent/1.0"\n`;
}

/** A scenario that replays the log; `more`: other keys of `replay`. */
export function scenarioOfLog(path: string, more = '', client = 'windows'): Scenario {
  const text = `name: Replay
nodes: [{ id: hq }]
fleet: [{ id: clients, client: ${client}, cacheHosts: [hq] }]
replay: { log: ${JSON.stringify(path)}${more === '' ? '' : `, ${more}`} }
`;
  return parseScenario(text, 'test.yaml').scenario;
}
