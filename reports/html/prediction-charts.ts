// Charts of a prediction beside its measurement: how far off each metric was, and both courses in one picture.

import type { PredictedMetric } from '../../simulator/judge/prediction.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { differenceText, metricText } from '../words.ts';
import { type Chart, sentence } from './chart.ts';
import type { PlotLine, PlotPoint } from './plot.ts';
import { shownSteps } from './thinning.ts';
import { stepStartMs } from './time-chart.ts';
import { nodeIds } from './traffic-charts.ts';

/** Empty where there is no prediction. */
export function predictionCharts({ prediction, runs }: Result): readonly Chart[] {
  if (prediction === undefined || prediction.length === 0) return [];
  const [predicted, measured] = (['prediction', 'measurement'] as const).map((purpose) =>
    runs.find((run) => run.purpose === purpose),
  );
  return [
    ...(predicted === undefined || measured === undefined ? [] : [coursesChart(predicted, measured)]),
    differencesChart(prediction),
  ];
}

/** What all nodes sent, as predicted and as measured. */
function coursesChart(predicted: Run, measured: Run): Chart {
  const line = (run: Run, look: Omit<PlotLine, 'points'>): PlotLine => ({ ...look, points: totalEgress(run) });
  const rows = (['sustained', 'mean', 'peak'] as const).flatMap((which) =>
    nodeIds(measured).map((id) => {
      const name = `node.${id}.egressBitsPerSecond.${which}`;
      const cell = ({ metrics }: Run): string => (metrics[name] === undefined ? '–' : metricText(name, metrics[name]));
      return [`node ${id}, ${which}`, cell(predicted), cell(measured)];
    }),
  );
  return {
    id: 'prediction-courses',
    title: 'What all nodes sent',
    summary: sentence(
      ...rows.slice(0, 2).map(([what, by, measuredText]) => `${what}: predicted ${by}, measured ${measuredText}`),
    ),
    notes: [],
    plot: {
      x: { kind: 'value', unit: 'ms', min: 0, max: Math.max(endMs(predicted), endMs(measured)) },
      y: { kind: 'value', unit: 'bitsPerSecond', min: 0 },
      lines: [
        line(measured, { name: 'measured', shape: 'area', tone: 'blue', dash: 'solid' }),
        line(predicted, { name: 'predicted', shape: 'line', tone: 'purple', dash: 'dashed' }),
      ],
      events: [],
      limits: [],
    },
    table: { head: ['egress', 'predicted', 'measured'], rows },
  };
}

/** End of its last step. */
const endMs = (run: Run): number => stepStartMs(run, run.series.columns['range.rangesPerSecond']?.length ?? 0);

const pointsMax = 600;

function totalEgress(run: Run): PlotPoint[] {
  const perNode = nodeIds(run).flatMap((id) => {
    const column = run.series.columns[`node.${id}.egressBitsPerSecond`];
    return column === undefined ? [] : [column];
  });
  const total = (perNode[0] ?? []).map((_, step) => perNode.reduce((sum, column) => sum + (column[step] ?? 0), 0));
  const halfStepMs = ((run.series.stepSeconds ?? 1) * 1000) / 2;
  return shownSteps([total], pointsMax)
    .map((step): PlotPoint => [stepStartMs(run, step) + halfStepMs, total[step] ?? 0])
    .filter(([ms]) => ms >= 0);
}

/** Predicted by measured, on a scale on which twice and half are equally far. */
function differencesChart(prediction: readonly PredictedMetric[]): Chart {
  const worst = [...prediction].sort((a, b) => Math.abs(b.lnRatio) - Math.abs(a.lnRatio))[0];
  // The first metric is on top.
  const shown = [...prediction].reverse();
  return {
    id: 'prediction-differences',
    title: 'How far off the prediction was',
    summary: sentence(
      `${prediction.length} metrics are compared`,
      worst && `furthest off is ${worst.name}, ${differenceText(worst)}`,
    ),
    notes: ['Predicted by measured: to the right the model promised more than came.'],
    plot: {
      x: { kind: 'value', unit: 'lnRatio' },
      y: { kind: 'names', names: shown.map(({ name }) => name) },
      lines: [
        {
          ...{ name: 'predicted by measured', shape: 'bars', tone: 'purple', dash: 'solid' },
          points: shown.map(({ lnRatio }, place): PlotPoint => [lnRatio, place]),
        },
      ],
      events: [],
      limits: [],
    },
    table: {
      head: ['metric', 'predicted', 'measured', 'by'],
      rows: prediction.map((each) => [
        each.name,
        metricText(each.name, each.predicted),
        metricText(each.name, each.measured),
        differenceText(each),
      ]),
    },
  };
}
