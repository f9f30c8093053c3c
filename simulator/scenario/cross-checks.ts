// What no key can tell alone: ids that must exist and be unique, loops of parents, keys that exclude each other. Works on
// the plain document and skips what has the wrong form (the schema reports that), so that all errors come at once.
// Places, policies and the order of events have files of their own.

import { parseExpectation } from '../judge/expectation.ts';
import { crossCheckEvents, eventReferences } from './event-checks.ts';
import {
  type Entry,
  idsOf,
  listOf,
  type Outline,
  outlineOf,
  problem,
  type SectionWithIds,
  singular,
} from './outline.ts';
import { nodesOutOfReach } from './place-checks.ts';
import { crossCheckPolicies } from './policy-checks.ts';
import { type DocumentPath, describeFound, type Problem } from './problem.ts';
import type { HardwareProfile } from './profile.ts';
import { defaultContentHost, defaultContentPath } from './schema.ts';
import { nearest } from './values.ts';
import { impossibleInItsWorlds } from './world-checks.ts';

/** All problems between entries of a document. `profiles`: those that its nodes name, as far as they could be read. */
export function crossCheck(document: unknown, profiles: ReadonlyMap<string, HardwareProfile>): readonly Problem[] {
  const outline = outlineOf(document);
  return [
    ...duplicateIds(outline),
    ...reservedIds(outline.nodes),
    ...duplicateAddresses(outline.content),
    ...brokenReferences(outline),
    ...loopsOfParents(outline.sites),
    ...loopsOfParents(outline.nodes),
    ...nodesOutOfReach(outline),
    ...keysThatUrlForbids(outline.nodes),
    ...impossibleInItsWorlds(outline),
    ...crossCheckPolicies(outline),
    ...crossCheckEvents(outline, profiles),
  ];
}

function duplicateIds(outline: Outline): Problem[] {
  return (['content', 'sites', 'nodes', 'fleet'] as const).flatMap((section) => {
    const seen = new Set<unknown>();
    return outline[section].flatMap(({ path, keys }) => {
      const id = keys['id'];
      if (typeof id !== 'string') return [];
      if (!seen.has(id)) {
        seen.add(id);
        return [];
      }
      return [problem([...path, 'id'], `an id that no other entry of ${section} has`, describeFound(id))];
    });
  });
}

/** The CDN is a source beside the nodes, under this name in metrics, series and ledgers. */
function reservedIds(nodes: readonly Entry[]): Problem[] {
  return nodes.flatMap(({ path, keys }) =>
    keys['id'] === 'cdn' ? [problem([...path, 'id'], 'an id other than cdn, which names the CDN', 'cdn')] : [],
  );
}

/** Two contents under one URL would be one object with two sizes. */
function duplicateAddresses(content: readonly Entry[]): Problem[] {
  const idByAddress = new Map<string, string>();
  return content.flatMap(({ path, keys }) => {
    const id = keys['id'];
    const host = keys['host'] ?? defaultContentHost;
    if (typeof id !== 'string' || typeof host !== 'string') return [];
    const urlPath = keys['path'] ?? defaultContentPath(id);
    const address = `${host.toLowerCase()}${String(urlPath)}`;
    const other = idByAddress.get(address);
    idByAddress.set(address, id);
    if (other === undefined || other === id) return [];
    return [problem([...path, 'path'], `a URL of its own, other than that of ${other}`, `http://${address}`)];
  });
}

function brokenReferences(outline: Outline): Problem[] {
  const problems: Problem[] = [];
  const check = (section: SectionWithIds, path: DocumentPath, id: unknown, prefix = '', suffix = '') => {
    const ids = idsOf(outline[section]);
    // A section with an entry without a readable id may well hold the one that is meant.
    if (typeof id !== 'string' || ids.includes(id) || ids.length < outline[section].length) return;
    const meant = nearest(id, ids);
    const known = ids.length === 0 ? 'there are none' : [...new Set(ids)].slice(0, 20).join(', ');
    const expected = `${singular[section]} of this file (${known})`;
    const didYouMean = meant === undefined ? undefined : `${prefix}${meant}${suffix}`;
    problems.push(problem(path, expected, describeFound(`${prefix}${id}${suffix}`), didYouMean));
  };
  for (const { path, keys } of outline.sites) check('sites', [...path, 'parent'], keys['parent']);
  for (const { path, keys } of outline.nodes) {
    check('sites', [...path, 'site'], keys['site']);
    check('nodes', [...path, 'parent'], keys['parent']);
  }
  for (const { path, keys } of outline.fleet) {
    check('sites', [...path, 'site'], keys['site']);
    for (const [key, section] of [
      ['cacheHosts', 'nodes'],
      ['wants', 'content'],
    ] as const) {
      const ids = listOf(keys, key);
      for (const [index, id] of ids.entries()) {
        check(section, [...path, key, index], id);
        if (typeof id === 'string' && ids.indexOf(id) < index) {
          problems.push(problem([...path, key, index], 'each id once', `${describeFound(id)} again`));
        }
      }
    }
  }
  for (const { section, path, id, suffix } of eventReferences(outline)) check(section, path, id, '', suffix);
  for (const { path, text } of outline.expect) {
    const parsed = parseExpectation(text);
    const scope = parsed.kind === 'expectation' ? parsed.expectation.scope : undefined;
    if (scope === undefined) continue;
    check(scope.kind === 'node' ? 'nodes' : 'fleet', path, scope.id, `${scope.kind}.`);
  }
  return problems;
}

/** One problem for each loop, at its first entry in the file. */
function loopsOfParents(entries: readonly Entry[]): Problem[] {
  const parentOf = new Map(entries.map(({ keys }) => [keys['id'], keys['parent']]));
  const reported = new Set<unknown>();
  return entries.flatMap(({ path, keys }) => {
    const chain: unknown[] = [keys['id']];
    let parent = keys['parent'];
    while (parent !== undefined && !chain.includes(parent)) {
      chain.push(parent);
      parent = parentOf.get(parent);
    }
    if (parent === undefined || parent !== keys['id'] || reported.has(parent)) return [];
    for (const id of chain) reported.add(id);
    const loop = [...chain, parent].join(' → ');
    return [problem([...path, 'parent'], 'parents that lead to the CDN', `the loop ${loop}`)];
  });
}

/** A node that we did not start cannot be told what to do. */
function keysThatUrlForbids(nodes: readonly Entry[]): Problem[] {
  return nodes.flatMap(({ path, keys }) =>
    keys['url'] === undefined
      ? []
      : ['limit', 'parent'].flatMap((key) =>
          keys[key] === undefined
            ? []
            : [problem([...path, key], `no ${key} beside url: we did not start that node`, describeFound(keys[key]))],
        ),
  );
}
