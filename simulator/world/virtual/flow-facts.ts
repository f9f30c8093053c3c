// What the number of a flow stands for: its population, device, object, and the policy that it follows.

import type { DownloadPolicy, PolicySettings, Source } from '../../device/download-policy.ts';
import { policyOf } from '../../device/policies.ts';
import type { ContentSpec, FleetGroup, Scenario } from '../../scenario/scenario.ts';
import { policySettingsOf } from '../policy-settings.ts';
import type { FlowTable } from './flow-table.ts';
import type { Population } from './topology.ts';

export class FlowFacts {
  readonly flows: FlowTable;
  /** By group; an event may change what is in them. */
  readonly settings: PolicySettings[];
  readonly #policies: readonly DownloadPolicy<unknown, unknown>[];
  readonly #content: readonly ContentSpec[];
  /** By group and want: index of the object. */
  readonly #objects: readonly (readonly number[])[];

  constructor(scenario: Scenario, flows: FlowTable) {
    this.flows = flows;
    this.settings = scenario.fleet.map(policySettingsOf);
    this.#policies = scenario.fleet.map(({ client }) => policyOf(client));
    this.#content = scenario.content;
    const place = new Map(scenario.content.map(({ id }, index) => [id, index]));
    this.#objects = scenario.fleet.map(({ wants }) => wants.map((id) => place.get(id) ?? -1));
  }

  population(p: number): Population {
    return this.flows.populations[p] as Population;
  }

  group(p: number): FleetGroup {
    return this.population(p).group;
  }

  policy(p: number): DownloadPolicy<unknown, unknown> {
    return this.#policies[this.population(p).groupIndex] as DownloadPolicy<unknown, unknown>;
  }

  settingsOf(p: number): PolicySettings {
    return this.settings[this.population(p).groupIndex] as PolicySettings;
  }

  isPieces(p: number): boolean {
    return this.policy(p).transport.ranges === 'pieces';
  }

  wantOf(flow: number, p: number): number {
    return this.group(p).wants.length === 1 ? 0 : this.flows.wantOf(flow, p);
  }

  /** Index of the object in the scenario. */
  objectOf(flow: number, p: number): number {
    return this.#objects[this.population(p).groupIndex]?.[this.wantOf(flow, p)] as number;
  }

  sizeOf(flow: number, p: number): number {
    return (this.#content[this.objectOf(flow, p)] as ContentSpec).sizeBytes;
  }

  originOf(flow: number, p: number): string {
    return (this.#content[this.objectOf(flow, p)] as ContentSpec).host;
  }

  firstSource(p: number): Source {
    return this.settingsOf(p).cacheHostCount > 0 ? { kind: 'cacheHost', index: 0 } : { kind: 'cdn' };
  }

  sourceName(p: number, source: number): string {
    return source < 0 ? 'the CDN' : (this.group(p).cacheHosts[source] ?? '');
  }
}

/** A source as a number: the cache host by its place in the list; -1: the CDN. */
export const indexOfSource = (source: Source): number => (source.kind === 'cdn' ? -1 : source.index);

export const sourceAt = (index: number): Source => (index < 0 ? { kind: 'cdn' } : { kind: 'cacheHost', index });
