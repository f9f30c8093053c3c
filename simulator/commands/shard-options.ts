// The options of `sim run` for a run that is spread over several commands: what each means, checked.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Address, formatAddress, parseAddress } from '../../common/address.ts';
import { OperatorError } from '../../common/errors.ts';
import { formatCount, formatDuration } from '../../common/units.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { deviceCount, type FleetPart } from '../world/fleet-plan.ts';
import { durationAboveZero } from './option-values.ts';

/** Where an environment is, and a shard looks for it, when nobody says. */
export const defaultEnvironment: Address = { host: '127.0.0.1', port: 7070 };

export type ShardingOptions = {
  readonly shard?: FleetPart;
  readonly role?: 'environment';
  /** Of a shard. */
  readonly environment?: Address;
  /** Of the environment. */
  readonly listen?: Address;
  /** As written; {@link startAt} reads it. */
  readonly startAt?: string;
  /** In ms. */
  readonly wait?: number;
};

const group = 'One run over several machines (docs/scale-out.md):';
const waitMsDefault = 600_000;

export function withShardingOptions(command: Command): Command {
  const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup(group);
  const address = (text: string): Address => {
    const parsed = parseAddress(text);
    if (parsed !== undefined) return parsed;
    throw new InvalidArgumentError(
      `Expected address:port, such as ${formatAddress(defaultEnvironment)}; found "${text}".`,
    );
  };
  const where = formatAddress(defaultEnvironment);
  return command
    .addOption(
      option('--role <role>', 'environment: start nodes and CDN, run the events, wait for shards, judge').choices([
        'environment',
      ]),
    )
    .addOption(option('--listen <address:port>', `where shards find it (default: ${where})`).argParser(address))
    .addOption(option('--shard <i/n>', 'run part i of n of the fleet, from 0/n to n-1/n').argParser(parseShard))
    .addOption(option('--environment <address:port>', `where it is (default: ${where})`).argParser(address))
    .addOption(option('--start-at <time>', 'begin at this time: 2026-11-28T12:00:00Z, or seconds of the epoch'))
    .addOption(
      option('--wait <duration>', 'how long to wait for the others (default: 10 min)').argParser(durationAboveZero),
    );
}

function parseShard(text: string): FleetPart {
  const [, i, n] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (i === undefined || index >= count) {
    throw new InvalidArgumentError(`Expected i/n with i from 0 to n-1, such as 0/4 to 3/4; found "${text}".`);
  }
  return { index, count };
}

export const waitMsOf = ({ wait = waitMsDefault }: ShardingOptions): number => wait;

/** Throws an OperatorError (BAD_OPTIONS) for options that make no sense together, or for this scenario. */
export function checkShardingOptions(
  options: ShardingOptions & {
    readonly world?: string;
    readonly profile?: string;
    readonly devices: boolean;
    readonly ui?: Address | true;
  },
  scenario: Scenario,
): void {
  const { shard, role } = options;
  const refuse = (message: string): never => {
    throw new OperatorError('BAD_OPTIONS', message);
  };
  if (shard !== undefined && role !== undefined) refuse('--shard and --role: expected one of them, found both');
  const isPart = shard !== undefined || role !== undefined;
  if (isPart && options.world !== undefined && options.world !== 'live') {
    refuse(`--world ${options.world}: expected live, which alone has shards`);
  }
  if (isPart && options.profile !== undefined) refuse('--profile: a run in shards has no prediction');
  if (isPart && options.ui !== undefined)
    refuse('--ui: a run in shards cannot be watched on a page, only one of this machine alone');
  if (shard === undefined && options.environment !== undefined) refuse('--environment: only a --shard looks for one');
  if (role === undefined && options.listen !== undefined) refuse('--listen: only --role environment listens');
  if (!isPart && options.wait !== undefined) refuse('--wait: only a --shard and --role environment wait for others');
  if (!isPart && options.startAt !== undefined && options.world === 'virtual') {
    refuse('--start-at: the virtual world has no time of day to start at');
  }
  if (shard !== undefined && options.devices) refuse('--devices: give it to --role environment, which writes the file');
  if (isPart) checkShardCount(scenario, shard?.count, `--shard ${shard?.index}/${shard?.count}`);
}

/**
 * Throws an OperatorError (BAD_OPTIONS) for a scenario that cannot be run in so many shards; undefined: how many is not known
 * yet. `option`: what said so.
 */
export function checkShardCount(scenario: Scenario, count: number | undefined, option: string): void {
  if (scenario.replay !== undefined) {
    throw new OperatorError('BAD_OPTIONS', 'replay: a log is replayed by one run, not yet in shards');
  }
  const far = scenario.fleet.filter(({ line }) => line?.by === 'kernel').map(({ id }) => id);
  if (far.length > 0) {
    throw new OperatorError(
      'BAD_OPTIONS',
      `fleet ${far.join(', ')}: a line by the kernel leads to nodes of the same machine, which a shard may not have (by: process goes anywhere)`,
    );
  }
  const devices = deviceCount(scenario);
  if (count === undefined || count <= devices) return;
  const message = `${option}: expected at most ${formatCount(devices)} shards, one for each device`;
  throw new OperatorError('BAD_OPTIONS', message);
}

/** Time to start nodes and a CDN; and for a shard, which has none, to find its environment. */
const startingMs = 5000;
const joiningMs = 2000;
/** How fast a fleet connects before a window. */
const connectsPerMs = 5;

/**
 * Reads `--start-at`: a whole second, far enough from now that nodes can start and the fleet can connect. In epoch ms;
 * undefined when it was not given. Throws an OperatorError (BAD_START).
 */
export function startAt(
  text: string | undefined,
  scenario: Scenario,
  isShard = false,
  nowMs = Date.now(),
): number | undefined {
  if (text === undefined) return undefined;
  const refuse = (found: string): OperatorError =>
    new OperatorError(
      'BAD_START',
      `--start-at ${text}: expected a time such as 2026-11-28T12:00:00Z, or whole seconds of the epoch, ${found}`,
    );
  const isIso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/.test(text);
  if (!isIso && !/^\d{1,10}$/.test(text)) throw refuse('found neither');
  if (isIso && !/(Z|[+-]\d\d:\d\d)$/.test(text)) throw refuse('found one without its time zone (Z, or +01:00)');
  const epochMs = isIso ? Date.parse(text) : Number(text) * 1000;
  if (Number.isNaN(epochMs)) throw refuse('found one that is in no calendar');
  if (epochMs % 1000 !== 0) throw refuse('found one with a fraction of a second');
  const neededMs =
    (isShard ? joiningMs : startingMs) + (scenario.live === undefined ? 0 : deviceCount(scenario) / connectsPerMs);
  const leftMs = epochMs - nowMs;
  if (leftMs < 0) throw refuse(`found one that was ${formatDuration(-leftMs)} ago`);
  if (leftMs < neededMs) {
    const tasks = [isShard ? 'find the environment' : 'start nodes', ...(scenario.live ? ['connect all devices'] : [])];
    const what = `to ${tasks.join(' and ')}`;
    throw refuse(`at least ${formatDuration(neededMs)} from now (${what}), found one in ${formatDuration(leftMs)}`);
  }
  return epochMs;
}
