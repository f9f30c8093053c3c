// How a capacity plan is said: the answer in sentences, its figures as rows, each with what binds it. The same words in the console, in
// Markdown and in the page.

import { formatBitsPerSecond, formatBytes, formatCount, formatDuration } from '../common/units.ts';
import type {
  Binding,
  Candidate,
  CapacityPlan,
  Figures,
  NodeFailure,
  Remedy,
  SitePlan,
} from '../simulator/result/capacity-plan.ts';
import { valueText } from './value-text.ts';

/** Cells are text, the first one of a row names it. */
export type Rows = { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };

export const planVerdictWords: Readonly<Record<CapacityPlan['verdict'], string>> = {
  found: 'PLAN FOUND',
  none: 'NO PLAN',
  interrupted: 'INTERRUPTED',
};

const kindWords: Readonly<Record<string, string>> = {
  nic: 'cards of the nodes',
  egress: 'egress of the nodes',
  limit: 'egress limit of the nodes',
  cpu: 'processor of the nodes',
  diskRead: 'drives of the nodes, reading',
  diskWrite: 'drives of the nodes, writing',
  wan: 'cards of the nodes, fetching',
  link: 'WAN link',
  cdn: 'egress of the CDN',
  downlink: 'links of the devices',
  requests: 'round trips of the devices',
  arrivals: 'arrivals',
};

/** `cards of the nodes, 9.41 Gbit/s, given (99.9 %)`: in that share of the time. */
export function bindingText(binding: Binding): string {
  const { kind, boundRatio } = binding;
  const share = `${(boundRatio * 100).toFixed(boundRatio >= 0.9995 ? 0 : 1)} %`;
  if (kind === 'arrivals') return `arrivals: they last ${share} of it`;
  return `${limitText(binding)} (${share})`;
}

function limitText({ kind, capacity, unit, basis }: Binding): string {
  const words = kindWords[kind] ?? kind;
  return capacity === undefined ? words : `${words}, ${valueText(capacity, unit)}, ${basis}`;
}

/** What bound most. */
export function boundBy({ binds }: Figures): string {
  const [most] = binds;
  return most === undefined ? 'nothing' : bindingText(most);
}

export function finishText({ finishMs, completedCount, devices }: Figures): string {
  if (finishMs !== undefined) return formatDuration(finishMs);
  return `never: ${formatCount(completedCount)} of ${formatCount(devices)} finish`;
}

export function nodesText(plan: CapacityPlan, { nodes, classId }: Pick<Candidate, 'nodes' | 'classId'>): string {
  return `${nodes} × ${plan.asked.classes.find(({ id }) => id === classId)?.name ?? classId}`;
}

/** What was asked, in a line. */
export function askedText({ asked }: CapacityPlan): string {
  const { payloadBytes, deadlineMs, arriveOverMs, devices } = asked;
  const bytes = payloadBytes.reduce((sum, size) => sum + size, 0);
  const arrive = arriveOverMs === 0 ? 'all at once' : `arriving over ${formatDuration(arriveOverMs)}`;
  return `${formatCount(devices)} devices, ${formatBytes(bytes)} each, ${arrive}, within ${formatDuration(deadlineMs)}`;
}

export function siteTitle({ id, count, devices, linkBitsPerSecond }: SitePlan): string {
  const many = count === 1 ? id : `${id} (each of ${formatCount(count)})`;
  const link = linkBitsPerSecond === undefined ? '' : `, WAN of ${formatBitsPerSecond(linkBitsPerSecond)}`;
  return `${many}: ${formatCount(devices)} devices${link}`;
}

/** The answer, a sentence a site; where there is none, what binds and what would help. */
export function answerLines(plan: CapacityPlan): string[] {
  const lines = plan.sites.flatMap((site) => siteAnswer(plan, site));
  if (plan.interruptedAt !== undefined) {
    lines.push(`Interrupted at “${plan.interruptedAt}”: what is not said here was not found yet.`);
  }
  if (plan.whole !== undefined && !plan.whole.holds) {
    lines.push(`All sites at once: ${finishText(plan.whole)}, later than asked; bound by ${boundBy(plan.whole)}.`);
  }
  return lines;
}

function siteAnswer(plan: CapacityPlan, site: SitePlan): string[] {
  const { chosen, nearest, failure } = site;
  const where = site.count === 1 ? site.id : `${site.id} (each of ${formatCount(site.count)})`;
  if (chosen !== undefined) {
    const answer = `${where}: ${nodesText(plan, chosen)}, done after ${finishText(chosen.figures)}.`;
    return [failure === undefined ? answer : `${answer} ${failureText(failure, chosen)}`];
  }
  if (nearest === undefined) return [`${where}: nothing is known yet.`];
  const { figures } = nearest;
  return [
    `${where}: nothing that was tried meets the deadline. Nearest: ${nodesText(plan, nearest)}, done after ${finishText(figures)}; bound by ${boundBy(figures)}.`,
    ...(site.remedies.length === 0
      ? []
      : [
          `With ${nearest.nodes === 1 ? 'that node' : 'those nodes'} it would do: ${site.remedies.map(remedyText).join('; or ')}.`,
        ]),
  ];
}

function failureText({ nodes, holds, figures, worstAtMs }: NodeFailure, { nodes: chosen }: Candidate): string {
  const end = `after ${formatDuration(worstAtMs)}, the worst moment, the end is after ${finishText(figures)}`;
  const which = nodes === 1 ? 'its node fails' : 'one of them fails';
  if (!holds) return `N+1: up to ${nodes} nodes are not enough. If ${which} ${end}.`;
  return nodes === chosen ? `If ${which} ${end}: in time.` : `N+1 takes ${nodes} nodes: if ${which} ${end}.`;
}

export function remedyText({ key, value }: Remedy): string {
  switch (key) {
    case 'deadline':
      return `a deadline of ${formatDuration(value)}`;
    case 'devices':
      return `at most ${formatCount(value)} devices at the site`;
    case 'link':
      return `a WAN link of ${formatBitsPerSecond(value)}`;
    case 'downlink':
      return `devices with ${formatBitsPerSecond(value)}`;
    case 'cdn':
      return `${formatBitsPerSecond(value)} from the CDN`;
  }
}

/** The figures of a site with its nodes, each with what binds it. */
export function figureRows(plan: CapacityPlan, site: SitePlan): Rows {
  const { chosen, rate, failure, withoutNodes, oneFewer } = site;
  const rows: string[][] = [];
  if (chosen !== undefined) {
    const { figures } = chosen;
    const bound = boundBy(figures);
    rows.push([
      'nodes',
      nodesText(plan, chosen),
      oneFewer === undefined ? bound : `one fewer: ${finishText(oneFewer)}`,
    ]);
    rows.push(['finish', `${finishText(figures)} of ${formatDuration(plan.asked.deadlineMs)}`, bound]);
    if (rate !== undefined) {
      const card =
        rate.cardBitsPerSecond === undefined ? 'more than one card' : formatBitsPerSecond(rate.cardBitsPerSecond);
      const least = `${formatBitsPerSecond(rate.egressBitsPerSecond)} of content, the least`;
      rows.push(['network card, each', card, least]);
    }
    if (figures.storedBytes !== undefined) {
      rows.push(['disk, each', formatBytes(figures.storedBytes), 'the payload, and what else is kept']);
    }
    rows.push(...wanRows(plan, site, figures));
    rows.push(['CDN, saved', savedText(figures), `${formatBytes(figures.cdnBytes)} sent`]);
  }
  if (failure !== undefined) {
    const many = failure.nodes === 1 ? '1 node' : `${failure.nodes} nodes`;
    const nodes = failure.holds ? `${many}, ${finishText(failure.figures)}` : `${many} are not enough`;
    rows.push(['N+1, one fails', nodes, boundBy(failure.figures)]);
    rows.push([
      '  worst moment',
      formatDuration(failure.worstAtMs),
      `${failure.worstMoment}; ${failure.moments.length} tried`,
    ]);
    rows.push([
      '  WAN then, peak',
      formatBitsPerSecond(failure.figures.wanPeakBitsPerSecond),
      `${formatBytes(failure.figures.cdnBytes)} in all`,
    ]);
  }
  if (withoutNodes !== undefined) {
    const held = withoutNodes.holds ? `${finishText(withoutNodes)}: in time, too` : finishText(withoutNodes);
    rows.push(['without nodes', held, boundBy(withoutNodes)]);
    rows.push([
      '  WAN then, 95 %',
      formatBitsPerSecond(withoutNodes.wanP95BitsPerSecond),
      `${formatBytes(withoutNodes.cdnBytes)} in all`,
    ]);
  }
  return { head: ['', 'figure', 'bound by'], rows };
}

function wanRows({ asked }: CapacityPlan, { linkBitsPerSecond }: SitePlan, figures: Figures): string[][] {
  const { wanPeakBitsPerSecond: peak, wanP95BitsPerSecond: p95, stepSeconds } = figures;
  const isAt = (limit: number | undefined): boolean => limit !== undefined && peak >= fullRatio * limit;
  const bound = isAt(linkBitsPerSecond)
    ? 'the WAN link, given'
    : isAt(asked.cdnEgressBitsPerSecond)
      ? 'egress of the CDN, given'
      : 'what the nodes ask for';
  return [
    ['WAN, peak', formatBitsPerSecond(peak), bound],
    ['WAN, 95 %', formatBitsPerSecond(p95), `of steps of ${formatDuration(stepSeconds * 1000)}, until the end`],
  ];
}

/** From this share on a link is full. */
const fullRatio = 0.98;

function savedText({ wantedBytes, cdnBytes }: Figures): string {
  const saved = wantedBytes - cdnBytes;
  return `${formatBytes(saved)}, ${valueText(saved / wantedBytes, 'ratio')}`;
}

/** Every class, with as many nodes as it takes. */
export function candidateRows(plan: CapacityPlan, { candidates, chosen }: SitePlan): Rows {
  return {
    head: ['class', 'nodes', 'finish', 'bound by, of the time'],
    rows: candidates.map((each) => [
      `${plan.asked.classes.find(({ id }) => id === each.classId)?.name ?? each.classId}${each.classId === chosen?.classId ? ' ✓' : ''}`,
      each.figures.holds ? String(each.nodes) : `${each.nodes}: too late`,
      finishText(each.figures),
      boundBy(each.figures),
    ]),
  };
}

/** What if: with the chosen nodes, and how many it takes. */
export function sensitivityRows({ asked }: CapacityPlan, { sensitivity }: SitePlan): Rows {
  return {
    head: ['what if', 'finish', 'nodes', 'WAN 95 %', 'bound by, of the time'],
    rows: sensitivity.map(({ what, figures, nodesNeeded }) => [
      what,
      figures.holds ? finishText(figures) : `${finishText(figures)}, too late`,
      nodesNeeded === undefined ? `over ${asked.nodesMax}` : String(nodesNeeded),
      formatBitsPerSecond(figures.wanP95BitsPerSecond),
      boundBy(figures),
    ]),
  };
}

/** The documents beside the plan. */
export function documentedRows({ documented }: SitePlan): Rows {
  return {
    head: ['document', 'it says', 'computed', 'agrees', 'why'],
    rows: documented.map(({ source, says, computed, agrees, why }) => [
      source,
      says,
      computed,
      agrees ? 'yes' : 'NO',
      why,
    ]),
  };
}

/** The moments at which a node failed. */
export function momentRows({ failure }: SitePlan): Rows {
  return {
    head: ['a node fails after', 'finish', 'WAN, peak', 'from the CDN'],
    rows: (failure?.moments ?? []).map(({ atMs, figures }) => [
      `${formatDuration(atMs)}${atMs === failure?.worstAtMs ? ', the worst' : ''}`,
      finishText(figures),
      formatBitsPerSecond(figures.wanPeakBitsPerSecond),
      formatBytes(figures.cdnBytes),
    ]),
  };
}

/** Where it comes from. */
export function planRunsText({ runCount, elapsedMs }: CapacityPlan): string {
  return `${formatCount(runCount)} virtual runs in ${formatDuration(elapsedMs)}`;
}

/** How many figures of the documents differ; undefined: none. */
export function disagreementText({ sites }: CapacityPlan): string | undefined {
  const count = sites.flatMap(({ documented }) => documented).filter(({ agrees }) => !agrees).length;
  if (count === 0) return undefined;
  const figures =
    count === 1
      ? '1 figure of Microsoft’s sizing tables differs'
      : `${count} figures of Microsoft’s sizing tables differ`;
  return `${figures} from these: plan.html says why.`;
}
