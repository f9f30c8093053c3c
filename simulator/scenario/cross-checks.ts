// What no key can tell alone: ids that must exist and be unique, the order of events, loops of parents. Works on the
// plain document and skips what has the wrong form (the schema reports that), so that all errors come at once.

import { parseQuantity } from '../../common/units.ts';
import { parseExpectation } from '../judge/expectation.ts';
import { eventActions, faultKinds } from './event-schema.ts';
import { type DocumentPath, describeFound, type Problem } from './problem.ts';
import { defaultContentHost, defaultContentPath } from './schema.ts';
import { nearest } from './values.ts';

type Entry = { readonly path: DocumentPath; readonly keys: Readonly<Record<string, unknown>> };

/** The sections that others refer to or that refer to others. */
type Outline = {
  readonly content: readonly Entry[];
  readonly nodes: readonly Entry[];
  readonly fleet: readonly Entry[];
  readonly events: readonly Entry[];
  readonly expect: readonly { readonly path: DocumentPath; readonly text: string }[];
};

/** All problems between entries of a document. */
export function crossCheck(document: unknown): readonly Problem[] {
  const outline = outlineOf(document);
  return [
    ...duplicateIds(outline),
    ...reservedIds(outline.nodes),
    ...duplicateAddresses(outline.content),
    ...brokenReferences(outline),
    ...loopsOfParents(outline.nodes),
    ...keysThatUrlForbids(outline.nodes),
    ...impossibleEvents(outline),
  ];
}

function outlineOf(document: unknown): Outline {
  const section = (key: string): Entry[] =>
    listOf(document, key).flatMap((value, index) => (isObject(value) ? [{ path: [key, index], keys: value }] : []));
  const expect = listOf(document, 'expect').flatMap((value, index) => {
    if (typeof value === 'string') return [{ path: ['expect', index], text: value }];
    const that = isObject(value) ? value['that'] : undefined;
    return typeof that === 'string' ? [{ path: ['expect', index, 'that'], text: that }] : [];
  });
  return {
    content: section('content'),
    nodes: section('nodes'),
    fleet: section('fleet'),
    events: section('events'),
    expect,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = isObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function idsOf(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(({ keys }) => (typeof keys['id'] === 'string' ? [keys['id']] : []));
}

function duplicateIds(outline: Outline): Problem[] {
  return (['content', 'nodes', 'fleet'] as const).flatMap((section) => {
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
  const check = (section: 'content' | 'nodes' | 'fleet', path: DocumentPath, id: unknown, prefix = '', suffix = '') => {
    const ids = idsOf(outline[section]);
    // A section with an entry without a readable id may well hold the one that is meant.
    if (typeof id !== 'string' || ids.includes(id) || ids.length < outline[section].length) return;
    const meant = nearest(id, ids);
    const known = ids.length === 0 ? 'there are none' : [...new Set(ids)].slice(0, 20).join(', ');
    problems.push({
      ...problem(path, `${singular[section]} of this file (${known})`, describeFound(`${prefix}${id}${suffix}`)),
      didYouMean: meant === undefined ? undefined : `${prefix}${meant}${suffix}`,
    });
  };
  for (const { path, keys } of outline.nodes) check('nodes', [...path, 'parent'], keys['parent']);
  for (const { path, keys } of outline.fleet) {
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
  for (const { path, keys } of outline.events) {
    for (const action of nodeActions) check('nodes', [...path, action], keys[action]);
    for (const action of linkActions) check('nodes', [...path, action], nodeOfLink(keys[action]), '', '.wan');
    check('content', [...path, 'version'], keys['version']);
    if (isObject(keys['cdn'])) check('content', [...path, 'cdn', 'content'], keys['cdn']['content']);
  }
  for (const { path, text } of outline.expect) {
    const parsed = parseExpectation(text);
    const scope = parsed.kind === 'expectation' ? parsed.expectation.scope : undefined;
    if (scope === undefined) continue;
    check(scope.kind === 'node' ? 'nodes' : 'fleet', path, scope.id, `${scope.kind}.`);
  }
  return problems;
}

const singular = { content: 'content', nodes: 'a node', fleet: 'a group' } as const;
const nodeActions = ['kill', 'restart', 'freeze', 'thaw'] as const;
const linkActions = ['cut', 'join'] as const;

/** `hq` of `hq.wan`; `undefined` for anything else. */
function nodeOfLink(link: unknown): string | undefined {
  return typeof link === 'string' ? /^([^.]+)\.wan$/.exec(link)?.[1] : undefined;
}

/** One problem for each loop, at its first node in the file. */
function loopsOfParents(nodes: readonly Entry[]): Problem[] {
  const parentOf = new Map(nodes.map(({ keys }) => [keys['id'], keys['parent']]));
  const reported = new Set<unknown>();
  return nodes.flatMap(({ path, keys }) => {
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

/** What a node is doing, as far as events tell. */
type NodeState = { process: 'running' | 'killed' | 'frozen'; wan: 'joined' | 'cut' };

function impossibleEvents(outline: Outline): Problem[] {
  const problems: Problem[] = [];
  const urlNodes = new Set(outline.nodes.flatMap(({ keys }) => (keys['url'] === undefined ? [] : [keys['id']])));
  const steps: {
    readonly path: DocumentPath;
    readonly action: string;
    readonly node: string;
    readonly atMs: number;
  }[] = [];
  let isOrderKnown = true;
  for (const { path, keys } of outline.events) {
    problems.push(...actionProblems(path, keys));
    const atMs = typeof keys['at'] === 'string' ? parseQuantity(keys['at'], 'duration') : undefined;
    if (atMs === undefined) isOrderKnown = false;
    for (const action of [...nodeActions, ...linkActions]) {
      const node = keys[action];
      const id = linkActions.some((each) => each === action) ? nodeOfLink(node) : node;
      if (typeof id !== 'string') continue;
      if (urlNodes.has(id)) {
        problems.push(problem([...path, action], 'a node that this run starts', `${id}, which has a url`));
      } else if (atMs !== undefined) {
        steps.push({ path: [...path, action], action, node: id, atMs });
      }
    }
  }
  if (!isOrderKnown) return problems;
  const states = new Map<string, NodeState>();
  for (const { path, action, node } of steps.sort((left, right) => left.atMs - right.atMs)) {
    const state = states.get(node) ?? { process: 'running', wan: 'joined' };
    states.set(node, state);
    const obstacle = advance(state, action);
    if (obstacle !== undefined) problems.push(problem(path, obstacle.expected, `${node}, ${obstacle.found} by then`));
  }
  return problems;
}

function actionProblems(path: DocumentPath, keys: Entry['keys']): Problem[] {
  const problems = exactlyOne(path, keys, eventActions, ['at']);
  const fault = keys['cdn'];
  if (!isObject(fault)) return problems;
  const faultPath = [...path, 'cdn'];
  problems.push(...exactlyOne(faultPath, fault, faultKinds, ['after', 'for', 'content', 'count']));
  const kinds = ['stall', 'reset', 'shortBody'];
  if (fault['after'] !== undefined && !kinds.some((kind) => kind in fault)) {
    problems.push(problem([...faultPath, 'after'], 'after only beside stall, reset or shortBody', 'none of them'));
  }
  return problems;
}

/** That `keys` has one of `choices` and no second; silent when an unknown key may be a misspelt choice. */
function exactlyOne(
  path: DocumentPath,
  keys: Entry['keys'],
  choices: readonly string[],
  others: readonly string[],
): Problem[] {
  const chosen = Object.keys(keys).filter((key) => choices.includes(key));
  const hasUnknownKey = Object.keys(keys).some((key) => !choices.includes(key) && !others.includes(key));
  if (chosen.length === 1 || (chosen.length === 0 && hasUnknownKey)) return [];
  return [problem(path, `exactly one of ${choices.join(', ')}`, chosen.length === 0 ? 'none' : chosen.join(' and '))];
}

/** Applies an action to the state; says what was expected and found when it makes no sense there. */
function advance(state: NodeState, action: string): { expected: string; found: string } | undefined {
  const from = (expected: string, isFit: boolean, found: string) => (isFit ? undefined : { expected, found });
  const process = state.process;
  switch (action) {
    case 'kill':
      state.process = 'killed';
      return from('a node that is alive', process !== 'killed', 'killed');
    case 'restart':
      state.process = 'running';
      return from('a node that an event killed before', process === 'killed', process);
    case 'freeze':
      if (process === 'running') state.process = 'frozen';
      return from('a node that is running', process === 'running', process);
    case 'thaw':
      if (process === 'frozen') state.process = 'running';
      return from('a node that an event froze before', process === 'frozen', process);
    case 'cut': {
      const wan = state.wan;
      state.wan = 'cut';
      return from('a link that is not cut', wan === 'joined', 'whose link is cut');
    }
    case 'join': {
      const wan = state.wan;
      state.wan = 'joined';
      return from('a link that an event cut before', wan === 'cut', 'whose link is not cut');
    }
    default:
      return undefined;
  }
}

function problem(path: DocumentPath, expected: string, found: string): Problem {
  return { path, at: 'value', expected, found };
}
