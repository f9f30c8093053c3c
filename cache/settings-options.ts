// Every option of `sim node`, once: its flag, its help, its default and the variable that says the same. The command
// line, `--print-config` and the test of docs/node.md are made from this table.

import { Command, Option } from 'commander';

/** An option as it was given: undefined when it was not. */
export type RawOptions = { readonly [name: string]: string | readonly string[] | boolean | undefined };

export type OptionSpec = {
  readonly name: string;
  /** What follows the name, such as `<address:port>`; none for a switch. */
  readonly argument?: string;
  readonly repeats?: boolean;
  readonly help: string;
  /** What holds when neither option nor variable is given, as it would be written. */
  readonly byDefault?: string;
  /** Replaces `byDefault` when the module's drives are given by STORAGE_N_SIZE_GB. */
  readonly byDefaultInModule?: string;
  /** A documented variable of the module with the same meaning. */
  readonly variable?: string;
};

/** Options by what they are about, in the order of the help. */
export const optionGroups = {
  'Serving clients': [
    {
      name: 'listen',
      argument: '<address:port>',
      help: 'where clients connect; port 0 picks a free one',
      byDefault: '127.0.0.1:8081',
      byDefaultInModule: '0.0.0.0:8081',
    },
    {
      name: 'admin',
      argument: '<address:port>',
      help: 'where numbers and health are served',
      byDefault: '127.0.0.1:0',
    },
    {
      name: 'name',
      argument: '<name>',
      help: 'how the node calls itself in Via and Cache-Status',
      byDefault: 'cache-node',
    },
    {
      name: 'workers',
      argument: '<n>',
      help: 'processes that hold connections (default: cores, or more for --max-connections)',
    },
    {
      name: 'max-connections',
      argument: '<n>',
      help: 'connections held at once, over all workers',
      byDefault: '10000',
    },
    {
      name: 'max-connections-per-address',
      argument: '<n>',
      help: 'connections of one client address held at once, or off (an office sits behind one address)',
      byDefault: 'off',
    },
    { name: 'limit-egress', argument: '<rate>', help: 'the most body bytes sent per second, such as "1 Gbit/s"' },
    {
      name: 'header-timeout',
      argument: '<duration>',
      help: 'how long a request head may take to arrive',
      byDefault: '20s',
    },
    {
      name: 'idle-timeout',
      argument: '<duration>',
      help: 'how long a connection may wait for its next request',
      byDefault: '120s',
    },
    {
      name: 'min-rate',
      argument: '<rate>',
      help: 'a client that reads slower than this over 60 s is cut; or off',
      byDefault: '1000B/s',
    },
    {
      name: 'drain',
      argument: '<duration>',
      help: 'how long requests may take to finish after SIGTERM',
      byDefault: '10s',
    },
  ],
  Storing: [
    {
      name: 'drive',
      argument: '<path=size>',
      repeats: true,
      help: 'a cache drive and how much of it may be filled; up to nine times',
      variable: 'STORAGE_N_SIZE_GB',
    },
    {
      name: 'storage-base',
      argument: '<folder>',
      help: 'where the drives of STORAGE_N_SIZE_GB are: FOLDER/cacheN',
      byDefault: '/nginx',
    },
    {
      name: 'keep',
      argument: '<duration>',
      help: 'how long content that nobody asks for is kept',
      byDefault: '30d',
    },
    {
      name: 'force-ttl',
      argument: '<duration>',
      help: 'content is fresh for this long, whatever its origin says; or off',
      byDefault: 'off',
    },
    {
      name: 'key-query',
      argument: '<which>',
      help: 'query arguments that tell objects apart: none, all (but P1 to P4), exact or except:NAME,…',
      byDefault: 'all',
    },
  ],
  'Fetching from upstream': [
    {
      name: 'origin',
      argument: '<host[:port][=address:port]>',
      repeats: true,
      help: 'one more host that may be fetched from, and where it is',
      variable: 'CACHEABLE_CUSTOM_N_HOST',
    },
    {
      name: 'alias',
      argument: '<host=alias>',
      repeats: true,
      help: 'keep content of this host under a name that other hosts may share',
      variable: 'CACHEABLE_CUSTOM_N_CANONICAL',
    },
    {
      name: 'allow-private-origins',
      help: 'listed hosts may resolve to private addresses (documented hosts never may)',
    },
    {
      name: 'upstream-host',
      argument: '<host[:port]>',
      help: 'a parent node to fetch from, instead of the origins',
      variable: 'UPSTREAM_HOST',
    },
    {
      name: 'upstream-proxy',
      argument: '<host:port>',
      help: 'an HTTP proxy for all fetches',
      variable: 'UPSTREAM_PROXY',
    },
    {
      name: 'follow-redirects',
      help: 'follow redirects to hosts that may be fetched from, instead of passing them on',
    },
    {
      name: 'upstream-client-errors',
      argument: '<how>',
      help: "pass on an origin's 4xx to a client that named it by cacheHostOrigin, or make it 502: pass or 502",
      byDefault: '502',
    },
  ],
  'Identity and numbers': [
    { name: 'customer-id', argument: '<guid>', help: 'whose node it is; part of the API key', variable: 'CUSTOMER_ID' },
    { name: 'cache-node-id', argument: '<guid>', help: 'which node it is', variable: 'CACHE_NODE_ID' },
    { name: 'customer-key', argument: '<guid>', help: 'checked and never shown', variable: 'CUSTOMER_KEY' },
    {
      name: 'summary-access',
      argument: '<who>',
      help: 'who may read the summary: local (this machine), key (with the API key) or open',
      byDefault: 'local',
      variable: 'IS_SUMMARY_PUBLIC, IS_SUMMARY_ACCESS_UNRESTRICTED',
    },
    {
      name: 'summary',
      argument: '<address:port>',
      help: 'where the summary report is served, beside the admin address',
    },
    { name: 'summary-key', argument: '<key|@file>', help: 'the API key; default: made of the customer id' },
    { name: 'access-log', argument: '<file|->', help: 'one line of JSON for each request; opened again at SIGHUP' },
    { name: 'access-log-signatures', help: 'log the values of P1 to P4 of signed URLs as they are' },
  ],
  'Running it': [
    { name: 'print-config', help: 'print what was understood, and where each value came from, and end' },
    { name: 'ignore-environment', help: 'read no environment variables' },
    { name: 'ledger', help: 'keep every closed connection for GET /ledger (for simulations: grows without bound)' },
    { name: 'exit-with-parent', help: 'stop when standard input ends' },
  ],
} as const satisfies Readonly<Record<string, readonly OptionSpec[]>>;

/** All options, in the order of the help. */
export const optionSpecs: readonly OptionSpec[] = Object.values(optionGroups).flat();

export type OptionName = (typeof optionGroups)[keyof typeof optionGroups][number]['name'];

const helpColumns = 100;

/** The node's command line; `sim node` is the same program. */
export function nodeCommand(name: string): Command {
  const command = new Command(name)
    .description('Starts a cache node: pulls content from its origins once and serves it to everybody.')
    .usage('[options]')
    .configureHelp({ helpWidth: helpColumns })
    .helpCommand(false)
    .addHelpOption(new Option('-h, --help', 'show this').helpGroup('Running it:'));
  const collect = (value: string, all: readonly string[] | undefined): string[] => [...(all ?? []), value];
  for (const [group, specs] of Object.entries<readonly OptionSpec[]>(optionGroups)) {
    for (const spec of specs) {
      const flags = `--${spec.name}${spec.argument === undefined ? '' : ` ${spec.argument}`}`;
      const byDefault = spec.byDefault === undefined ? '' : ` (default: ${spec.byDefault})`;
      const option = new Option(flags, spec.help + byDefault).helpGroup(`${group}:`);
      command.addOption(spec.repeats === true ? option.argParser(collect) : option);
    }
  }
  return command.addHelpText('after', `\n${afterHelp(name)}`);
}

/** Options by their names, as the command line gave them. */
export function givenOptions(command: Command): RawOptions {
  const given: Record<string, string | readonly string[] | boolean | undefined> = {};
  for (const option of command.options) given[option.name()] = command.getOptionValue(option.attributeName()) as string;
  return given;
}

const afterHelp = (
  name: string,
): string => `Environment (an option wins over its variable; an empty variable counts as not set):
  STORAGE_N_SIZE_GB               size of drive /nginx/cacheN in GB, N from 1 to 9, at least 10
  CACHEABLE_CUSTOM_N_HOST         one more origin, and in CACHEABLE_CUSTOM_N_CANONICAL its alias
  UPSTREAM_HOST, UPSTREAM_PROXY   as --upstream-host, --upstream-proxy
  CUSTOMER_ID, CACHE_NODE_ID, CUSTOMER_KEY
  IS_SUMMARY_PUBLIC, IS_SUMMARY_ACCESS_UNRESTRICTED   True or False

Examples:
  $ ${name} --drive ./cache=20GB
  $ ${name} --listen 0.0.0.0:80 --drive /mnt/a=400GB --drive /mnt/b=400GB --max-connections 35000
  $ ${name} --drive ./cache=1GB --origin download.windowsupdate.com=127.0.0.1:9000   (split DNS)
  $ ${name} --drive ./cache=50GB --upstream-host parent.example                   (nested nodes)
  $ STORAGE_1_SIZE_GB=150 ${name} --print-config                                  (what would be)

All of it, with units and defaults: docs/node.md`;
