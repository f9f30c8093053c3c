// What is left at the end of a component: bytes that were wanted and did not come, devices that never finish, and a row for
// each device.

import { pieceBytes, windowsConnectionsPerFile } from '../../device/range-plan.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { Downloads } from './downloads.ts';
import { endedFlow } from './flow-table.ts';
import type { Network } from './network.ts';
import type { GroupTally, Tally } from './tally.ts';

/** Devices that neither have everything nor have given up: how many, and what happened to them last. */
export type Unfinished = { devices: number; readonly lastFailures: Map<string, number> };

/** By group. */
export function unfinishedDevices({ facts, failedDevices, troubles }: Downloads): ReadonlyMap<string, Unfinished> {
  const byGroup = new Map<string, Unfinished>();
  const { flows } = facts;
  for (let device = 0; device < flows.deviceCount; device += 1) {
    if ((flows.openDownloads[device] as number) === 0 || failedDevices.has(device)) continue;
    const p = flows.populationOfDevice(device);
    const { id } = facts.group(p);
    const group = byGroup.get(id) ?? { devices: 0, lastFailures: new Map<string, number>() };
    byGroup.set(id, group);
    group.devices += flows.multiplicityOf(p);
    const last = troubles.get(flows.firstFlowOf(device, p))?.lastFailure ?? 'it never failed';
    group.lastFailures.set(last, (group.lastFailures.get(last) ?? 0) + flows.multiplicityOf(p));
  }
  return byGroup;
}

/** Books what every download wanted, and what of it has not come. */
export function bookUnfetched(downloads: Downloads, network: Network, tally: Tally, nowMs: number): void {
  const { facts } = downloads;
  const { flows } = facts;
  for (let device = 0; device < flows.deviceCount; device += 1) {
    const p = flows.populationOfDevice(device);
    const group = tally.groups[facts.population(p).groupIndex] as GroupTally;
    const devices = flows.multiplicityOf(p);
    const first = flows.firstFlowOf(device, p);
    for (let flow = first; flow < first + facts.group(p).wants.length; flow += 1) {
      group.wantedBytes += devices * facts.sizeOf(flow, p);
      const left = leftOf(downloads, network, flow, p, nowMs);
      group.unfetchedBytes += devices * left;
      // Of what ended, ranges are counted already.
      if (left > 0 && facts.isPieces(p)) group.rangeCount += (devices * (facts.sizeOf(flow, p) - left)) / pieceBytes;
    }
  }
}

/** Bytes that one device has still to get of one object. */
function leftOf({ facts, troubles }: Downloads, network: Network, flow: number, p: number, nowMs: number): number {
  const each = facts.flows.classOf[flow] as number;
  if (each === endedFlow) return 0;
  if (each < 0) return troubles.get(flow)?.leftBytes ?? facts.sizeOf(flow, p);
  const connections = network.classes.connections[each] as number;
  return Math.max(0, (network.links.endsAt[flow] as number) - network.serviceOf(each, nowMs)) * connections;
}

/** Rows by the number of the device over all groups; those of a cohort are alike. */
export function deviceRows(
  downloads: Downloads,
  network: Network,
  groupBase: readonly number[],
  nowMs: number,
): DeviceRow[] {
  const { facts, troubles } = downloads;
  const { flows } = facts;
  const rows: DeviceRow[] = [];
  for (let device = 0; device < flows.deviceCount; device += 1) {
    const p = flows.populationOfDevice(device);
    const { first: firstNumber, stride, groupIndex, group } = facts.population(p);
    const first = flows.firstFlowOf(device, p);
    let wanted = 0;
    let left = 0;
    let refetched = 0;
    let fromCdn = 0;
    let fallbackCause = '';
    let connectionCount = 0;
    for (let flow = first; flow < first + group.wants.length; flow += 1) {
      const size = facts.sizeOf(flow, p);
      const trouble = troubles.get(flow);
      wanted += size;
      connectionCount += facts.isPieces(p)
        ? (group.connectionsPerFile ?? windowsConnectionsPerFile(Math.ceil(size / pieceBytes)))
        : 1;
      left += leftOf(downloads, network, flow, p, nowMs);
      refetched += trouble?.refetchedBytes ?? 0;
      fromCdn += trouble?.cdnBytes ?? (facts.firstSource(p).kind === 'cdn' ? size : 0);
      fallbackCause ||= trouble?.fallbackCause ?? '';
    }
    const received = Math.round(wanted - left + refetched);
    const cdn = Math.min(received, Math.round(fromCdn));
    const completedAtMs = downloads.completedAtMs?.[device] ?? Number.NaN;
    const number = flows.numberOf(device, p);
    for (let i = 0; i < flows.multiplicityOf(p); i += 1) {
      rows.push({
        Device: (groupBase[groupIndex] as number) + firstNumber + (number + i) * stride,
        Group: group.id,
        FileSize: wanted,
        TotalBytesDownloaded: received,
        BytesFromCacheServer: received - cdn,
        BytesFromHttp: received,
        BytesFromCdn: cdn,
        DownloadDuration: Number.isNaN(completedAtMs)
          ? ''
          : (completedAtMs - (flows.arriveAtMs[device] as number)) / 1000,
        CacheHost: group.cacheHosts[0] ?? '',
        HttpConnectionCount: connectionCount,
        Status: Number.isNaN(completedAtMs)
          ? downloads.failedDevices.has(device)
            ? 'Failed'
            : 'Downloading'
          : 'Complete',
        FallbackCause: fallbackCause,
      });
    }
  }
  return rows;
}
