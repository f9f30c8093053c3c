// Whether events make sense one after the other: each does exactly one thing, and finds what it acts on in a state in
// which it can.
//
//     node   running ──kill, drain──▶ stopped ──restart──▶ running ──freeze──▶ frozen ──thaw──▶ running
//     link   whole ──narrow──▶ narrowed ──narrow──▶ narrowed ──cut──▶ cut ──join──▶ whole

import { eventActions, faultKinds } from './event-schema.ts';
import {
  durationOf,
  type Entry,
  entryWithId,
  isObject,
  linkParts,
  type Outline,
  problem,
  type SectionWithIds,
  within,
} from './outline.ts';
import type { DocumentPath, Problem } from './problem.ts';
import type { HardwareProfile } from './profile.ts';

const nodeActions = ['kill', 'restart', 'freeze', 'thaw', 'drain', 'loseDrive'] as const;
const linkActions = ['cut', 'join', 'narrow'] as const;

/** An id in an event: of what, and where it stands. */
type Reference = {
  readonly section: SectionWithIds;
  readonly path: DocumentPath;
  readonly id: unknown;
  readonly suffix: string;
};

/** All ids that events name. */
export function eventReferences(outline: Outline): readonly Reference[] {
  return outline.events.flatMap((event) => {
    const { path, keys } = event;
    const references: Reference[] = nodeActions.map((action) => {
      return { section: 'nodes', path: [...path, action], id: keys[action], suffix: '' };
    });
    for (const action of linkActions) {
      const { linkPath, link } = linkOf(event, action);
      const parts = linkParts(link);
      if (parts !== undefined) references.push({ path: linkPath, ...parts });
    }
    const group = within(event, 'policy')?.keys['group'];
    const content = within(event, 'cdn')?.keys['content'];
    references.push(
      { section: 'content', path: [...path, 'version'], id: keys['version'], suffix: '' },
      { section: 'content', path: [...path, 'cdn', 'content'], id: content, suffix: '' },
      { section: 'fleet', path: [...path, 'policy', 'group'], id: group, suffix: '' },
    );
    return references;
  });
}

/** A link as an event names it: by itself, or with what becomes of it. */
function linkOf(event: Entry, action: (typeof linkActions)[number]) {
  if (action !== 'narrow') return { linkPath: [...event.path, action], link: event.keys[action] };
  return { linkPath: [...event.path, 'narrow', 'link'], link: within(event, 'narrow')?.keys['link'] };
}

/** Events that do nothing or too much, and those that come when they cannot. */
export function crossCheckEvents(outline: Outline, profiles: ReadonlyMap<string, HardwareProfile>): Problem[] {
  const ofActions = outline.events.flatMap(({ path, keys }) => actionProblems(path, keys));
  return [...ofActions, ...eventsOfForeignNodes(outline), ...impossibleOrder(outline, profiles)];
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

/** Nothing can be done to a node that we did not start. */
function eventsOfForeignNodes(outline: Outline): Problem[] {
  const foreign = new Set(outline.nodes.flatMap(({ keys }) => (keys['url'] === undefined ? [] : [keys['id']])));
  return eventReferences(outline).flatMap(({ section, path, id }) =>
    section === 'nodes' && typeof id === 'string' && foreign.has(id)
      ? [problem(path, 'a node that this run starts', `${id}, which has a url`)]
      : [],
  );
}

/** What a node is doing, and how many drives it has left (`undefined`: not known here). */
type NodeState = { process: 'running' | 'killed' | 'frozen' | 'drained'; drivesLeft: number | undefined };
/** What a link carries; narrowed until then. */
type LinkState = { link: 'whole' | 'narrowed' | 'cut'; narrowedUntilMs: number };
/** What was expected and found when an action makes no sense. */
type Obstacle = { readonly expected: string; readonly found: string } | undefined;

function impossibleOrder(outline: Outline, profiles: ReadonlyMap<string, HardwareProfile>): Problem[] {
  const timed = outline.events.map((event) => ({ event, atMs: durationOf(event.keys['at']) }));
  if (timed.some(({ atMs }) => atMs === undefined)) return [];
  const steps = timed.map(({ event, atMs = 0 }) => ({ event, atMs })).sort((left, right) => left.atMs - right.atMs);
  const nodes = new Map(
    outline.nodes.map((node): [unknown, NodeState] => [
      node.keys['id'],
      { process: 'running', drivesLeft: driveCount(node, profiles) },
    ]),
  );
  const links = new Map<string, LinkState>();
  return steps.flatMap(({ event, atMs }) => [...nodeStep(event, nodes, outline), ...linkStep(event, atMs, links)]);
}

/** Its own drives, else its profile's; `undefined` when the profile could not be read. */
function driveCount({ keys }: Entry, profiles: ReadonlyMap<string, HardwareProfile>): number | undefined {
  if (Array.isArray(keys['drives'])) return keys['drives'].length;
  const name = keys['profile'];
  if (name === undefined) return 0;
  const profile = typeof name === 'string' ? profiles.get(name) : undefined;
  return profile === undefined ? undefined : (profile.drivesBytes?.length ?? 0);
}

function nodeStep({ path, keys }: Entry, nodes: ReadonlyMap<unknown, NodeState>, outline: Outline): Problem[] {
  return nodeActions.flatMap((action) => {
    const id = keys[action];
    const state = nodes.get(id);
    // A node that is not there, or not ours, is reported as such.
    const isForeign = entryWithId(outline.nodes, id)?.keys['url'] !== undefined;
    const obstacle = state === undefined || isForeign ? undefined : actOnNode(state, action);
    return obstacle === undefined ? [] : [problem([...path, action], obstacle.expected, `${id}, ${obstacle.found}`)];
  });
}

/** Applies an action to the state; says what was expected and found when it makes no sense there. */
function actOnNode(state: NodeState, action: (typeof nodeActions)[number]): Obstacle {
  const { process, drivesLeft } = state;
  const isStopped = process === 'killed' || process === 'drained';
  const unless = (isFit: boolean, expected: string): Obstacle =>
    isFit ? undefined : { expected, found: `${process} by then` };
  switch (action) {
    case 'kill':
      if (!isStopped) state.process = 'killed';
      return unless(!isStopped, 'a node that is alive');
    case 'drain':
      if (process === 'running') state.process = 'drained';
      return unless(process === 'running', 'a node that is running');
    case 'restart':
      if (isStopped) state.process = 'running';
      return unless(isStopped, 'a node that an event killed or drained before');
    case 'freeze':
      if (process === 'running') state.process = 'frozen';
      return unless(process === 'running', 'a node that is running');
    case 'thaw':
      if (process === 'frozen') state.process = 'running';
      return unless(process === 'frozen', 'a node that an event froze before');
    case 'loseDrive':
      if (drivesLeft === undefined) return undefined;
      state.drivesLeft = Math.max(0, drivesLeft - 1);
      return drivesLeft > 0
        ? undefined
        : { expected: 'a node with a drive left, of its own or of its profile', found: 'which has none by then' };
  }
}

function linkStep(event: Entry, atMs: number, links: Map<string, LinkState>): Problem[] {
  return linkActions.flatMap((action) => {
    const { linkPath, link } = linkOf(event, action);
    if (linkParts(link) === undefined || typeof link !== 'string') return [];
    const state = links.get(link) ?? { link: 'whole', narrowedUntilMs: 0 };
    links.set(link, state);
    if (state.link === 'narrowed' && state.narrowedUntilMs <= atMs) state.link = 'whole';
    const forMs = durationOf(within(event, 'narrow')?.keys['for']) ?? Number.POSITIVE_INFINITY;
    const obstacle = actOnLink(state, action, atMs + forMs);
    return obstacle === undefined ? [] : [problem(linkPath, obstacle.expected, `${link}, ${obstacle.found}`)];
  });
}

function actOnLink(state: LinkState, action: (typeof linkActions)[number], narrowedUntilMs: number): Obstacle {
  const before = state.link;
  const isTimed = before === 'narrowed' && Number.isFinite(state.narrowedUntilMs);
  switch (action) {
    case 'cut':
      state.link = 'cut';
      return before === 'cut' ? { expected: 'a link that is not cut', found: 'which is cut by then' } : undefined;
    case 'join':
      state.link = 'whole';
      return before === 'whole'
        ? { expected: 'a link that an event cut or narrowed before', found: 'which is whole by then' }
        : undefined;
    case 'narrow':
      if (before === 'cut') return { expected: 'a link that is not cut', found: 'which is cut by then' };
      state.link = 'narrowed';
      state.narrowedUntilMs = narrowedUntilMs;
      // The end of the first would end the second.
      return isTimed
        ? { expected: 'a link that no event narrowed for a time', found: 'which is still narrowed by then' }
        : undefined;
  }
}
