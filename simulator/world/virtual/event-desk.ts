// What the scenario lets happen in virtual time: nodes, links, the CDN, content and policies change; then everybody whose
// source gives another answer now is told.

import { assertNever } from '../../../common/errors.ts';
import type { LinkName, Scenario, ScenarioEvent } from '../../scenario/scenario.ts';
import { policySettingsOf } from '../policy-settings.ts';
import type { Availability } from './availability.ts';
import type { ClassBook } from './class-book.ts';
import type { Downloads } from './downloads.ts';
import type { Machines } from './machines.ts';
import type { Network } from './network.ts';
import type { Supply } from './supply.ts';
import type { VirtualClock } from './virtual-clock.ts';

type Parts = {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly machines: Machines;
  readonly availability: Availability;
  readonly book: ClassBook;
  readonly supply: Supply;
  readonly downloads: Downloads;
  /** Its limits change by the hour from now on. */
  readonly followHours: (groupIndex: number) => void;
};

export class EventDesk {
  readonly #parts: Parts;
  /** Changes that are still to come. */
  pending = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  scheduleEvents(): void {
    for (const event of this.#parts.scenario.events) this.#schedule(event.atMs, () => this.#carryOut(event));
  }

  #schedule(atMs: number, run: () => void): void {
    this.pending += 1;
    this.#parts.clock.schedule(atMs, () => {
      this.pending -= 1;
      run();
    });
  }

  #carryOut(event: ScenarioEvent): void {
    const { availability, clock, scenario } = this.#parts;
    switch (event.kind) {
      case 'kill':
        for (const node of this.#nodesOf(event.node)) availability.setNodeState(node, 'killed');
        break;
      case 'restart':
      case 'thaw':
        for (const node of this.#nodesOf(event.node)) availability.setNodeState(node, 'running');
        break;
      case 'freeze':
        for (const node of this.#nodesOf(event.node)) availability.setNodeState(node, 'frozen');
        break;
      case 'drain':
        for (const node of this.#nodesOf(event.node)) availability.setNodeState(node, 'drained');
        break;
      case 'cut':
        availability.cut(event.link);
        break;
      case 'join':
        availability.join(event.link);
        this.#setRate(event.link, undefined);
        break;
      case 'narrow':
        this.#setRate(event.link, event.toBytesPerMs);
        if (event.forMs !== undefined)
          this.#schedule(clock.nowMs + event.forMs, () => this.#setRate(event.link, undefined));
        return;
      case 'cdn': {
        const index = scenario.content.findIndex(({ id }) => id === event.content);
        const end = availability.begin(event.fault, event.content === undefined ? undefined : index);
        if (event.forMs !== undefined) {
          this.#schedule(clock.nowMs + event.forMs, () => {
            end();
            this.#tellAll();
          });
        }
        break;
      }
      case 'version':
        this.#newVersion(scenario.content.findIndex(({ id }) => id === event.content));
        return;
      case 'loseDrive':
        for (const node of this.#nodesOf(event.node)) this.#loseDrive(node);
        break;
      case 'policy':
        this.#tellPolicy(event.group, event.policy);
        return;
      default:
        assertNever(event);
    }
    this.#tellAll();
  }

  /** Those who move from a source that does not serve them any more. */
  #tellAll(): void {
    const { book, network, downloads, availability, clock, supply } = this.#parts;
    for (const stock of supply.stocks) supply.refresh(stock, clock.nowMs);
    for (let each = 0; each < book.all.length; each += 1) {
      if ((network.classes.flowCount[each] as number) === 0) continue;
      const { population, source, object, stock, phase, isWhole: isRunningBody } = book.get(each);
      const node = source < 0 ? undefined : population.cacheHosts[source];
      const needsMore = stock !== undefined && !stock.isComplete && phase !== 'behind';
      const answer =
        node === undefined || stock === undefined
          ? availability.ofCdn(population.site, object)
          : availability.ofNode(node, population.site, stock, needsMore);
      if (answer.kind === 'serves') continue;
      const isKilled = node !== undefined && availability.nodeState(node) === 'killed';
      // A body that is under way is finished by a node that drains, and by a CDN that misbehaves at new requests only.
      const isDraining = node !== undefined && availability.nodeState(node) === 'drained';
      if (isRunningBody && (isDraining || (node === undefined && answer.kind === 'fails'))) continue;
      for (const flow of network.queueOf(each).flows()) {
        if (answer.kind !== 'fails') downloads.hang(flow);
        else downloads.fail(flow, isKilled ? 'reset' : answer.cause);
      }
    }
    downloads.askAgain();
  }

  #setRate(link: LinkName, bytesPerMs: number | undefined): void {
    const { machines, network, clock } = this.#parts;
    if (link.kind === 'wan') {
      for (const node of this.#nodesOf(link.node)) {
        const machine = machines.nodes.get(node);
        if (machine === undefined || machine.wan < 0) continue;
        network.setCapacity(machine.wan, Math.min(bytesPerMs ?? Infinity, machine.wanBytesPerMs), clock.nowMs);
      }
      return;
    }
    for (const [site, links] of machines.links) {
      if (machines.siteId(site) !== link.site) continue;
      const rate = Math.min(bytesPerMs ?? Infinity, links.bytesPerMs);
      for (const resource of [links.down, links.up])
        if (resource >= 0) network.setCapacity(resource, rate, clock.nowMs);
    }
  }

  #newVersion(object: number): void {
    const { supply, network, downloads, clock } = this.#parts;
    for (const stock of supply.stocks) {
      if (stock.object !== object) continue;
      for (const each of supply.classesBelow(stock)) network.touch(each, clock.nowMs);
      stock.filledBytes = 0;
      stock.isComplete = false;
      stock.isEvicted = false;
    }
    downloads.restart(object);
    for (const stock of supply.stocks) {
      if (stock.object !== object) continue;
      // Bodies that run are ahead of everything that there is of the new version: it has no frontier.
      if (supply.classesBelow(stock).some((each) => network.queueOf(each).count > 0))
        downloads.placement.scatter(stock);
      supply.refresh(stock, clock.nowMs);
    }
  }

  /** The node goes on with the rest of its drives and what they hold. */
  #loseDrive(node: number): void {
    const { machines, supply, network, clock, downloads } = this.#parts;
    const machine = machines.nodes.get(node);
    if (machine === undefined) return;
    const keptRatio = machine.drivesLeft <= 1 ? 0 : 1 - 1 / machine.drivesLeft;
    machine.drivesBytes *= keptRatio;
    machine.drivesLeft -= 1;
    for (const stock of supply.stocks) {
      if (stock.nodeIndex !== node) continue;
      for (const each of supply.classesBelow(stock)) network.touch(each, clock.nowMs);
      stock.filledBytes *= keptRatio;
      stock.isComplete = false;
      stock.isEvicted = true;
      downloads.placement.scatter(stock);
    }
    for (const resource of [machine.diskRead, machine.diskWrite]) {
      if (resource < 0) continue;
      // Without a drive left the node passes everything through, and no drive limits it.
      const capacity = keptRatio === 0 ? Infinity : (network.resources.capacity[resource] as number) * keptRatio;
      network.setCapacity(resource, capacity, clock.nowMs);
    }
  }

  #tellPolicy(id: string, policy: object): void {
    const { scenario, book, downloads, clock, followHours } = this.#parts;
    const groupIndex = scenario.fleet.findIndex((group) => group.id === id);
    const group = scenario.fleet[groupIndex];
    const before = book.policies[groupIndex];
    if (group === undefined || before === undefined) return;
    const now = { ...before, ...policy };
    book.policies[groupIndex] = now;
    Object.assign(downloads.facts.settings[groupIndex] as object, policySettingsOf({ ...group, policy: now }));
    book.refreshRates(groupIndex, clock.nowMs);
    followHours(groupIndex);
  }

  /** A node whose drives are full makes room. */
  keepWithinDrives(node: number): void {
    const { supply, clock, downloads } = this.#parts;
    for (const stock of supply.evictFrom(node)) {
      downloads.placement.scatter(stock);
      supply.refresh(stock, clock.nowMs);
    }
    if (supply.noteMemory(node, supply.stocksInUse(node))) {
      for (const stock of supply.stocks) if (stock.nodeIndex === node) supply.refresh(stock, clock.nowMs);
    }
  }

  #nodesOf(id: string): number[] {
    return [...this.#parts.machines.nodes].flatMap(([index, { copy }]) => (copy.spec.id === id ? [index] : []));
  }
}
