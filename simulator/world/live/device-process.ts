// A device process: runs its part of the fleet, and ends with the run.

import { assertNever } from '../../../common/errors.ts';
import type { FromDeviceProcess, ToDeviceProcess } from './device-protocol.ts';
import { LiveFleet } from './live-fleet.ts';
import type { RowBatch } from './raw/row-batch.ts';

const progressMs = 500;

let fleet: LiveFleet | undefined;

function say(message: FromDeviceProcess): void {
  if (process.connected) process.send?.(message);
}

async function hear(message: ToDeviceProcess): Promise<void> {
  switch (message.kind) {
    case 'order':
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
      return;
    case 'stop':
      if (fleet === undefined) return;
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

process.on('message', (message: ToDeviceProcess) => void hear(message));
// The terminal's signals reach the whole group: the run stops its parts.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));
