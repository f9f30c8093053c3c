// Who can reach which node. A site with a count is there several times, and so are the nodes in it; each of them serves
// its own copy only:
//
//     sites:  region (1) ── branch (200)         nodes:  hub in region: one, for everybody
//                                                        cell in branch: 200 of them, each for the devices of its branch

import { type Entry, entryWithId, listOf, type Outline, problem } from './outline.ts';
import type { Problem } from './problem.ts';

/** Groups and nodes that fetch from a node of which every copy of another site has its own. */
export function nodesOutOfReach(outline: Outline): Problem[] {
  const problems: Problem[] = [];
  const check = (user: Entry, what: string, path: Problem['path'], nodeId: unknown) => {
    const node = entryWithId(outline.nodes, nodeId);
    const siteId = node?.keys['site'];
    const count = entryWithId(outline.sites, siteId)?.keys['count'];
    const userSite = user.keys['site'];
    if (typeof siteId !== 'string' || typeof count !== 'number' || count <= 1) return;
    // A wrong id is reported as such; what it was meant to be is not known here.
    if (userSite !== undefined && entryWithId(outline.sites, userSite) === undefined) return;
    if (chainOfSites(outline, userSite).includes(siteId)) return;
    const where = typeof userSite === 'string' ? `is in ${userSite}` : 'is where the CDN is';
    problems.push(
      problem(
        path,
        `a node that ${what} can tell from its copies`,
        `${String(nodeId)}, which each of the ${count} sites ${siteId} has, while ${what} ${where}, outside of them`,
      ),
    );
  };
  for (const node of outline.nodes) check(node, 'this node', [...node.path, 'parent'], node.keys['parent']);
  for (const group of outline.fleet) {
    for (const [index, id] of listOf(group.keys, 'cacheHosts').entries()) {
      check(group, 'this group', [...group.path, 'cacheHosts', index], id);
    }
  }
  return problems;
}

/** A site and those that it lies in, from the inside out. */
function chainOfSites(outline: Outline, id: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  let site = id;
  while (site !== undefined && !chain.includes(site)) {
    chain.push(site);
    site = entryWithId(outline.sites, site)?.keys['parent'];
  }
  return chain;
}
