// The CDN as a program in the foreground: its options, its ready line, and how it ends. `sim cdn` and the program that a
// run starts (`main.ts`) are the same thing.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Address, parseAddress } from '../../common/address.ts';
import { printReady, watchParent } from '../../common/child-program.ts';
import { parseQuantity, quantityExamples } from '../../common/units.ts';
import { startCdn } from './cdn.ts';

/** The options as commander hands them over. */
export type CdnProgramOptions = {
  readonly listen: Address;
  readonly admin: Address;
  readonly latency: number;
  readonly egress?: number;
  readonly cacheControl: string;
  readonly name: string;
  readonly ledger?: boolean;
  readonly exitWithParent?: boolean;
};

const examples = `
Examples:
  $ sim cdn --listen 127.0.0.1:8081 --admin 127.0.0.1:8082
  $ curl -r 0-1048575 http://127.0.0.1:8081/object/feature-update/2000000000 -o piece
  $ sim cdn --latency 20ms --egress "10 Gbit/s" --ledger
  $ curl -X POST -d '{"status":503,"forMs":600000}' http://127.0.0.1:8082/faults
  $ curl -X POST -d '{"id":"feature-update"}' http://127.0.0.1:8082/version
  $ curl http://127.0.0.1:8082/books

Prints one line of JSON when it is ready, logs to standard error, stops on SIGTERM and Ctrl-C.`;

/** Adds the options, and help with examples, to a command. */
export function withCdnOptions(command: Command): Command {
  const anyPort: Address = { host: '127.0.0.1', port: 0 };
  return command
    .description(
      'Content delivery network: serves /object/<id>/<size in bytes>, registered content and the health object',
    )
    .addOption(addressOption('--listen <address:port>', 'where clients ask; port 0 picks a free one', anyPort))
    .addOption(addressOption('--admin <address:port>', 'where books, faults and versions are asked for', anyPort))
    .addOption(
      new Option('--latency <duration>', 'delay before each answer, e.g. 20ms')
        .argParser((text) => quantity(text, 'duration'))
        .default(0, '0 ms'),
    )
    .addOption(
      new Option('--egress <rate>', 'cap over all body bytes, e.g. "10 Gbit/s" (default: none)').argParser((text) =>
        quantity(text, 'rate'),
      ),
    )
    .option('--cache-control <value>', 'Cache-Control of content', 'public, max-age=86400')
    .option('--name <name>', 'name in the Server header and in the log', 'cdn')
    .option('--ledger', 'keep closed connections for GET /ledger (memory grows with each)')
    .option('--exit-with-parent', 'stop when standard input ends')
    .addHelpText('after', examples);
}

/** Serves until it is told to stop. Rejects with an `OperatorError` when it cannot listen. */
export async function runCdn(options: CdnProgramOptions): Promise<void> {
  const { name } = options;
  const cdn = await startCdn({
    listen: options.listen,
    admin: options.admin,
    latencyMs: options.latency,
    egressBytesPerMs: options.egress,
    ledger: options.ledger,
    name,
    cacheControl: options.cacheControl,
  });
  const stopped = new Promise<string>((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
    if (options.exitWithParent) watchParent(() => resolve('its parent is gone'));
  });
  printReady(cdn.listen, cdn.admin);
  log(name, `serves on ${cdn.listen}, admin on ${cdn.admin}`);
  const reason = await stopped;
  await cdn.stop();
  const { requestCount, bodyBytes } = cdn.books();
  log(name, `stopped (${reason}) after ${requestCount} requests and ${bodyBytes} body bytes`);
  process.stdin.pause();
}

function log(name: string, text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${name}: ${text}\n`);
}

function addressOption(flags: string, description: string, anyPort: Address): Option {
  const parse = (text: string): Address => {
    const address = parseAddress(text);
    if (address === undefined)
      throw new InvalidArgumentError(`Expected address:port, such as 127.0.0.1:8081 or [::1]:0; found "${text}".`);
    return address;
  };
  return new Option(flags, description).argParser(parse).default(anyPort, '127.0.0.1:0');
}

function quantity(text: string, kind: 'duration' | 'rate'): number {
  const value = parseQuantity(text, kind);
  if (value === undefined || value < 0 || (kind === 'rate' && value === 0)) {
    throw new InvalidArgumentError(`Expected ${quantityExamples[kind]}; found "${text}".`);
  }
  return value;
}
