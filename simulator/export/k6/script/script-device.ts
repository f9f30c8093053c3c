// One iteration of k6: a device from its arrival to its last byte, or in a live window one range that is due.

import exec from 'k6/execution';
import { hashText, mix32 } from '../../../../common/random.ts';
import { permute } from '../../../device/permutation.ts';
import { policyOf } from '../../../device/policies.ts';
import { pieceBytes, RangePlan } from '../../../device/range-plan.ts';
import { DownloadRunner } from '../../../world/world.ts';
import type { ExportedContent, ExportedGroup, ExportedScenario } from './exported-scenario.ts';
import { measured } from './measured.ts';
import { type DownloadingDevice, type Pieces, ScriptDownload, scriptWorld } from './script-download.ts';

/** The group whose scenario of k6 is running: they have the same name. */
function runningGroup(exported: ExportedScenario): ExportedGroup {
  const group = exported.groups.find(({ id }) => id === exec.scenario.name);
  if (group === undefined) throw new Error(`no group ${exec.scenario.name}`);
  return group;
}

/** Names the order of a device's pieces; `number`: in its group. */
export function deviceSeed(scenarioSeed: number, groupId: string, number: number): number {
  return mix32(hashText(`${scenarioSeed}/${groupId}`) + number);
}

/** The device whose number is that of the iteration: asks for all that it wants. */
export async function runDevice(exported: ExportedScenario): Promise<void> {
  const group = runningGroup(exported);
  const number = exec.scenario.iterationInTest;
  // An arrival rate may start one iteration more than it should.
  if (number >= group.devices) return;
  const tags = { fleet_group: group.id };
  const arrivedMs = Date.now();
  const fleetStartMs = exec.scenario.startTime - group.firstArrivalMs;
  measured.devicesStarted.add(1, tags);
  const ended = await downloadAll(exported, group, number);
  const isComplete = ended.every((how) => how === 'done');
  measured.devicesCompletedRatio.add(isComplete, tags);
  if (ended.includes('failed')) measured.devicesFailed.add(1, tags);
  if (!isComplete) return;
  measured.devicesCompleted.add(1, tags);
  measured.deviceCompletionMs.add(Date.now() - arrivedMs, tags);
  measured.fleetFinishMs.add(Date.now() - fleetStartMs, tags);
}

/** All files at once, as the live world does. */
async function downloadAll(exported: ExportedScenario, group: ExportedGroup, number: number): Promise<Ending[]> {
  const seed = deviceSeed(exported.seed, group.id, number);
  const untilMs = group.windowMs === null ? Number.POSITIVE_INFINITY : exec.scenario.startTime + group.windowMs;
  const device = downloadingDevice(exported, group, number, undefined, untilMs);
  const agent = policyOf(group.client).newAgent();
  return await Promise.all(
    group.wants.map((id, file) => {
      const content = contentOf(exported, id);
      const pieces =
        policyOf(group.client).transport.ranges === 'rest'
          ? wholeFile()
          : new RangePlan(content.sizeBytes, seed + file);
      return download(device, content, file, pieces, agent);
    }),
  );
}

/** Range k of a live window: it belongs to device k mod n, and is due k/n intervals after the start. */
export async function runRange(exported: ExportedScenario): Promise<void> {
  const group = runningGroup(exported);
  const order = exec.scenario.iterationInTest;
  const number = order % group.devices;
  const due = dueRange(exported, group, number, Math.floor(order / group.devices));
  // The device has all that it wants.
  if (due === undefined) return;
  const dueMs = exec.scenario.startTime + (order / group.devices) * (group.intervalMs ?? 0);
  const device = downloadingDevice(exported, group, number, dueMs, Number.POSITIVE_INFINITY);
  await download(device, due.content, due.file, onePiece(due.content, due.piece), policyOf(group.client).newAgent());
}

/** The range that a device asks for after `taken` others: file by file, in the order of its pieces. */
export function dueRange(
  exported: ExportedScenario,
  group: ExportedGroup,
  number: number,
  taken: number,
): { readonly content: ExportedContent; readonly file: number; readonly piece: number } | undefined {
  const seed = deviceSeed(exported.seed, group.id, number);
  let left = taken;
  for (const [file, id] of group.wants.entries()) {
    const content = contentOf(exported, id);
    const pieceCount = Math.ceil(content.sizeBytes / pieceBytes);
    if (left < pieceCount) return { content, file, piece: permute(left, pieceCount, seed + file) };
    left -= pieceCount;
  }
  return undefined;
}

type Ending = 'done' | 'failed' | 'stopped';

function download(
  device: DownloadingDevice,
  content: ExportedContent,
  file: number,
  pieces: Pieces,
  agent: unknown,
): Promise<Ending> {
  const { group, untilMs } = device;
  const policy = policyOf(group.client);
  const fallbackDelayMs =
    group.fallbackDelayMs === 'never' ? Number.POSITIVE_INFINITY : (group.fallbackDelayMs ?? undefined);
  const settings = { cacheHostCount: group.cacheHosts.length, fallbackDelayMs };
  return new Promise((resolve) => {
    let cancelStop: (() => void) | undefined;
    const end = (how: Ending): void => {
      cancelStop?.();
      resolve(how);
    };
    const transfer = new ScriptDownload(device, content, 2 + 3 * file, pieces, policy.transport, end);
    transfer.runner = new DownloadRunner(scriptWorld, transfer, { policy, settings, agent, origin: content.host });
    if (untilMs !== Number.POSITIVE_INFINITY) cancelStop = scriptWorld.schedule(untilMs, () => transfer.stop());
    transfer.runner.start();
  });
}

function downloadingDevice(
  exported: ExportedScenario,
  group: ExportedGroup,
  number: number,
  dueMs: number | undefined,
  untilMs: number,
): DownloadingDevice {
  let hasFallenBack = false;
  return {
    exported,
    group,
    index: group.firstDevice + number,
    seed: deviceSeed(exported.seed, group.id, number),
    dueMs,
    untilMs,
    fellBack(cause) {
      if (!hasFallenBack) measured.fallbackDevices.add(1, { fleet_group: group.id, cause });
      hasFallenBack = true;
    },
  };
}

function contentOf(exported: ExportedScenario, id: string): ExportedContent {
  const content = exported.content[id];
  if (content === undefined) throw new Error(`no content ${id}`);
  return content;
}

/** One request for all of it (Linux). */
function wholeFile(): Pieces {
  return { ...oneOf(0), rangeOf: () => undefined };
}

function onePiece({ sizeBytes }: ExportedContent, piece: number): Pieces {
  return {
    ...oneOf(piece),
    rangeOf: () => ({ start: piece * pieceBytes, end: Math.min((piece + 1) * pieceBytes, sizeBytes) }),
  };
}

function oneOf(piece: number): Omit<Pieces, 'rangeOf'> {
  let left: number | undefined = piece;
  return {
    pieceCount: 1,
    next() {
      const given = left;
      left = undefined;
      return given;
    },
    giveBack(given) {
      left = given;
    },
  };
}
