// The environment variables of the Connected Cache module (Microsoft, "Configure Microsoft Connected Cache for Device
// Update for IoT Hub"), and what is so like one of them that somebody must have meant it.

import { distance } from 'fastest-levenshtein';

export type Variables = ReadonlyMap<string, string>;

/** Documented names, with N for the number. */
export const documentedVariables = [
  'CUSTOMER_ID',
  'CACHE_NODE_ID',
  'CUSTOMER_KEY',
  'STORAGE_N_SIZE_GB',
  'UPSTREAM_HOST',
  'UPSTREAM_PROXY',
  'CACHEABLE_CUSTOM_N_HOST',
  'CACHEABLE_CUSTOM_N_CANONICAL',
  'IS_SUMMARY_PUBLIC',
  'IS_SUMMARY_ACCESS_UNRESTRICTED',
] as const;

/** What the owner tells its workers by the environment. */
const ownVariables: ReadonlySet<string> = new Set(['CACHE_NODE_PORT', 'CACHE_NODE_VIA']);

/** Letters that may be wrong in a name for it to be taken for one of ours. */
const wrongLettersMax = 2;

/** One mistake for each variable that is almost, but not quite, one of the documented ones. */
export function misspelt(variables: Variables): string[] {
  return [...variables].flatMap(([name, value]) => {
    if (ownVariables.has(name) || isDocumented(name)) return [];
    const storage = /^STORAGE_([0-9]+)_SIZE_GB$/.exec(name)?.[1];
    const found = `found ${name}=${JSON.stringify(value)}`;
    if (storage !== undefined)
      return [`${name}: expected a drive from STORAGE_1_SIZE_GB to STORAGE_9_SIZE_GB, ${found}`];
    if (/^CACHEABLE_CUSTOM_0[0-9]*_(HOST|CANONICAL)$/.test(name)) {
      return [`${name}: expected a number from 1 without leading zeros, ${found}`];
    }
    const meant = meantBy(name);
    return meant === undefined ? [] : [`${name}: expected the name ${meant}, ${found}. Rename it, or remove it`];
  });
}

export function isDocumented(name: string): boolean {
  return (
    /^STORAGE_[1-9]_SIZE_GB$/.test(name) ||
    /^CACHEABLE_CUSTOM_[1-9][0-9]*_(HOST|CANONICAL)$/.test(name) ||
    (documentedVariables.some((each) => each === name) && !/_N_/.test(name))
  );
}

/** The documented name that somebody who wrote this had in mind; undefined when it may be anything. */
function meantBy(name: string): string | undefined {
  const upper = name.toUpperCase();
  const number = /_([0-9]+)(?=_|$)/.exec(upper)?.[1];
  const generic = number === undefined ? upper : upper.replace(`_${number}`, '_N');
  const nearest = [...documentedVariables].sort((a, b) => distance(generic, a) - distance(generic, b))[0] ?? '';
  const isNear = distance(generic, nearest) <= wrongLettersMax;
  // Whole families are ours: STORAGE_1_SIZE and CACHEABLE_CUSTOM_HOST_1 mean nothing to anybody else.
  const isOfOurs = /^(STORAGE_N_|STORAGE_SIZE|CACHEABLE_|IS_SUMMARY_)/.test(generic);
  return isNear || isOfOurs ? nearest.replace('_N', number === undefined ? '_N' : `_${number}`) : undefined;
}
