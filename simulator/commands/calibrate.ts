// `sim calibrate`: measures a node, and writes what its machine can do as a hardware profile.

import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Address, parseAddress } from '../../common/address.ts';
import { errorCode, exitCodes, OperatorError } from '../../common/errors.ts';
import { formatBitsPerSecond, parseQuantity, quantityExamples } from '../../common/units.ts';
import type { Calibration } from '../calibration/calibration.ts';
import type { CalibrationProgress, MeasureOptions } from '../calibration/own-node.ts';
import { isUntouched, profileText } from '../calibration/profile-text.ts';
import { thisMachine } from '../result/machine.ts';
import { toolVersion } from '../result/tool-version.ts';
import { writeWhole } from '../result/write-whole.ts';
import { calibrationTable } from './calibration-table.ts';
import { carryOut } from './carry-out.ts';
import { wholeNumber } from './option-values.ts';

type CalibrateOptions = {
  readonly out: string;
  readonly quick: boolean;
  readonly seconds?: number;
  readonly url?: Address;
  readonly object?: string;
  readonly host?: string;
  readonly size?: number;
  readonly connections: number;
  readonly force: boolean;
  readonly json: boolean;
};

const quickSeconds = 20;
const defaultSeconds = 60;
const otherNodeSeconds = 20;

const examples = `
Examples:
  $ sim calibrate                                      this machine, in about a minute
  $ sim calibrate --quick --out profiles/laptop.yaml   in about 25 seconds, with fewer experiments
  $ sim calibrate --url http://192.0.2.7 --object /files/update.cab --host dl.example --size "500 MB"

Measures by small live runs what node, clients and CDN take of the processor for hits and misses, how long a request
takes, and how throughput changes with the number of connections. Let the machine have nothing else to do meanwhile.

--url measures a node that is there already, from its clients' side only: its highest throughput, its latency, and both
against connections. It is asked for the first 64 MiB of the object at the most, by --connections at the most, for --seconds.

Exit codes: 0 written, 2 bad usage, 3 could not be carried out, 130 interrupted (nothing is written).`;

export function addCalibrateCommand(program: Command): void {
  program
    .command('calibrate')
    .summary('measure a node, and write a hardware profile')
    .description('Measures a node on this machine (or another one), and writes what it can do as a hardware profile.')
    .option('--out <file>', 'where the profile goes', 'machine-profile.yaml')
    .option('--quick', 'fewer experiments', false)
    .addOption(
      new Option(
        '--seconds <n>',
        `time for all experiments (default: ${defaultSeconds}; with --url ${otherNodeSeconds})`,
      )
        .argParser(wholeNumber('a number of seconds from 5 to 3600', 5, 3600))
        .conflicts('quick'),
    )
    .addOption(
      new Option('--url <url>', 'a node that is there already, e.g. http://192.0.2.7:8081').argParser(nodeAddress),
    )
    .option('--object <path>', 'with --url: path of an object that the node can serve, e.g. /files/update.cab')
    .option('--host <host>', 'with --url: the host of its origin')
    .addOption(new Option('--size <bytes>', 'with --url: its size, e.g. "500 MB"').argParser(size))
    .addOption(
      new Option('--connections <n>', 'with --url: at most so many at once')
        .argParser(wholeNumber('a number of connections from 1 to 1000', 1, 1000))
        .default(64),
    )
    .option('--force', 'overwrite a profile that was not written by this command, or was edited since', false)
    .option('--json', 'print the calibration as JSON instead of a table', false)
    .addHelpText('after', examples)
    .action(run);
}

async function run(options: CalibrateOptions): Promise<void> {
  refuseOverwriting(options);
  const startedAt = new Date();
  await carryOut(dirname(options.out), { quiet: false }, async (signal, progress) => {
    const calibration = await measure(options, startedAt, {
      signal,
      onProgress: (state) => progress.showLine(progressText(state), state.what),
    });
    progress.end();
    if (calibration === undefined) {
      process.stderr.write('Interrupted: no profile was written.\n');
      process.exitCode = exitCodes.interrupted;
      return;
    }
    writeWhole(options.out, profileText(calibration, about(startedAt)));
    const text = options.json
      ? `${JSON.stringify({ ...calibration, machine: thisMachine(), startedAt: startedAt.toISOString() }, null, 1)}\n`
      : `${calibrationTable(calibration)}\nProfile in ${options.out}\n`;
    process.stdout.write(text);
  });
}

async function measure(
  options: CalibrateOptions,
  startedAt: Date,
  how: MeasureOptions,
): Promise<Calibration | undefined> {
  const id = basename(options.out).replace(/\.ya?ml$/i, '');
  const source = `sim calibrate, ${startedAt.toISOString().slice(0, 10)}`;
  const { url: node, object: path, host, size: sizeBytes, connections: connectionsMax } = options;
  if (node === undefined) {
    const { planExperiments } = await import('../calibration/experiment.ts');
    const { measureOwnNode } = await import('../calibration/own-node.ts');
    const { calibrate } = await import('../calibration/calibration.ts');
    const plan = planExperiments(options.quick ? quickSeconds : (options.seconds ?? defaultSeconds));
    const observations = await measureOwnNode(plan, how);
    return observations === undefined ? undefined : calibrate(observations, id, source);
  }
  if (path === undefined || host === undefined || sizeBytes === undefined) {
    const missing = Object.entries({ '--object': path, '--host': host, '--size': sizeBytes }).filter(([, v]) => !v);
    throw new OperatorError(
      'WHICH_OBJECT',
      `sim calibrate --url: expected an object of the node by --object, --host and --size, found no ` +
        `${missing.map(([name]) => name).join(', ')}. Example: --object /files/update.cab --host dl.example --size "500 MB"`,
    );
  }
  const seconds = options.seconds ?? (options.quick ? otherNodeSeconds / 2 : otherNodeSeconds);
  const { measureOtherNode } = await import('../calibration/other-node.ts');
  return await measureOtherNode({ node, object: { path, host, sizeBytes }, seconds, connectionsMax }, id, source, how);
}

/** Before anything is measured. */
function refuseOverwriting({ out, force }: CalibrateOptions): void {
  if (force || !existsSync(out)) return;
  let found: string | undefined;
  try {
    if (!isUntouched(readFileSync(out, 'utf8'))) found = 'a file that was edited, or written by something else';
  } catch (error) {
    found = errorCode(error);
  }
  if (found === undefined) return;
  throw new OperatorError(
    'WOULD_OVERWRITE',
    `--out ${out}: expected no file, or a profile as sim calibrate wrote it; found ${found}. Choose another name, or ` +
      'overwrite it by --force.',
  );
}

function about(startedAt: Date): string[] {
  const { cpu, cores, os, node } = thisMachine();
  return [
    `${startedAt.toISOString()}, sim ${toolVersion}, Node ${node}; measured from ${cpu}, ${cores} cores, ${os}.`,
    'Edit it if you like: sim calibrate then asks for --force before it overwrites the file.',
  ];
}

function progressText({ step, stepCount, what, bitsPerSecond }: CalibrationProgress): string {
  const rate = bitsPerSecond === undefined || bitsPerSecond === 0 ? '' : `  ${formatBitsPerSecond(bitsPerSecond)}`;
  return `${step} of ${stepCount}  ${what}${rate}`;
}

function size(text: string): number {
  const value = parseQuantity(text, 'bytes');
  if (value !== undefined && value >= 1) return value;
  throw new InvalidArgumentError(`Expected ${quantityExamples.bytes}; found "${text}".`);
}

function nodeAddress(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare = url?.protocol === 'http:' && url.pathname === '/' && url.search === '';
  const address = isBare ? parseAddress(`${url.hostname}:${url.port === '' ? 80 : url.port}`) : undefined;
  if (address !== undefined) return address;
  throw new InvalidArgumentError(`Expected http://host or http://host:port; found "${text}".`);
}
