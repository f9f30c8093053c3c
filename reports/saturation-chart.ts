// The curve of a search as a picture: what devices received over what was varied, and below it how late ranges came.

import { createRequire } from 'node:module';
import type { Saturation, SaturationStep, SaturationUnit } from '../simulator/result/saturation.ts';
import { stepsByValue, titleOf } from './saturation-words.ts';
import { valueText } from './value-text.ts';

/**
 * The one file of the package, not its 800 modules: those take half a second to load and more open files at once than a system
 * may allow (256 on macOS).
 */
const { init } = createRequire(import.meta.url)('echarts') as typeof import('echarts');

/** Told apart by their form too. */
const marks: Readonly<Record<SaturationStep['outcome'], { name: string; symbol: string; color: string }>> = {
  holds: { name: 'held', symbol: 'circle', color: '#1a7f37' },
  fails: { name: 'failed', symbol: 'diamond', color: '#cf222e' },
  inconclusive: { name: 'unsure: the generator was the limit', symbol: 'triangle', color: '#9a6700' },
  impossible: { name: 'not run', symbol: 'rect', color: '#6e7781' },
};

const formatOf =
  (unit: SaturationUnit) =>
  (value: number): string =>
    unit === 'number' ? String(value) : valueText(value, unit);

const panels = [
  {
    title: 'received',
    format: formatOf('bitsPerSecond'),
    measure: ({ load }: SaturationStep) => load.receivedBitsPerSecond,
  },
  {
    title: 'a range, 99th percentile',
    format: formatOf('ms'),
    measure: ({ metrics }: SaturationStep) => metrics['range.latencyMs.p99'],
  },
] as const;

/** As SVG. */
export function saturationChart(saturation: Saturation): string {
  const { answer, varied } = saturation;
  const steps = stepsByValue(saturation);
  const outcomes = (Object.keys(marks) as SaturationStep['outcome'][]).filter((outcome) =>
    steps.some((step) => step.outcome === outcome),
  );
  const top = (panel: number): number => 70 + 240 * panel;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 860, height: 560 });
  const knee = answer.held === undefined ? [] : [{ xAxis: answer.held.value }];
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    legend: { data: [...outcomes.map((outcome) => marks[outcome].name), 'asked for'], bottom: 0 },
    title: [
      { text: titleOf(saturation), left: 20, top: 8, textStyle: { fontSize: 15 } },
      ...panels.map(({ title }, panel) => ({
        text: title,
        left: 20,
        top: top(panel) - 32,
        textStyle: { fontSize: 12 },
      })),
    ],
    grid: panels.map((_, panel) => ({ left: 100, right: 40, top: top(panel), height: 180 })),
    xAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: 'value',
      scale: true,
      axisLabel: { formatter: formatOf(varied.unit), hideOverlap: true },
    })),
    yAxis: panels.map(({ format }, gridIndex) => ({
      gridIndex,
      type: 'value',
      min: 0,
      axisLabel: { formatter: format },
    })),
    series: panels.flatMap(({ measure }, panel) => [
      ...outcomes.map((outcome) => ({
        name: marks[outcome].name,
        type: 'scatter',
        symbol: marks[outcome].symbol,
        symbolSize: 10,
        color: marks[outcome].color,
        xAxisIndex: panel,
        yAxisIndex: panel,
        data: points(
          steps.filter((step) => step.outcome === outcome),
          measure,
        ),
        markLine: {
          symbol: 'none',
          silent: true,
          data: knee,
          label: { formatter: answer.held?.text ?? '' },
          lineStyle: { color: '#57606a' },
        },
      })),
      ...(panel === 0 ? [askedLine(steps)] : []),
    ]),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function askedLine(steps: readonly SaturationStep[]) {
  const data = points(steps, ({ load }) => load.askedBitsPerSecond);
  return { name: 'asked for', type: 'line', symbol: 'none', lineStyle: { type: 'dashed' }, color: '#8c959f', data };
}

function points(
  steps: readonly SaturationStep[],
  measure: (step: SaturationStep) => number | undefined,
): (readonly [number, number])[] {
  return steps.flatMap((step) => {
    const y = measure(step);
    return y === undefined ? [] : [[step.value, y] as const];
  });
}
