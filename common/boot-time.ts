// Which boot of the machine this is: bytes that were only in the page cache do not survive the next one.

import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/**
 * Changes with each boot: the kernel's boot id on Linux, elsewhere the minute of the boot. The environment variable
 * `CACHE_NODE_BOOT_ID` stands in for it in tests, which play a power loss by changing it.
 */
export function bootTime(): string {
  const forced = process.env['CACHE_NODE_BOOT_ID'];
  if (forced !== undefined && forced !== '') return forced.replaceAll(/\s/g, '-');
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return `boot-${Math.round((Date.now() - uptime() * 1000) / 60_000)}`;
  }
}
