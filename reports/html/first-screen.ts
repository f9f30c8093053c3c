// What somebody sees first: the question, the answer, what was expected and came, and what limited it.

import type { ExpectationVerdict } from '../../simulator/judge/judge.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import {
  actualText,
  headroomText,
  limitLines,
  limitText,
  purposeNames,
  reasonText,
  resultWords,
  shownVerdicts,
  verdictWords,
} from '../words.ts';
import { type Asked, answerSection, type Ground, signs, verdictGrounds } from './answer.ts';
import { type Html, html } from './html.ts';
import { judgedTable } from './judged-table.ts';

export const resultGrounds: Readonly<Record<Result['verdict'], Ground>> = {
  pass: 'pass',
  fail: 'fail',
  inconclusive: 'doubt',
  interrupted: 'doubt',
};

/** One that fails as its scenario says is nothing to be alarmed by. */
export function groundOf({ verdict, scenario }: Pick<Result, 'verdict' | 'scenario'>): Ground {
  return verdict === 'fail' && scenario.expected === 'fail' ? 'note' : resultGrounds[verdict];
}

export function firstScreen(result: Result): Html {
  const { verdict, reason } = result;
  return answerSection(
    askedOf(result),
    { ground: groundOf(result), words: resultWords[verdict], reason },
    html`<div class="sides">
<div class="card"><h2>What was expected</h2>${expectationsHtml(result)}</div>
<div class="card"><h2>What limited it</h2>${bottleneckHtml(result)}</div>
</div>`,
  );
}

export function askedOf({ scenario: { question, name } }: Pick<Result, 'scenario'>): Asked {
  return { about: question === undefined ? 'Scenario' : name, question: question ?? name };
}

/** How a verdict is shown, in a word; `sign`: beside it. */
export type VerdictLook = (
  run: Run,
  verdict: ExpectationVerdict,
) => { readonly ground: Ground; readonly sign: string; readonly words: string };

/** Of a run that has ended. */
export const finalLook: VerdictLook = (_run, { verdict }) => {
  const ground = verdictGrounds[verdict];
  return { ground, sign: signs[ground], words: verdictWords[verdict] };
};

/** Every expectation, in each run that judged it. */
export function expectationsHtml({ runs }: Pick<Result, 'runs'>, look: VerdictLook = finalLook): Html {
  const shown = runs
    .filter(({ purpose }) => purpose !== 'prediction')
    .flatMap((run) =>
      shownVerdicts(run, runs).map((verdict) => ({ run, verdict, place: run.expectations.indexOf(verdict) })),
    )
    .sort((a, b) => a.place - b.place);
  if (shown.length === 0) return html`<p>Nothing: no run came far enough.</p>`;
  return judgedTable(
    'expected',
    expectationColumns,
    shown.map(({ run, verdict }) => ({
      name: verdict.text,
      cells: [run.world, actualText(verdict), limitText(verdict), headroomText(verdict)],
      hint: reasonText(verdict),
      ...look(run, verdict),
    })),
  );
}

const expectationColumns = [
  { head: 'world', isNumber: false },
  ...['actual', 'limit', 'headroom'].map((head) => ({ head, isNumber: true })),
];

/** The model tells what bound; the live world at least whether the load generator did. */
export function bottleneckHtml({ runs }: Pick<Result, 'runs'>): Html {
  const said = runs.map((run) => ({ run, lines: boundWords(run) })).filter(({ lines }) => lines.length > 0);
  if (said.length === 0) return html`<p>Nothing was full, or nothing moved.</p>`;
  const isGiven = said.some(({ lines }) => lines.some((line) => line.endsWith('given')));
  return html`<ul class="bare">${said.map(
    ({ run, lines }) =>
      html`<li><span class="hint">${purposeNames[run.purpose]}</span>${lines.map((line) => html`<p>${line}</p>`)}</li>`,
  )}</ul>${
    isGiven
      ? html`<p class="hint">“Given” is a number that the scenario or a document states: an answer that it bound repeats it.</p>`
      : undefined
  }`;
}

function boundWords(run: Run): readonly string[] {
  const lines = limitLines(run);
  if (run.world === 'virtual' || lines.length > 0) return lines;
  const saturated = run.metrics['generator.saturated'];
  if (saturated === undefined) return [];
  return [saturated === 1 ? 'The load generator was the limit.' : 'Not the load generator.'];
}
