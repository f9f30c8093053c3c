// One exhibit of the gallery: a scenario that is run, or a command that is; by the `sim` of this checkout, in a process of its own.

import { existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { programPath, repositoryRoot } from '../../common/child-program.ts';
import type { Ground } from '../../reports/html/answer.ts';
import { groundOf } from '../../reports/html/first-screen.ts';
import { lastLines, startSim } from '../../simulator/gate/sim-process.ts';
import { readResult } from '../../simulator/result/read-result.ts';
import type { Result } from '../../simulator/result/result.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { chooseWorlds } from '../../simulator/world/choose-worlds.ts';
import type { ShownPage } from './shown-pages.ts';

/** What came of one. */
export type Exhibit = {
  readonly folder: string;
  readonly question: string;
  /** Below the question; empty where it says the same. */
  readonly name: string;
  /** The page, in its folder; absent where there is none. */
  readonly page?: string;
  /** Of a run: its verdict, and how that is shown. */
  readonly verdict?: Result['verdict'];
  readonly ground?: Ground;
  /** What the verdict rests on, or why there is no page. */
  readonly reason: string;
  /** Why it was not run live, where it could be. */
  readonly note?: string;
};

export type ExhibitOptions = {
  /** Where exhibits go, each into a folder. */
  readonly gallery: string;
  /** Without, what is there is taken as it is. */
  readonly isRun: boolean;
  readonly isLive: boolean;
  readonly signal: AbortSignal;
};

/** Live runs are for machines of every size: no larger fleets, and none longer by its window or by the model. */
const liveDevicesMax = 2500;
const liveMsMax = 90_000;
/** No run takes so long; what does is stopped, and shown as interrupted. */
const runMsMax = 300_000;

/** `path`: of the scenario's file. */
export async function scenarioExhibit(path: string, options: ExhibitOptions): Promise<Exhibit> {
  const folder = basename(path, '.yaml');
  const out = join(options.gallery, folder);
  const { scenario } = loadScenario(path);
  if (options.isRun) rmSync(out, { recursive: true, force: true });
  let said: readonly string[] = [];
  let note: string | undefined;
  const worlds = chooseWorlds(scenario, undefined);
  if (options.isRun && worlds.virtual) said = await sim(['run', path, '--world', 'virtual', '--out', out], options);
  if (options.isRun && worlds.live) {
    note = whyNotHere(scenario, resultIn(out), options);
    if (note === undefined && !options.signal.aborted) said = await sim(['run', path, '--out', out], options);
  }
  const result = resultIn(out);
  const question = scenario.question ?? scenario.name;
  const what = { folder, question, name: scenario.question === undefined ? '' : scenario.name };
  const noted = note === undefined ? {} : { note };
  if (result === undefined) return { ...what, reason: said.at(-1) ?? note ?? 'it was not run', ...noted };
  return {
    ...what,
    page: 'report.html',
    verdict: result.verdict,
    ground: groundOf(result),
    reason: result.reason,
    ...noted,
  };
}

/** Why a run of it would be too much for any machine, or for now. */
function whyNotHere(
  { fleet, live }: ReturnType<typeof loadScenario>['scenario'],
  virtual: Result | undefined,
  { isLive }: ExhibitOptions,
): string | undefined {
  if (!isLive) return 'the live world was not asked for';
  const devices = fleet.reduce((sum, group) => sum + group.devices, 0);
  if (devices > liveDevicesMax) return `not run live here: ${devices.toLocaleString('en')} devices`;
  const durationMs = live?.windowMs ?? virtual?.runs[0]?.durationMs ?? 0;
  if (durationMs > liveMsMax) return `not run live here: it takes ${Math.round(durationMs / 60_000)} min`;
  return undefined;
}

function resultIn(folder: string): Result | undefined {
  return existsSync(join(folder, 'result.json')) ? readResult(folder).result : undefined;
}

/** A page of another command. */
export async function pageExhibit(shown: ShownPage, options: ExhibitOptions): Promise<Exhibit> {
  const { folder, page, question, words } = shown;
  const out = join(options.gallery, folder);
  if (options.isRun) rmSync(out, { recursive: true, force: true });
  const said = options.isRun ? await sim([...words, '--out', out], options) : [];
  const command = `sim ${words.join(' ')}`;
  if (!existsSync(join(out, page))) return { folder, question, name: command, reason: said.at(-1) ?? 'it was not run' };
  return { folder, question, name: command, page, reason: '' };
}

/** The last lines that it says on standard error. What comes of it is in its files. */
async function sim(words: readonly string[], { signal }: ExhibitOptions): Promise<readonly string[]> {
  const { child, stop } = startSim(programPath('simulator/main'), [...words, '--quiet'], repositoryRoot);
  const timer = setTimeout(stop, runMsMax);
  signal.addEventListener('abort', stop);
  const said = lastLines(child.stderr);
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('close', () => resolve());
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  });
  return said;
}
