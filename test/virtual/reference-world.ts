// The oracle of the model: the same small scenario, piece by piece. Devices arrive as planned, ask for their pieces in their
// order, one request at a time on each connection; a node fetches a piece that it does not have once, whoever asks for it
// meanwhile; what comes streams along. Written from the description of the system, without a formula of the model.
//
//   request ──overhead──▶ the node has it ──────────────▶ bytes at the fair share of node, links and device
//                    └──▶ the node fetches it ──latency──▶ the same, but never ahead of the fetch
//
// Nothing fails here: no events, no policies but a throttle, drives that hold everything, memory that holds nothing back.

import { pieceBytes, RangePlan, windowsConnectionsPerFile } from '../../simulator/device/range-plan.ts';
import type { FleetGroup, Scenario } from '../../simulator/scenario/scenario.ts';
import { type PlannedDevice, plannedDevices } from '../../simulator/world/fleet-plan.ts';
import { ReferenceFlows, type Transfer } from './reference-flows.ts';

export type ReferenceResult = {
  /** Of each device, from its arrival. */
  readonly completionMs: readonly number[];
  readonly finishMs: number;
  readonly nodes: ReadonlyMap<string, { readonly egressBytes: number; readonly upstreamBytes: number }>;
  readonly cdnBytes: number;
  readonly directBytes: number;
  readonly rangeCount: number;
};

/** A Linux device waits so long before its request leaves (facts on the Linux client). */
const linuxDepartureMs = 100;

/** A piece at a node: absent, being fetched, or there. */
type Piece = { fetch: Transfer | undefined; isStored: boolean };

type Node = {
  readonly id: string;
  readonly site: string | undefined;
  readonly parent: Node | undefined;
  readonly nic: number;
  readonly wan: number;
  readonly diskWrite: number;
  readonly hitMs: number;
  readonly missMs: number;
  readonly objects: Map<string, Piece[]>;
  egressBytes: number;
  upstreamBytes: number;
};

type Device = {
  readonly group: FleetGroup;
  readonly plan: PlannedDevice;
  readonly downlink: number;
  openFiles: number;
  completionMs: number;
};

/** A file of a device: pieces in order, for as many connections as it has. */
type Download = { readonly device: Device; readonly object: string; readonly sizeBytes: number; openPieces: number };

/** 100 Gbit/s: what nothing else limits does not come at once. */
const unlimited = 12.5e6;

export class ReferenceWorld {
  readonly #scenario: Scenario;
  readonly #staggerMs: number;
  readonly #flows = new ReferenceFlows();
  readonly #nodes = new Map<string, Node>();
  readonly #links = new Map<string, { readonly down: number; readonly up: number }>();
  readonly #cdn: number;
  readonly #devices: Device[];
  readonly #timers: { readonly atMs: number; readonly run: () => void }[] = [];
  #cdnBytes = 0;
  #directBytes = 0;
  #rangeCount = 0;

  /** `staggerMs`: how much later each connection of a file asks for the first time than the one before. */
  constructor(scenario: Scenario, staggerMs = 0) {
    this.#scenario = scenario;
    this.#staggerMs = staggerMs;
    this.#cdn = this.#flows.addResource(scenario.cdn.egressBytesPerMs ?? Number.POSITIVE_INFINITY);
    for (const { id, linkBytesPerMs, count } of scenario.sites) {
      if (count !== 1) throw new Error('one of each site only');
      const rate = linkBytesPerMs ?? Number.POSITIVE_INFINITY;
      this.#links.set(id, { down: this.#flows.addResource(rate), up: this.#flows.addResource(rate) });
    }
    for (const { id } of scenario.nodes) this.#nodeOf(id);
    this.#devices = [...plannedDevices(scenario, { index: 0, count: 1 })].map((plan) => {
      const { downlink, policy } = plan.group;
      const rate = Math.min(downlink?.bytesPerMsMin ?? unlimited, policy.maxBackgroundDownloadBytesPerMs ?? unlimited);
      const group = plan.group;
      return {
        group,
        plan,
        downlink: this.#flows.addResource(rate),
        openFiles: group.wants.length,
        completionMs: Number.NaN,
      };
    });
  }

  #nodeOf(id: string): Node {
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    const spec = this.#scenario.nodes.find((each) => each.id === id);
    if (spec === undefined) throw new Error(`no node ${id}`);
    const { hardware } = spec;
    const most = Number.POSITIVE_INFINITY;
    const node: Node = {
      id,
      site: spec.site,
      parent: spec.parent === undefined ? undefined : this.#nodeOf(spec.parent),
      nic: this.#flows.addResource(Math.min(spec.egressBytesPerMs ?? most, spec.limit?.egressBytesPerMs ?? most)),
      wan: this.#flows.addResource(spec.wanBytesPerMs ?? unlimited),
      diskWrite: this.#flows.addResource(hardware?.diskWriteBytesPerMs ?? most),
      hitMs: hardware?.latency?.hitMs ?? 0,
      missMs: hardware?.latency?.missMs ?? 0,
      objects: new Map(),
      egressBytes: 0,
      upstreamBytes: 0,
    };
    this.#nodes.set(id, node);
    return node;
  }

  run(): ReferenceResult {
    for (const device of this.#devices) this.#at(device.plan.arriveAtMs, () => this.#arrive(device));
    for (;;) {
      this.#flows.solve();
      this.#timers.sort((a, b) => a.atMs - b.atMs);
      const nextMs = Math.min(this.#timers[0]?.atMs ?? Number.POSITIVE_INFINITY, this.#flows.nextMs());
      if (nextMs === Number.POSITIVE_INFINITY) break;
      this.#flows.advanceTo(nextMs);
      while ((this.#timers[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nextMs) this.#timers.shift()?.run();
    }
    const completionMs = this.#devices.map((device) => device.completionMs);
    if (completionMs.some(Number.isNaN)) throw new Error('a device never finished');
    const ends = this.#devices.map((device) => device.plan.arriveAtMs + device.completionMs);
    return {
      completionMs,
      finishMs: Math.max(...ends) - Math.min(...this.#devices.map((device) => device.plan.arriveAtMs)),
      nodes: this.#nodes,
      cdnBytes: this.#cdnBytes,
      directBytes: this.#directBytes,
      rangeCount: this.#rangeCount,
    };
  }

  #at(atMs: number, run: () => void): void {
    this.#timers.push({ atMs, run });
  }

  #after(ms: number, run: () => void): void {
    if (ms <= 0) run();
    else this.#at(this.#flows.nowMs + ms, run);
  }

  // ---- Devices

  #arrive(device: Device): void {
    for (const [number, object] of device.group.wants.entries()) {
      const sizeBytes = this.#scenario.content.find(({ id }) => id === object)?.sizeBytes ?? 0;
      const plan = new RangePlan(sizeBytes, device.plan.seed + number);
      const download = { device, object, sizeBytes, openPieces: plan.pieceCount };
      if (device.group.client === 'linux') {
        this.#after(linuxDepartureMs, () => this.#readOn(download, 0));
        this.#rangeCount += 1;
        continue;
      }
      this.#rangeCount += plan.pieceCount;
      const connections = device.group.connectionsPerFile ?? windowsConnectionsPerFile(plan.pieceCount);
      for (let i = 0; i < connections; i += 1) {
        this.#after(i * this.#staggerMs, () => this.#askNext(download, plan));
      }
    }
  }

  /** A connection asks for the next piece, once it has all of the last one. */
  #askNext(download: Download, plan: RangePlan): void {
    const piece = plan.next();
    if (piece === undefined) return;
    const { start, end } = plan.rangeOf(piece);
    this.#request(download, piece, end - start, true, () => {
      this.#pieceCame(download);
      this.#askNext(download, plan);
    });
  }

  /** One request for the whole file: its body goes on from piece to piece. */
  #readOn(download: Download, piece: number): void {
    const bytes = Math.min(pieceBytes, download.sizeBytes - piece * pieceBytes);
    this.#request(download, piece, bytes, piece === 0, () => {
      this.#pieceCame(download);
      if (download.openPieces > 0) this.#readOn(download, piece + 1);
    });
  }

  #pieceCame(download: Download): void {
    download.openPieces -= 1;
    if (download.openPieces > 0) return;
    const { device } = download;
    device.openFiles -= 1;
    if (device.openFiles === 0) device.completionMs = this.#flows.nowMs - device.plan.arriveAtMs;
  }

  #request(download: Download, piece: number, bytes: number, isFirst: boolean, whenOver: () => void): void {
    const { device, object } = download;
    const [host] = device.group.cacheHosts;
    if (host === undefined) {
      this.#cdnBytes += bytes;
      this.#directBytes += bytes;
      const way = [this.#cdn, device.downlink, ...this.#linksBetween(undefined, device.group.site)];
      const transfer = this.#flows.announce(bytes, way, undefined, whenOver);
      this.#after(isFirst ? this.#scenario.cdn.latencyMs : 0, () => this.#flows.begin(transfer));
      return;
    }
    const node = this.#nodeOf(host);
    const way = [device.downlink, ...this.#linksBetween(node.site, device.group.site)];
    this.#serve(node, object, piece, bytes, way, isFirst, whenOver);
  }

  // ---- Nodes

  /** A node sends a piece to a device or to another node; returns the transfer, announced at least. */
  #serve(
    node: Node,
    object: string,
    number: number,
    bytes: number,
    way: readonly number[],
    isFirst: boolean,
    whenOver: () => void,
  ): Transfer {
    node.egressBytes += bytes;
    const piece = this.#pieceOf(node, object, number);
    if (!piece.isStored && piece.fetch === undefined) piece.fetch = this.#fetch(node, object, number, bytes, piece);
    const source = piece.isStored ? undefined : piece.fetch;
    const transfer = this.#flows.announce(bytes, [node.nic, ...way], source, whenOver);
    this.#after(isFirst ? node.hitMs : 0, () => this.#flows.begin(transfer));
    return transfer;
  }

  #fetch(node: Node, object: string, number: number, bytes: number, piece: Piece): Transfer {
    node.upstreamBytes += bytes;
    const { parent } = node;
    const way = [node.wan, node.diskWrite, ...this.#linksBetween(parent?.site, node.site)];
    const whenOver = (): void => {
      piece.isStored = true;
      piece.fetch = undefined;
    };
    const waitMs = node.hitMs + node.missMs;
    if (parent !== undefined) {
      if (waitMs > 0) throw new Error('nodes with parents take no time of their own here');
      return this.#serve(parent, object, number, bytes, way, true, whenOver);
    }
    this.#cdnBytes += bytes;
    const transfer = this.#flows.announce(bytes, [this.#cdn, ...way], undefined, whenOver);
    this.#after(waitMs + this.#scenario.cdn.latencyMs, () => this.#flows.begin(transfer));
    return transfer;
  }

  #pieceOf(node: Node, object: string, number: number): Piece {
    const pieces = node.objects.get(object) ?? [];
    node.objects.set(object, pieces);
    const known = pieces[number] ?? { fetch: undefined, isStored: false };
    pieces[number] = known;
    return known;
  }

  // ---- Places

  /** Links that are crossed from one site to another: up to where both meet, and down. */
  #linksBetween(from: string | undefined, to: string | undefined): number[] {
    const fromWay = this.#wayUp(from);
    const toWay = this.#wayUp(to);
    const up = fromWay.filter((site) => !toWay.includes(site)).map((site) => this.#links.get(site)?.up ?? -1);
    const down = toWay.filter((site) => !fromWay.includes(site)).map((site) => this.#links.get(site)?.down ?? -1);
    return [...up, ...down];
  }

  #wayUp(site: string | undefined): string[] {
    if (site === undefined) return [];
    return [site, ...this.#wayUp(this.#scenario.sites.find(({ id }) => id === site)?.parent)];
  }
}
