// The cache node's program. The first process is the owner (index, drives, fills, admin); it forks the workers, which
// run this same file and own the clients' connections.

import cluster from 'node:cluster';
import { Command, CommanderError, Option } from 'commander';
import { OperatorError } from '../common/errors.ts';
import { runOwner } from './owner/owner.ts';
import { type RawOptions, readSettings } from './settings.ts';
import { runWorker } from './worker/worker.ts';

/** The node's command line; `sim node` is the same program. */
export function nodeCommand(name: string): Command {
  const collect = (value: string, all: string[]): string[] => [...all, value];
  return new Command(name)
    .description('Starts a cache node: pulls content from its origins once and serves it to everybody.')
    .option('--listen <address:port>', 'where clients connect; port 0 picks a free one', '127.0.0.1:8081')
    .option('--admin <address:port>', 'where numbers and health are served (GET /books, /health)', '127.0.0.1:0')
    .option('--drive <path=size>', 'a cache drive and how much of it may be filled; up to nine times', collect, [])
    .option('--origin <host[=address:port]>', 'one more host that may be fetched from, and where it is', collect, [])
    .option('--workers <n>', 'processes that hold connections (default: cores, or more for --max-connections)')
    .option('--max-connections <n>', 'connections held at once, over all workers', '10000')
    .option('--limit-egress <rate>', 'the most body bytes sent per second, such as "1 Gbit/s"')
    .option('--upstream-host <host[:port]>', 'a parent node to fetch from, instead of the origins')
    .option('--upstream-proxy <host:port>', 'an HTTP proxy for all fetches')
    .option('--key-query <which>', 'query arguments that tell objects apart: none, all or except:NAME,…', 'all')
    .addOption(
      new Option('--upstream-client-errors <how>', "an origin's 4xx for requests with cacheHostOrigin").default('502'),
    )
    .option('--force-ttl <duration>', 'how long answers are fresh whatever their origin says, such as "7 d"')
    .option('--name <name>', 'how the node calls itself in Via and Cache-Status', 'cache-node')
    .option('--ledger', 'keep every closed connection for GET /ledger (for simulations: grows without bound)', false)
    .option('--exit-with-parent', 'stop when standard input ends', false)
    .addHelpText(
      'after',
      `
Examples:
  $ ${name} --drive ./cache=20GB
  $ ${name} --listen 0.0.0.0:80 --drive /mnt/a=400GB --drive /mnt/b=400GB --max-connections 35000
  $ ${name} --drive ./cache=1GB --origin download.windowsupdate.com=127.0.0.1:9000   (split DNS, tests)
  $ ${name} --drive ./cache=50GB --upstream-host parent.example                      (nested nodes)`,
    );
}

async function main(): Promise<void> {
  const command = nodeCommand('sim node').exitOverride();
  try {
    command.parse();
    const settings = readSettings(command.opts<RawOptions>());
    if (cluster.isPrimary) await runOwner(settings);
    else await runWorker(settings);
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
    if (!(error instanceof OperatorError)) throw error;
    process.stderr.write(`cache node: ${error.message}\n`);
    process.exit(error.exitCode);
  }
}

await main();
