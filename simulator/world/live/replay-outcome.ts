// What a run says of the log that it replayed: metrics beside those of every run, and notes on all that had to be assumed.

import { formatBytes, formatCount, formatDuration } from '../../../common/units.ts';
import { unusableReasons } from '../../replay/log-record.ts';
import { leftOutReasons } from '../../replay/log-requests.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { ReplayReport } from './device-protocol.ts';

/** Takes a metric, or the reason why there is none. */
type Put = (name: string, value: number | undefined, reason: string) => void;

const noLog = 'the scenario replays no log';
const silentLog = 'the log does not say what came from its cache';

/** The `replay.*` metrics. */
export function replayMetrics({ replay }: Scenario, report: ReplayReport | undefined, put: Put): void {
  const surveyed = replay?.surveyed;
  const leftOut = surveyed === undefined ? undefined : total(surveyed.leftOut);
  put('replay.requestCount', surveyed === undefined ? undefined : report?.requestCount, noLog);
  put('replay.leftOutCount', leftOut, noLog);
  put('replay.unusableCount', surveyed === undefined ? undefined : total(surveyed.unusable), noLog);
  const silent = surveyed === undefined ? noLog : silentLog;
  put('replay.logHitRatioBytes', surveyed?.hitRatioBytes, silent);
  put('replay.logHitRatioRequests', surveyed?.hitRatioRequests, silent);
}

/** Metrics that make no sense for clients of a log: taken away, with the reason. */
export function withoutDownloads(metrics: Record<string, number>, unavailable: Record<string, string>): void {
  for (const name of [...Object.keys(metrics), ...Object.keys(unavailable)]) {
    if (!name.includes('devices.completionMs.')) continue;
    delete metrics[name];
    unavailable[name] = 'a client of a log has no download that could be complete';
  }
}

/** What a reader of the result must know of the log. */
export function replayNotes({ replay }: Scenario): string[] {
  const log = replay?.surveyed;
  if (replay === undefined || log === undefined) return [];
  const speed = replay.speed === 1 ? '' : `, ${formatCount(replay.speed)} times as fast`;
  const notes = [
    `replayed: ${formatCount(log.requestCount)} requests of ${formatCount(log.deviceCount)} devices, ` +
      `${formatBytes(log.requestedBytes)} in ${formatDuration(log.durationMs)}${speed} (${log.formatName})`,
  ];
  const { hitRatioBytes, hitRatioRequests } = log;
  if (hitRatioBytes !== undefined && hitRatioRequests !== undefined) {
    const [bytes, requests] = [hitRatioBytes, hitRatioRequests].map((ratio) => `${(ratio * 100).toFixed(2)} %`);
    notes.push(`when the log was written, ${bytes} of the bytes and ${requests} of the requests were from cache`);
  }
  const say = (count: number, text: string): void => {
    if (count > 0) notes.push(`${formatCount(count)} ${text}`);
  };
  const outside = log.outsideCount === 0 ? {} : { 'before or after the part that is replayed': log.outsideCount };
  notes.push(...counted('left out of the log', { ...inWords(log.leftOut, leftOutReasons), ...outside }));
  notes.push(...counted('lines that could not be read', inWords(log.unusable, unusableReasons)));
  notes.push(...log.unusableExamples);
  say(log.assumedPositionCount, 'ranges whose place the log does not say: taken as one after the other, by device');
  say(log.minimumSizeCount, 'objects whose size the log does not say: taken to end with the furthest byte asked for');
  say(log.assumedHostCount, `requests whose host the log does not say: taken as ${replay.host}`);
  say(log.spreadCount, 'times in whole seconds: spread over their second at random');
  say(log.queryCount, 'targets with arguments, which are cut off');
  return notes;
}

function inWords(
  counts: Readonly<Record<string, number>>,
  words: Readonly<Record<string, string>>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([reason, count]) => [words[reason] ?? reason, count]));
}

/** `left out of the log: 6 (health checks), 1 (not a GET)`; nothing when there is nothing. */
function counted(what: string, counts: Readonly<Record<string, number>>): string[] {
  const list = Object.entries(counts).map(([words, count]) => `${formatCount(count)} (${words})`);
  return list.length === 0 ? [] : [`${what}: ${list.join(', ')}`];
}

/** What of the log was not made in time, or not at all; why it could not be read on is why the run broke. */
export function replayProblems({ replay }: Scenario, report: ReplayReport | undefined): string[] {
  if (replay?.surveyed === undefined || report === undefined) return [];
  const { requestCount, lateLineCount } = report;
  const problems: string[] = [];
  if (lateLineCount > 0) {
    problems.push(`${formatCount(lateLineCount)} requests were made late: their lines stand too far behind their time`);
  }
  const missing = replay.surveyed.requestCount - requestCount;
  if (missing > 0) problems.push(`${formatCount(missing)} requests of the log were not made before the run ended`);
  return problems;
}

/** The reports of all processes as one; undefined when there are none. */
export function mergeReplays(reports: readonly (ReplayReport | undefined)[]): ReplayReport | undefined {
  const all = reports.flatMap((report) => report ?? []);
  if (all.length === 0) return undefined;
  return {
    requestCount: all.reduce((sum, { requestCount }) => sum + requestCount, 0),
    lateLineCount: all.reduce((sum, { lateLineCount }) => sum + lateLineCount, 0),
    heldCountMax: Math.max(...all.map(({ heldCountMax }) => heldCountMax)),
    problem: all.find(({ problem }) => problem !== undefined)?.problem,
  };
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
