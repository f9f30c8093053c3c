// The charts of a run, in the order in which a page shows them.

import type { Result, Run } from '../../simulator/result/result.ts';
import type { Chart } from './chart.ts';
import { completionChart, devicesChart, latencyChart } from './device-charts.ts';
import { hitRatioChart, limitChart, processorChart } from './node-charts.ts';
import { egressChart, fallbackChart, upstreamChart } from './traffic-charts.ts';

/** Only those that there is something to show in. */
export function chartsOf(run: Run, { machine, runs }: Pick<Result, 'machine' | 'runs'>): readonly Chart[] {
  const charts = [
    egressChart(run, runs),
    upstreamChart(run, runs),
    devicesChart(run),
    completionChart(run),
    latencyChart(run),
    hitRatioChart(run),
    fallbackChart(run),
    limitChart(run),
    processorChart(run, machine.cores),
  ];
  return charts.flatMap((chart) => chart ?? []);
}
