// The plot of the load generator beside its peers: a panel a figure, a group of bars a number of connections.

import { BarChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Footprint, Point } from './generator.ts';
import { spread } from './measurement.ts';

use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

type Panel = {
  readonly title: string;
  readonly groups: readonly string[];
  figureOf(load: string, group: number): number;
};

/** As SVG. A load that could not do a case has no bar there. */
export function plotGenerator(points: readonly Point[], footprints: readonly Footprint[]): string {
  const names = [...new Set(points.map(({ load }) => load))];
  const rates = (what: Point['what'], title: string, scale: number): Panel => {
    const counts = [...new Set(points.filter((point) => point.what === what).map(({ connections }) => connections))];
    return {
      title,
      groups: counts.map((count) => count.toLocaleString('en')),
      figureOf: (load, group) => {
        const isMeant = (point: Point): boolean =>
          point.what === what && point.load === load && point.connections === counts[group];
        return spread(points.find(isMeant)?.values ?? []).median / scale;
      },
    };
  };
  const panels: Panel[] = [
    rates('1 MiB', '1 MiB: GB per CPU second, by connections', 1),
    rates('4 KiB', '4 KiB: thousand requests per CPU second', 1000),
    {
      title: 'Peak memory, kB a connection',
      groups: [''],
      figureOf: (load) => (footprints.find((each) => each.load === load)?.bytesPerConnection ?? Number.NaN) / 1000,
    },
  ];
  const left = (panel: number): string => `${4 + 33 * panel}%`;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 1200, height: 400 });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    legend: { data: names, bottom: 0, itemGap: 24 },
    title: panels.map(({ title }, panel) => ({ text: title, left: left(panel), textStyle: { fontSize: 13 } })),
    grid: panels.map((_, panel) => ({ left: left(panel), width: '27%', top: 40, bottom: 70 })),
    xAxis: panels.map(({ groups }, gridIndex) => ({ gridIndex, type: 'category', data: groups })),
    yAxis: panels.map((_, gridIndex) => ({ gridIndex, type: gridIndex === 2 ? 'log' : 'value' })),
    series: panels.flatMap(({ groups, figureOf }, panel) =>
      names.map((name) => ({
        ...{ name, type: 'bar', xAxisIndex: panel, yAxisIndex: panel, barGap: '0%' },
        data: groups.map((_, group) => {
          const value = figureOf(name, group);
          return Number.isFinite(value) && value > 0 ? Number(value.toPrecision(4)) : '-';
        }),
      })),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
