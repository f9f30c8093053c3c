// The series of a run that goes on: put together from what comes second by second, and cut where everybody has told.

import type { DeviceReport } from './device-protocol.ts';
import type { MeterReading } from './meter.ts';
import type { DevicesPart } from './parts.ts';

type SeriesName = (typeof seriesNames)[number];
const seriesNames = [
  'rangesPerSecond',
  'failuresPerSecond',
  'startedPerSecond',
  'completedPerSecond',
  'connectedPerSecond',
  'cpuMsPerSecond',
] as const satisfies readonly (keyof MeterReading)[];

/** A report whose series begin where those before it end, with these before them; what both have is as the newer one says. */
export function continued(before: DeviceReport | undefined, report: DeviceReport): DeviceReport {
  if (before === undefined) return report;
  if (endSecondOf(report) < endSecondOf(before)) return before; // it was overtaken on its way
  const { startSecond } = before.reading;
  const kept = Math.max(0, report.reading.startSecond - startSecond);
  const join = (newer: readonly number[], pick: (reading: MeterReading) => readonly number[]): readonly number[] => [
    ...pick(before.reading).slice(0, kept),
    ...newer,
  ];
  return { ...report, reading: { ...mapSeries(report.reading, join), startSecond } };
}

/** Of the epoch: the first second that the report's series say nothing of. */
export const endSecondOf = ({ reading }: DeviceReport): number => reading.startSecond + reading.rangesPerSecond.length;

/** The report with its series from this second of the epoch on. */
export function fromSecond(report: DeviceReport, second: number): DeviceReport {
  const { reading } = report;
  const from = Math.max(0, second - reading.startSecond);
  const startSecond = reading.startSecond + from;
  return { ...report, reading: { ...mapSeries(reading, (series) => series.slice(from)), startSecond } };
}

/** Parts without the seconds that somebody has not told of yet; `endSecond`: of the epoch, the first that is left out. */
export function commonSeconds(parts: readonly DevicesPart[]): {
  readonly parts: readonly DevicesPart[];
  readonly endSecond: number;
} {
  const endSecond = Math.min(...parts.flatMap(({ reports }) => reports.map(endSecondOf)));
  const cut = (report: DeviceReport): DeviceReport => {
    const length = Math.max(0, endSecond - report.reading.startSecond);
    return { ...report, reading: mapSeries(report.reading, (series) => series.slice(0, length)) };
  };
  return { parts: parts.map((part) => ({ ...part, reports: part.reports.map(cut) })), endSecond };
}

function mapSeries(
  reading: MeterReading,
  map: (series: readonly number[], pick: (reading: MeterReading) => readonly number[]) => readonly number[],
): MeterReading {
  const bytes = Object.entries(reading.bytesPerSecond).map(([server, series]): [string, readonly number[]] => [
    server,
    map(series, (other) => other.bytesPerSecond[server] ?? []),
  ]);
  const others = seriesNames.map((name): [SeriesName, readonly number[]] => [
    name,
    map(reading[name], (other) => other[name]),
  ]);
  return {
    ...reading,
    bytesPerSecond: Object.fromEntries(bytes),
    ...(Object.fromEntries(others) as Record<SeriesName, readonly number[]>),
  };
}
