// The page of a run that goes on: its state, verdicts as far as they can be told, and the sections of the report. What is
// preliminary says so, and has none of the colours of a verdict. At the end it is the report.

import type { Result, Run, Series } from '../../simulator/result/result.ts';
import { type Fact, purposeNames } from '../words.ts';
import { type Answer, answerSection } from './answer.ts';
import { chartsOf } from './charts.ts';
import { factsSection, machineSection, scenarioSection } from './closing-sections.ts';
import { askedOf, bottleneckHtml, expectationsHtml, finalLook, type VerdictLook } from './first-screen.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import type { PageParts } from './page-frame.ts';
import type { Plot } from './plot.ts';
import { runSection } from './run-section.ts';

/** What a run is doing. */
export type LiveStatus = {
  /** In a word or two: `running`. */
  readonly phase: string;
  /** Since when, how far. */
  readonly words: string;
  /** How many devices are in which state, and what moves. */
  readonly facts: readonly Fact[];
  /** Whether it could not be carried out, which `words` tells. */
  readonly isBroken?: boolean;
};

export type LiveView = {
  /** Judged as if it ended now; without runs before the first is known. */
  readonly result: Result;
  readonly status: LiveStatus;
  /** The run that goes on: what it says is preliminary. */
  readonly underWay: Run['purpose'] | undefined;
  /** What the scenario expects, in its words. */
  readonly expected: readonly string[];
};

/** What the page of such a run is made of. */
export function livePage({ result, status, underWay, expected }: LiveView): PageParts {
  const { runs, scenario } = result;
  // What is being watched stands first.
  const watched = runs.filter(({ purpose }) => purpose === underWay);
  const ordered = [...watched, ...runs.filter((run) => !watched.includes(run))];
  const sections = ordered.map((run) => sectionOf(run, result));
  return {
    title: `${capital(status.phase)}: ${scenario.name}`,
    links: [
      ['answer', 'Answer'],
      ...ordered.map(({ purpose }) => [purpose, purposeNames[purpose]] as const),
      ...(runs.length === 0 ? [] : [['figures', 'Figures'] as const]),
      ['machine', 'Machine'],
      ['scenario', 'Scenario'],
    ],
    opening: answerSection(
      askedOf(result),
      answerSoFar(status),
      html`${factsHtml(status.facts)}
<div class="sides">
<div class="card"><h2>What is expected</h2>${expectedHtml(result, underWay, expected)}</div>
<div class="card"><h2>What limits it</h2>${bottleneckHtml(result)}</div>
</div>`,
    ),
    rest: html`${sections.map(({ markup }) => markup)}
${factsSection({ ...result, runs: ordered })}
${machineSection(result)}
${scenarioSection(result)}`,
    plots: Object.fromEntries(sections.flatMap(({ plots }) => plots)),
    source: 'This page follows a run that goes on; at its end it becomes the report.',
  };
}

type Section = { readonly markup: Html; readonly plots: readonly (readonly [id: string, plot: Plot])[] };

/** By the series of their runs, which are as they are: the section of a run that has ended is made once. */
const made = new WeakMap<Series, Section>();

function sectionOf(run: Run, result: Result): Section {
  const known = made.get(run.series);
  if (known !== undefined) return known;
  const charts = chartsOf(run, result);
  const section = {
    markup: runSection(run, result, charts),
    plots: charts.map(({ id, plot }) => [id, plot] as const),
  };
  made.set(run.series, section);
  return section;
}

function answerSoFar({ phase, words, isBroken = false }: LiveStatus): Answer {
  const look = isBroken ? ({ ground: 'fail' } as const) : ({ ground: 'note', sign: '▶' } as const);
  return { ...look, words: phase.toUpperCase(), reason: words };
}

function factsHtml(facts: readonly Fact[]): HtmlValue {
  if (facts.length === 0) return undefined;
  return html`<dl class="card tiles" aria-label="Devices by state, and what moves">${facts.map(
    ([what, value]) => html`<div><dt>${what}</dt><dd>${value}</dd></div>`,
  )}</dl>
`;
}

/** Before anything is measured there are the expectations themselves. */
function expectedHtml(result: Result, underWay: Run['purpose'] | undefined, expected: readonly string[]): Html {
  if (result.runs.length === 0) {
    return html`<ul class="lines">${expected.map((text) => html`<li><code>${text}</code></li>`)}</ul>`;
  }
  const note =
    underWay === undefined
      ? undefined
      : html`<p class="hint">What is said of the ${underWay} is preliminary: as if it ended now.</p>`;
  return html`${expectationsHtml(result, lookSoFar(underWay))}${note}`;
}

const soFar = {
  pass: { ground: 'note', sign: '✓', words: 'holds so far' },
  fail: { ground: 'doubt', sign: '…', words: 'not so far' },
  inconclusive: { ground: 'doubt', sign: '?', words: 'unclear so far' },
  notJudged: { ground: 'note', sign: '…', words: 'not yet' },
} as const;

/** A wrong byte stays wrong; everything else can still change, and what this run did not judge another one may. */
function lookSoFar(underWay: Run['purpose'] | undefined): VerdictLook {
  return (run, verdict) => {
    const isWrong = verdict.verdict === 'fail' && verdict.metric === 'integrity.corruptBytes';
    const hasEnded = run.purpose !== underWay && verdict.verdict !== 'notJudged';
    return hasEnded || isWrong ? finalLook(run, verdict) : soFar[verdict.verdict];
  };
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
