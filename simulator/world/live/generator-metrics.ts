// Whether the load generator itself was the limit, and which of its limits: from what its processes took of the machine, and
// how late they were. What a run tells of itself, so that its other numbers can be believed.

import { formatDuration } from '../../../common/units.ts';
import type { ProcessReport } from '../../result/result.ts';
import { percentileMs } from '../histogram.ts';
import type { DeviceProcess, MergedReport } from './merge.ts';

/** Delay (of ranges that leave, of anything in the event loop) that is no longer small against what is measured. */
const delayMsMax = 100;
/** A device process that is this busy may have been the limit. */
const busyRatioMax = 0.95;

/** Processor time of the programs beside the device processes; `cpuMs` is undefined where it is not known. */
export type ProgramTime = { readonly name: string; readonly cpuMs: number | undefined };

/** Each limit that the device processes ran into, by process, in words; none when the generator was not the limit. */
export function generatorLimits(processes: readonly DeviceProcess[]): string[] {
  return processes.flatMap(({ part, cpuMs, cpuWaitMs = 0, wallMs, lateness, loopDelay }) => {
    const limits: string[] = [];
    const latenessMs = percentileMs(lateness, 99) ?? 0;
    const loopDelayMs = percentileMs(loopDelay, 99) ?? 0;
    const cpuRatio = ratioOf(cpuMs, wallMs);
    const waitRatio = ratioOf(cpuWaitMs, wallMs);
    if (latenessMs > delayMsMax) limits.push(`sent ranges ${formatDuration(latenessMs)} late (99 %)`);
    if (loopDelayMs > delayMsMax) {
      const maxMs = percentileMs(loopDelay, 100) ?? 0;
      limits.push(
        `kept what was due waiting for ${formatDuration(loopDelayMs)} (99 %), its event loop stood still for up to ${formatDuration(maxMs)}`,
      );
    }
    if (cpuRatio > busyRatioMax) limits.push(`used ${percent(cpuRatio)} of a core`);
    else if (cpuRatio + waitRatio > busyRatioMax) {
      limits.push(`was never idle: ${percent(cpuRatio)} of a core used, ${percent(waitRatio)} of the time without one`);
    }
    return limits.map((limit) => `device process ${part} ${limit}`);
  });
}

/** The generator's metrics by name; what is not known is undefined, and says why. */
export function generatorMetrics(
  { histograms, processes, cpuMs }: MergedReport,
  programs: readonly ProgramTime[],
  put: (name: string, value: number | undefined, reason: string) => void,
): void {
  for (const [statistic, percentile] of [
    ['p50', 50],
    ['p99', 99],
    ['p999', 99.9],
    ['max', 100],
  ] as const) {
    put(`generator.latenessMs.${statistic}`, percentileMs(histograms.lateness, percentile), 'nothing was due');
    put(
      `generator.eventLoopDelayMs.${statistic}`,
      percentileMs(histograms.loopDelay, percentile),
      'the run did not begin',
    );
  }
  put('generator.cpuMs', cpuMs, '');
  put('generator.cpuRatio', Math.max(...processes.map((each) => ratioOf(each.cpuMs, each.wallMs))), '');
  const waits = processes.map((each) =>
    each.cpuWaitMs === undefined ? Number.NaN : ratioOf(each.cpuWaitMs, each.wallMs),
  );
  put(
    'generator.cpuWaitRatio',
    Math.max(...waits),
    'this system does not tell how long a process waits for a processor',
  );
  const unknown = programs.find((program) => program.cpuMs === undefined);
  const allMs = programs.reduce((sum, program) => sum + (program.cpuMs ?? Number.NaN), cpuMs);
  put(
    'generator.cpuShareRatio',
    cpuMs / allMs,
    `what ${unknown?.name ?? 'nothing'} took of the processors is not known`,
  );
  put('generator.saturated', generatorLimits(processes).length > 0 ? 1 : 0, '');
}

/** A row for each device process, then the programs that it asked, as far as they are known. */
export function processReports(
  processes: readonly DeviceProcess[],
  programs: readonly ProgramTime[],
): readonly ProcessReport[] {
  const wallMs = Math.max(...processes.map((each) => each.wallMs));
  return [
    ...processes.map((each): ProcessReport => {
      const latenessMs = percentileMs(each.lateness, 99);
      const loopDelayMs = percentileMs(each.loopDelay, 99);
      const loopDelayMsMax = percentileMs(each.loopDelay, 100);
      return {
        name: `device process ${each.part}`,
        cpuMs: each.cpuMs,
        cpuRatio: ratioOf(each.cpuMs, each.wallMs),
        ...(each.cpuWaitMs === undefined ? {} : { cpuWaitRatio: ratioOf(each.cpuWaitMs, each.wallMs) }),
        devices: each.devices,
        ...(latenessMs === undefined ? {} : { latenessMsP99: latenessMs }),
        ...(loopDelayMs === undefined ? {} : { eventLoopDelayMsP99: loopDelayMs }),
        ...(loopDelayMsMax === undefined ? {} : { eventLoopDelayMsMax: loopDelayMsMax }),
      };
    }),
    ...programs.flatMap(({ name, cpuMs }) =>
      cpuMs === undefined ? [] : [{ name, cpuMs, cpuRatio: ratioOf(cpuMs, wallMs) }],
    ),
  ];
}

const ratioOf = (ms: number, wallMs: number): number => ms / Math.max(1, wallMs);

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`;
