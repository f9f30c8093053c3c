// The plot of growth: time and memory over the number of devices, both axes logarithmic, a line a shape.

import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { GrowthPoint } from './growth.ts';

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** As SVG. */
export function plotGrowth(points: readonly GrowthPoint[]): string {
  const panels = [
    { title: 'Simulation, CPU s', measure: ({ cpuSeconds }: GrowthPoint) => cpuSeconds },
    { title: 'Peak memory, MB', measure: ({ peakBytes }: GrowthPoint) => peakBytes / 1e6 },
  ];
  const shapes = [...new Set(points.map(({ shape }) => shape))];
  const left = (panel: number): string => `${7 + 50 * panel}%`;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 360 });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    legend: { data: shapes, bottom: 0 },
    title: panels.map(({ title }, panel) => ({ text: title, left: left(panel), textStyle: { fontSize: 14 } })),
    grid: panels.map((_, panel) => ({ left: left(panel), width: '40%', top: 40, bottom: 70 })),
    xAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: 'log',
      name: 'devices',
      nameLocation: 'middle',
      nameGap: 26,
      min: 1e3,
      axisLabel: { formatter: powerOfTen },
    })),
    yAxis: panels.map((_, gridIndex) => ({ gridIndex, type: 'log' })),
    series: panels.flatMap(({ measure }, panel) =>
      shapes.map((shape) => ({
        name: shape,
        type: 'line',
        xAxisIndex: panel,
        yAxisIndex: panel,
        data: points.filter((point) => point.shape === shape).map((point) => [point.devices, measure(point)]),
      })),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function powerOfTen(value: number): string {
  const digits = [...String(Math.round(Math.log10(value)))].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]);
  return `10${digits.join('')}`;
}
