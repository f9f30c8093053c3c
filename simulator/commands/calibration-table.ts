// A calibration for people: what was fitted and how well, and what the profile makes of each throughput that was measured.

import Table from 'cli-table3';
import { formatBitsPerSecond, formatDuration } from '../../common/units.ts';
import type { Calibration, Comparison, FigureNote } from '../calibration/calibration.ts';
import type { HardwareProfile } from '../scenario/profile.ts';

export function calibrationTable({ profile, figures, comparisons, notes }: Calibration): string {
  const figureTable = tableOf(['figure', 'value', 'fit: median', 'worst', 'n']);
  for (const [name, value, key] of figureRows(profile)) {
    figureTable.push([name, value, ...residualCells(figures.find((figure) => figure.key === key))]);
  }
  const comparisonTable = tableOf(['throughput', 'measured', 'by the profile', 'off by']);
  for (const each of comparisons) comparisonTable.push(comparisonCells(each));
  const noteLines = [...figures.flatMap(({ key, note }) => (note === undefined ? [] : [`${key}: ${note}`])), ...notes];
  return [
    profile.name,
    figureTable.toString(),
    'A fit is |ln(fitted ÷ measured)|: 0.05 is 5 %.',
    '',
    comparisonTable.toString(),
    ...noteLines.map((note) => `  - ${note}`),
  ].join('\n');
}

type FigureRow = readonly [name: string, value: string, key: FigureNote['key']];

function figureRows({ egressBytesPerMs, cores, cpu, latency, concurrency, harness }: HardwareProfile): FigureRow[] {
  const rows: FigureRow[] = [];
  const add = (name: string, value: string | undefined, key: FigureNote['key']): void => {
    if (value !== undefined) rows.push([name, value, key]);
  };
  if (egressBytesPerMs !== undefined) add('egress', formatBitsPerSecond(egressBytesPerMs * 8000), 'egress');
  add('cores', cores?.toFixed(2), 'cores');
  add('node, a connection', cpu && formatDuration(cpu.msPerConnection), 'cpu');
  add('node, a request', cpu && formatDuration(cpu.msPerRequest), 'cpu');
  add('node, a GB', cpu && formatDuration(cpu.msPerByte * 1e9), 'cpu');
  add('node, a fetch', cpu && formatDuration(cpu.msPerFetch), 'cpu');
  add('node, a GB fetched', cpu && formatDuration(cpu.msPerByteFetched * 1e9), 'cpu');
  add('latency of a hit', latency && formatDuration(latency.hitMs), 'latency');
  add('latency of a miss, beside', latency && formatDuration(latency.missMs), 'latency');
  add('σ', concurrency?.sigma.toFixed(3), 'concurrency');
  add('κ', concurrency?.kappa.toExponential(2), 'concurrency');
  add('clients, a connection', harness && formatDuration(harness.clientMsPerConnection), 'harness');
  add('clients, a request', harness && formatDuration(harness.clientMsPerRequest), 'harness');
  add('clients, a GB', harness && formatDuration(harness.clientMsPerByte * 1e9), 'harness');
  add('CDN, a request', harness && formatDuration(harness.cdnMsPerRequest), 'harness');
  add('CDN, a GB', harness && formatDuration(harness.cdnMsPerByte * 1e9), 'harness');
  return rows;
}

function residualCells(figure: FigureNote | undefined): string[] {
  const residuals = figure?.residuals;
  if (residuals === undefined) return ['', '', ''];
  return [residuals.medianLn.toFixed(3), residuals.worstLn.toFixed(3), String(residuals.count)];
}

function comparisonCells({ what, measuredBytesPerMs, fittedBytesPerMs }: Comparison): string[] {
  const off = (fittedBytesPerMs / measuredBytesPerMs - 1) * 100;
  return [
    what,
    formatBitsPerSecond(measuredBytesPerMs * 8000),
    formatBitsPerSecond(fittedBytesPerMs * 8000),
    `${off >= 0 ? '+' : ''}${off.toFixed(1)} %`,
  ];
}

const tableOf = (head: string[]): Table.Table =>
  new Table({
    head,
    style: { head: [], border: [], compact: true },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
