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
  const { startSecond } = before.reading;
  const kept = Math.max(0, report.reading.startSecond - startSecond);
  const join = (newer: readonly number[], pick: (reading: MeterReading) => readonly number[]): readonly number[] => [
    ...pick(before.reading).slice(0, kept),
    ...newer,
  ];
  return { ...report, reading: { ...mapSeries(report.reading, join), startSecond } };
}

/** Parts without the seconds that somebody has not told of yet; `endSecond`: of the epoch, the first that is left out. */
export function commonSeconds(parts: readonly DevicesPart[]): {
  readonly parts: readonly DevicesPart[];
  readonly endSecond: number;
} {
  const readings = parts.flatMap(({ reports }) => reports.map(({ reading }) => reading));
  const endSecond = Math.min(...readings.map((reading) => reading.startSecond + reading.rangesPerSecond.length));
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
