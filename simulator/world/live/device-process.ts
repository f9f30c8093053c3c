// A device process: runs its part of the fleet, and ends with the run.

import { assertNever } from '../../../common/errors.ts';
import type { FromDeviceProcess, ToDeviceProcess } from './device-protocol.ts';
import { LiveFleet } from './live-fleet.ts';
import type { RowBatch } from './raw/row-batch.ts';

const progressMs = 500;
/** Telling what was measured takes this process at most so much of its time: then it tells more rarely. */
const snapshotTimeRatioMax = 0.01;
const afterSecondMs = 10;

let fleet: LiveFleet | undefined;
let wantsSnapshots = false;
let nextSnapshot: NodeJS.Timeout | undefined;

function say(message: FromDeviceProcess): void {
  if (process.connected) process.send?.(message);
}

async function hear(message: ToDeviceProcess): Promise<void> {
  switch (message.kind) {
    case 'order':
      wantsSnapshots = message.order.snapshots === true;
      fleet = new LiveFleet(
        message.order,
        () => say({ kind: 'idle' }),
        message.order.rangeRows === true ? sendRows : undefined,
      );
      setInterval(() => report(), progressMs);
      if (message.order.scenario.live !== undefined) say({ kind: 'connected', problem: await fleet.connectAll() });
      else say({ kind: 'connected', problem: await fleet.replay?.open() });
      return;
    case 'start':
      fleet?.start(message.atEpochMs);
      if (fleet !== undefined && wantsSnapshots) tellSnapshots(fleet, message.atEpochMs);
      return;
    case 'stop':
      if (fleet === undefined) return;
      clearTimeout(nextSnapshot);
      process.send?.({ kind: 'report', report: await fleet.stop(message.graceMs) } satisfies FromDeviceProcess, () => {
        // Connections that were closed in order must get their FIN out.
        setTimeout(() => process.exit(0), 50);
      });
      return;
    default:
      assertNever(message);
  }
}

function report(): void {
  if (fleet === undefined) return;
  say({ kind: 'progress', progress: fleet.progress() });
  fleet.rows?.flush();
}

function sendRows(batch: RowBatch, sent: () => void): void {
  if (process.connected) process.send?.({ kind: 'rows', batch } satisfies FromDeviceProcess, sent);
}

/** Soon after a second is over, as long as the run goes on. */
function tellSnapshots(of: LiveFleet, startEpochMs: number): void {
  let sinceSecond = 0;
  const tell = (): void => {
    const beganMs = performance.now();
    const snapshot = of.snapshot(sinceSecond);
    sinceSecond = snapshot.reading.startSecond + snapshot.reading.rangesPerSecond.length;
    say({ kind: 'snapshot', report: snapshot });
    const restMs = (performance.now() - beganMs) / snapshotTimeRatioMax;
    arm(Math.max(Date.now() + restMs, sinceSecond * 1000));
  };
  const arm = (notBeforeEpochMs: number): void => {
    const atEpochMs = (Math.floor(notBeforeEpochMs / 1000) + 1) * 1000;
    nextSnapshot = setTimeout(tell, atEpochMs - Date.now() + afterSecondMs);
  };
  arm(startEpochMs);
}

process.on('message', (message: ToDeviceProcess) => void hear(message));
// The terminal's signals reach the whole group: the run stops its parts.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));
