// saturation.html: a search for the highest load as a page: the answer, the curve with its knee, and every step.

import type { Saturation, SaturationStep } from '../../simulator/result/saturation.ts';
import {
  answerLines,
  columnNote,
  outcomeWords,
  reasonOf,
  stepColumns,
  stepsByValue,
  titleOf,
} from '../saturation-words.ts';
import type { ShownUnit } from '../value-text.ts';
import { originText, valueText } from '../words.ts';
import { answerSection, type Ground } from './answer.ts';
import { type Chart, sentence } from './chart.ts';
import { scenarioSection } from './closing-sections.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { pageOf } from './page-frame.ts';
import { chartHtml, tableHtml } from './parts.ts';
import type { PlotLine, PlotPoint } from './plot.ts';

/** The whole page, in UTF-8. The same search gives the same page. */
export function saturationPage(saturation: Saturation): string {
  const charts = saturationCharts(saturation);
  return pageOf({
    title: titleOf(saturation),
    links: [
      ['answer', 'Answer'],
      ['curve', 'Curve'],
      ['steps', 'Steps'],
      ['scenario', 'Scenario'],
    ],
    opening: answer(saturation),
    rest: html`<section id="curve" aria-labelledby="curve-heading"><h2 id="curve-heading">The curve</h2>
<div class="charts">${charts.map((chart, index) => chartHtml(chart, index === 0))}</div></section>
${steps(saturation)}
${scenarioSection(saturation)}`,
    plots: Object.fromEntries(charts.map(({ id, plot }) => [id, plot])),
    source: `Everything here comes from saturation.json beside this file, made by ${originText(saturation)}.`,
  });
}

const grounds: Readonly<Record<Saturation['answer']['how'], Ground>> = {
  knee: 'pass',
  ceiling: 'pass',
  generator: 'doubt',
  machine: 'doubt',
  nothing: 'fail',
  budget: 'doubt',
  interrupted: 'doubt',
};

const howWords: Readonly<Record<Saturation['answer']['how'], string>> = {
  knee: 'KNOWN',
  ceiling: 'ALL HOLDS',
  generator: 'AT LEAST',
  machine: 'AT LEAST',
  nothing: 'NOTHING HOLDS',
  budget: 'TIME WAS UP',
  interrupted: 'INTERRUPTED',
};

function answer(saturation: Saturation): Html {
  const { scenario, answer: found } = saturation;
  const [first = '', ...more] = answerLines(saturation);
  return answerSection(
    { about: scenario.path, question: titleOf(saturation) },
    { ground: grounds[found.how], words: howWords[found.how], reason: first },
    [cardOf('What was the limit', more), cardOf('Notes', found.notes)],
  );
}

function cardOf(title: string, lines: readonly string[]): HtmlValue {
  if (lines.length === 0) return undefined;
  return html`<div class="card"><h2>${title}</h2><ul class="lines">${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`;
}

/** Told apart by tone and by sign. */
const looks: Readonly<Record<SaturationStep['outcome'], Pick<PlotLine, 'tone' | 'dash'>>> = {
  holds: { tone: 'green', dash: 'solid' },
  fails: { tone: 'pink', dash: 'dotted' },
  inconclusive: { tone: 'orange', dash: 'dashed' },
  impossible: { tone: 'grey', dash: 'dashed' },
};

/** What a step measured, where it did. */
type Measure = (step: SaturationStep) => number | undefined;

/** Only those of which a step has a value. */
export function saturationCharts(saturation: Saturation): readonly Chart[] {
  const charts = [
    // In the model it is what a load shows in: the rate is that of what is full.
    chartOf(saturation, {
      ...{ id: 'finish', title: 'When the whole fleet had finished', unit: 'ms' },
      measure: ({ metrics }) => (saturation.world === 'virtual' ? metrics['fleet.finishMs'] : undefined),
    }),
    chartOf(saturation, {
      ...{ id: 'received', title: 'What devices received', unit: 'bitsPerSecond' },
      measure: ({ load }) => load.receivedBitsPerSecond,
      asked: ({ load }) => load.askedBitsPerSecond,
    }),
    chartOf(saturation, {
      ...{ id: 'latency', title: 'Time of a range, 99th percentile', unit: 'ms' },
      measure: ({ metrics }) => metrics['range.latencyMs.p99'],
    }),
  ];
  return charts.flatMap((chart) => chart ?? []);
}

type Shown = {
  readonly id: string;
  readonly title: string;
  readonly unit: ShownUnit;
  readonly measure: Measure;
  readonly asked?: Measure;
};

function chartOf(saturation: Saturation, { id, title, unit, measure, asked }: Shown): Chart | undefined {
  const { varied, answer: found } = saturation;
  const all = stepsByValue(saturation);
  const curve = pointsOf(all, measure);
  if (curve.length === 0) return undefined;
  const measured = all.filter((step) => measure(step) !== undefined);
  const askedPoints = asked === undefined ? [] : pointsOf(measured, asked);
  const outcomes = (Object.keys(looks) as SaturationStep['outcome'][]).filter((outcome) =>
    all.some((step) => step.outcome === outcome && measure(step) !== undefined),
  );
  const heldStep = all.findLast(({ value }) => value === found.held?.value);
  const held = heldStep === undefined ? undefined : measure(heldStep);
  const xUnit: ShownUnit = varied.unit === 'number' ? 'count' : varied.unit;
  const atHeld = found.held === undefined ? [] : [{ at: found.held.value, label: found.held.text }];
  return {
    id,
    title,
    summary: sentence(
      held === undefined || found.held === undefined
        ? undefined
        : `${valueText(held, unit)} at ${found.held.text}, the highest that held`,
      `${all.length} runs`,
    ),
    notes: [],
    plot: {
      x: { kind: 'value', unit: xUnit, isScaled: true, title: varied.name },
      // Times have their marks at whole hours only where their end is known.
      y: {
        kind: 'value',
        unit,
        min: 0,
        ...(unit === 'ms' ? { max: 1.08 * Math.max(...curve.map(([, y]) => y)) } : {}),
      },
      lines: [
        {
          name: saturation.world === 'live' ? 'measured' : 'modelled',
          tone: 'blue',
          dash: 'solid',
          shape: 'line',
          points: curve,
        },
        ...(askedPoints.length === 0
          ? []
          : [{ name: 'asked for', tone: 'grey', dash: 'dotted', shape: 'line', points: askedPoints } as const]),
        ...outcomes.map(
          (outcome): PlotLine => ({
            ...looks[outcome],
            name: outcomeWords[outcome],
            shape: 'dots',
            points: pointsOf(
              all.filter((step) => step.outcome === outcome),
              measure,
            ),
          }),
        ),
      ],
      events: atHeld,
      limits: [],
    },
    table: {
      head: [varied.name, title, 'outcome'],
      rows: all.map((step) => {
        const value = measure(step);
        return [step.text, value === undefined ? '–' : valueText(value, unit), outcomeWords[step.outcome]];
      }),
    },
  };
}

function pointsOf(steps: readonly SaturationStep[], measure: Measure): PlotPoint[] {
  return steps.flatMap((step) => {
    const y = measure(step);
    return y === undefined ? [] : [[step.value, y] as const];
  });
}

function steps(saturation: Saturation): Html {
  const columns = stepColumns(saturation);
  const table = {
    head: [...columns.map(({ head }) => head || 'outcome'), 'why'],
    rows: stepsByValue(saturation).map((step) => [
      ...columns.map(({ text }) => text(step)),
      step.outcome === 'holds' ? '' : reasonOf(step),
    ]),
  };
  const note = columnNote(saturation);
  return html`<section id="steps" aria-labelledby="steps-heading"><h2 id="steps-heading">Every step</h2>
<div class="card">${tableHtml(table, 'Every step', { isTall: true, isText: true })}
${note === undefined ? undefined : html`<p class="hint">${note}</p>`}<p class="hint">Each run by itself: the commands in saturation.json.</p></div></section>
`;
}
