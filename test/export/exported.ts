// A scenario's text on its way to a script, as `sim export k6` takes it.

import ts from 'typescript';
import { exportScenario } from '../../simulator/export/k6/export-scenario.ts';
import { k6Scenario } from '../../simulator/export/k6/k6-scenarios.ts';
import { type K6Script, scriptText } from '../../simulator/export/k6/script-text.ts';
import { parse } from '../scenario/scenario-text.ts';

export type Addresses = { readonly nodes?: Readonly<Record<string, string>>; readonly cdn?: string };

export function k6Script(text: string, { nodes = {}, cdn }: Addresses = {}): K6Script {
  const scenario = parse(text);
  const exported = exportScenario(scenario, { nodes: new Map(Object.entries(nodes)), cdn });
  const scenarios = Object.fromEntries(
    exported.groups.map((group, i) => [
      group.id,
      k6Scenario(group, scenario.fleet[i]?.arrive ?? { atMs: 0, overMs: 0 }),
    ]),
  );
  return { exported, scenarios };
}

export const k6Js = (text: string, addresses?: Addresses): string => scriptText(k6Script(text, addresses), 'js');
export const k6Ts = (text: string, addresses?: Addresses): string => scriptText(k6Script(text, addresses), 'ts');

/** A script in TypeScript as k6 runs it: types erased, as all that is written here can be. */
export function withoutTypes(script: string): string {
  const { outputText } = ts.transpileModule(script, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, removeComments: true },
  });
  return outputText;
}
