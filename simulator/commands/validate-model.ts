// `sim validate-model`: how far the model is from the real thing, on this machine, in scenarios that no fit has seen.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Command } from 'commander';
import { repositoryRoot } from '../../common/child-program.ts';
import { exitCodes, OperatorError } from '../../common/errors.ts';
import { measuredBottleneck, type PredictionError, predictionError } from '../judge/bottleneck.ts';
import { comparePrediction, type PredictedMetric } from '../judge/prediction.ts';
import { receivedBitsPerSecond, utilizations } from '../plan/utilization.ts';
import type { Run } from '../result/result.ts';
import { loadScenario } from '../scenario/load.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { runVirtual } from '../world/virtual/virtual-world.ts';
import { carryOut } from './carry-out.ts';
import { machineProfile, machineProfileName } from './machine-profile.ts';

type Options = { readonly profile?: string; readonly json: boolean };

/** What one scenario told. */
type Validated = {
  readonly name: string;
  readonly metrics: readonly PredictedMetric[];
  readonly error: PredictionError | undefined;
  readonly predictedLimit: string;
  readonly measuredLimit: string;
  readonly isLimitRight: boolean;
};

/** `group.….requests` and `….demand`: nothing was full. */
const nothingFull = 'nothing is full';

export function addValidateModelCommand(program: Command): void {
  program
    .command('validate-model')
    .summary('compare the model with real runs on this machine')
    .description(
      'Runs a fixed set of small scenarios live, none of which calibration has used, predicts each by the profile of this ' +
        'machine, and prints how far the predictions are off: |ln(predicted ÷ measured)|, and whether the bottleneck was right.',
    )
    .argument('[scenario...]', 'other scenarios than scenarios/validation/*.yaml')
    .option('--profile <file>', 'profile of this machine, by sim calibrate', machineProfileName)
    .option('--json', 'print everything as JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sim calibrate && sim validate-model                 about three and a half minutes; let the machine have nothing else to do
  $ sim validate-model scenarios/failover.yaml          one of your own

Exit codes: 0 all were compared, 2 bad usage, 3 a run could not be carried out, 130 interrupted.`,
    )
    .action(validateModel);
}

async function validateModel(paths: readonly string[], options: Options): Promise<void> {
  const file = options.profile ?? machineProfileName;
  if (!existsSync(file)) {
    throw new OperatorError(
      'NO_PROFILE',
      `${file}: expected the profile of this machine, found none; run sim calibrate.`,
    );
  }
  const machine = machineProfile(file) as HardwareProfile;
  const scenarios = (paths.length > 0 ? paths : shippedScenarios()).map((path) => loadScenario(path).scenario);
  await carryOut(undefined, { quiet: false }, async (signal, progress) => {
    const all: Validated[] = [];
    for (const [index, scenario] of scenarios.entries()) {
      progress.showLine(`${index + 1} of ${scenarios.length}  ${scenario.name}`, scenario.name);
      const validated = await validate(scenario, machine, signal);
      if (validated === undefined) break;
      all.push(validated);
    }
    progress.end();
    if (options.json) process.stdout.write(`${JSON.stringify({ profile: machine, scenarios: all }, null, 1)}\n`);
    else process.stdout.write(report(all));
    if (signal.aborted) process.exitCode = exitCodes.interrupted;
  });
}

function shippedScenarios(): string[] {
  const folder = join(repositoryRoot, 'scenarios', 'validation');
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

/** Undefined when it was interrupted. */
async function validate(
  scenario: Scenario,
  machine: HardwareProfile,
  signal: AbortSignal,
): Promise<Validated | undefined> {
  const { runLive } = await import('../world/live/live-world.ts');
  const live = await runLive(scenario, { signal, onProgress: () => undefined, deviceRows: false });
  if (live.interrupted) return undefined;
  if (live.broken !== undefined) throw new OperatorError('NOT_CARRIED_OUT', `${scenario.name}: ${live.broken}`, 3);
  const { run: prediction } = await runVirtual(scenario, { machine, signal });
  const metrics = comparePrediction(prediction.metrics, live.run.metrics);
  const predictedLimit = predictedBottleneck(prediction);
  const { columns } = live.run.series;
  const limits = utilizations(scenario, columns, machine.cores);
  const measuredLimit = measuredBottleneck(limits, receivedBitsPerSecond(columns)) ?? nothingFull;
  return {
    name: scenario.name.replace(/^Validation: /, ''),
    metrics,
    error: predictionError(metrics.map(({ lnRatio }) => lnRatio)),
    predictedLimit,
    measuredLimit,
    isLimitRight: predictedLimit === measuredLimit,
  };
}

/** The limit that bound most bytes in the model. */
function predictedBottleneck({ limits }: Omit<Run, 'expectations'>): string {
  const [most] = [...(limits ?? [])].sort((a, b) => b.boundRatio - a.boundRatio);
  if (most === undefined || /^group\..*\.(requests|demand|unlimited)$/.test(most.name)) return nothingFull;
  return most.name;
}

/** Fits 80 columns; the worst metrics, whose names are long, follow as a list. */
function report(all: readonly Validated[]): string {
  const table = new Table({
    head: ['scenario', 'n', 'median', 'worst', 'bottleneck'],
    style: { head: [], border: [], compact: true },
    colWidths: [37, 4, 8, 8, 18],
    wordWrap: true,
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const { name, error, measuredLimit, isLimitRight } of all) {
    const limit = isLimitRight ? measuredLimit : 'wrong, see below';
    table.push([name, error?.count ?? 0, error?.median.toFixed(3) ?? '', error?.worst.toFixed(3) ?? '', limit]);
  }
  const overall = predictionError(all.flatMap(({ metrics }) => metrics.map(({ lnRatio }) => lnRatio)));
  const right = all.filter(({ isLimitRight }) => isLimitRight).length;
  const lines = [table.toString(), 'Off by |ln(predicted ÷ measured)|: 0.05 is 5 %.', '', 'Farthest off'];
  for (const { name, metrics } of all) {
    const [worst] = [...metrics].sort((a, b) => Math.abs(b.lnRatio) - Math.abs(a.lnRatio));
    if (worst !== undefined) lines.push(`  ${name}`, `      ${worst.name} ${signed(worst.lnRatio)}`);
  }
  const wrong = all.filter(({ isLimitRight }) => !isLimitRight);
  if (wrong.length > 0) lines.push('', 'Bottleneck');
  for (const { name, predictedLimit, measuredLimit } of wrong) {
    lines.push(`  ${name}`, `      predicted ${predictedLimit}, measured ${measuredLimit}`);
  }
  if (overall !== undefined) {
    lines.push(
      '',
      `All ${overall.count} metrics: median ${overall.median.toFixed(3)}, 95 % within ${overall.p95.toFixed(3)}, ` +
        `worst ${overall.worst.toFixed(3)},`,
      `bias ${signed(overall.bias)}; the bottleneck was right in ${right} of ${all.length}.`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(3)}`;
