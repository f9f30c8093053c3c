// Runs a real LiveFleet of a scenario against addresses of the test, and checks its books in every case.

import type { Socket } from 'node:net';
import { expect } from 'vitest';
import type { Address } from '../../common/address.ts';
import { parseAddress } from '../../common/address.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { type Cdn, startCdn } from '../../simulator/cloud/cdn.ts';
import { parseScenario } from '../../simulator/scenario/load.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { balance } from '../../simulator/world/live/balance.ts';
import type { DeviceOrder, DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { FleetWithRows } from './range-rows.ts';
import type { Answer } from './raw-server.ts';
import { RawServer } from './raw-server.ts';

export const contentHost = 'au.download.windowsupdate.com';

export function scenarioOf(text: string): Scenario {
  return parseScenario(`name: Test\n${text}`, 'test.yaml').scenario;
}

export const addressOf = (cdn: Cdn): Address => {
  const address = parseAddress(cdn.listen);
  if (address === undefined) throw new Error('a CDN has an address');
  return address;
};

/** A CDN that serves the scenario's content to those who come for it directly, and to those who take it for a cache. */
export async function cdnOf(scenario: Scenario, options: { latencyMs?: number } = {}): Promise<Cdn> {
  const cdn = await startCdn({ ledger: true, ...options });
  for (const { id, host, path, sizeBytes } of scenario.content) {
    for (const name of [host, '127.0.0.1']) cdn.objects.register({ id, host: name, path, sizeBytes });
  }
  return cdn;
}

export async function withServer(
  answer: Answer,
  use: (server: RawServer, address: Address) => Promise<void>,
  greet?: (socket: Socket) => void,
) {
  const server = new RawServer(answer, greet);
  const address = await server.listen();
  try {
    await use(server, address);
  } finally {
    await server.stop();
  }
}

export type FleetRun = { readonly fleet: FleetWithRows; readonly idle: Promise<void> };

export function fleetOf(scenario: Scenario, order: Partial<DeviceOrder> & Pick<DeviceOrder, 'cdns'>): FleetRun {
  let onIdle: () => void = () => undefined;
  const idle = new Promise<void>((resolve) => {
    onIdle = resolve;
  });
  const whole = { number: 0, part: { index: 0, count: 1 }, nodes: {}, sourceNetwork: undefined, deviceRows: true };
  return { fleet: new FleetWithRows({ scenario, ...whole, ...order }, () => onIdle()), idle };
}

/** Runs until every device has completed or failed. */
export async function runFleet(
  scenario: Scenario,
  order: Partial<DeviceOrder> & Pick<DeviceOrder, 'cdns'>,
): Promise<DeviceReport> {
  const { fleet, idle } = fleetOf(scenario, order);
  if (scenario.live !== undefined) expect(await fleet.connectAll()).toBeUndefined();
  fleet.start(Date.now());
  await idle;
  const report = await fleet.stop(0);
  expectOwnBooks(report);
  return report;
}

/** What a fleet says must fit together by itself. */
export function expectOwnBooks({ groups, ledgers, reading }: DeviceReport): void {
  const total = (of: (group: (typeof groups)[number]) => number): number => groups.reduce((sum, g) => sum + of(g), 0);
  const received = total((group) => group.bytesFromCacheServer + group.bytesFromCdn);
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  const entries = Object.values(ledgers).flat();
  expect({
    kept: total((group) => group.usefulBytes + group.refetchedBytes),
    byConnection: sum(entries.map((entry) => entry.bodyBytes)),
    checked: reading.verifiedBytes + reading.uncheckedBytes,
    bySecond: sum(Object.values(reading.bytesPerSecond).flat()),
    refetched: sum(Object.values(reading.refetchedBytes)),
  }).toEqual({
    kept: received,
    byConnection: received,
    checked: received,
    bySecond: received,
    refetched: total((group) => group.refetchedBytes),
  });
}

/** Both sides agree to the byte; returns what was sent and never received on cut connections. */
export function expectBalanced(sent: readonly LedgerEntry[], received: readonly LedgerEntry[] | undefined): number {
  const books = balance({ name: 'edge', sent, received: received ?? [], senderLost: false, receiverLost: false });
  expect(books).toMatchObject({ imbalanceBytes: 0, lostBytes: 0, examples: [] });
  return books.cutBytes;
}

/** Resolves once `condition` holds; the test's time-out bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
