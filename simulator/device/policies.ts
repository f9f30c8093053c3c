// The client profiles by the name that scenarios give them.

import type { DownloadPolicy } from './download-policy.ts';
import { linuxPolicy } from './linux-policy.ts';
import { windowsPolicy } from './windows-policy.ts';

/** A policy's states and agents are its own; who holds one hands them back to the policy that made them. */
export function policyOf(client: 'windows' | 'linux'): DownloadPolicy<unknown, unknown> {
  return client === 'linux' ? linuxPolicy : windowsPolicy;
}
