// The profile of this machine, as `sim calibrate` leaves it in the working folder; with it a live run has a prediction.

import { existsSync } from 'node:fs';
import { OperatorError } from '../../common/errors.ts';
import { loadProfile } from '../scenario/load-profile.ts';
import type { HardwareProfile } from '../scenario/profile.ts';

/** Where `sim calibrate` writes, and `sim run` looks, by default. */
export const machineProfileName = 'machine-profile.yaml';

/** Undefined when none was named and none is there. Throws an OperatorError when a file cannot be read or is wrong. */
export function machineProfile(named: string | undefined): HardwareProfile | undefined {
  if (named === undefined && !existsSync(machineProfileName)) return undefined;
  const file = named ?? machineProfileName;
  const profile = loadProfile(file);
  if (profile.harness !== undefined && profile.cores !== undefined) return profile;
  const message = `${file}: expected a profile of this machine, with cores and harness, found one without; run sim calibrate.`;
  throw new OperatorError('BAD_PROFILE', message);
}
