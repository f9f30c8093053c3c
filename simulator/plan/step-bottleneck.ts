// What was full in a step, and whether somebody gave that limit or this machine showed it.

import { availableParallelism } from 'node:os';
import { formatBitsPerSecond } from '../../common/units.ts';
import { measuredBottleneck } from '../judge/bottleneck.ts';
import type { Run } from '../result/result.ts';
import type { Bottleneck, StepLoad } from '../result/saturation.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { measuredColumns } from './step-load.ts';
import { receivedBitsPerSecond, utilizations } from './utilization.ts';

type Unjudged = Omit<Run, 'expectations'>;

/** Share of the machine's cores from which on they count as full, everything on it together; as for the other limits. */
const fullCoresRatio = 0.85;

/** Undefined when nothing was full: then it is times that did not hold, or what is full is on another machine. */
export function liveBottleneck(scenario: Scenario, run: Unjudged, load: StepLoad): Bottleneck | undefined {
  const cores = availableParallelism();
  const { columns } = measuredColumns(run);
  const { generatorLimits = [] } = run;
  if (generatorLimits.length > 0) {
    const text = `the load generator: ${generatorLimits.join('; ')}; ${coresText(load, cores)}`;
    return { name: 'generator', basis: 'measured', text };
  }
  const name = measuredBottleneck(utilizations(scenario, columns, cores), receivedBitsPerSecond(columns));
  const { nodeCores = 0, cdnCores = 0, generatorCores = 0, otherCores = 0 } = load;
  const inUse = nodeCores + cdnCores + generatorCores + otherCores;
  if (name === 'machine.cpu' || (name === undefined && inUse >= fullCoresRatio * cores)) {
    return { name: 'machine.cpu', basis: 'measured', text: `the processor of this machine: ${coresText(load, cores)}` };
  }
  if (name === undefined) return undefined;
  const id = /^node\.(.+)\.limit$/.exec(name)?.[1];
  const limit = scenario.nodes.find((node) => node.id === id)?.limit?.egressBytesPerMs;
  const rate = id === undefined ? scenario.cdn.egressBytesPerMs : limit;
  const what = id === undefined ? 'the egress of the CDN' : `the egress limit of node ${id}`;
  return { name, basis: 'given', text: `${what}, ${formatBitsPerSecond((rate ?? 0) * 8000)}` };
}

/** The limit that bound most bytes in the model. */
export function virtualBottleneck({ limits }: Pick<Run, 'limits'>): Bottleneck | undefined {
  const [most] = [...(limits ?? [])].sort((a, b) => b.boundRatio - a.boundRatio);
  if (most === undefined || most.boundRatio === 0) return undefined;
  const { name, capacity, unit, basis, boundRatio } = most;
  const size =
    capacity === undefined ? '' : unit === 'cores' ? `, ${capacity} cores` : `, ${formatBitsPerSecond(capacity)}`;
  return { name, basis, text: `${name}${size}, for ${(boundRatio * 100).toFixed(1)} % of the bytes` };
}

function coresText({ nodeCores, cdnCores, generatorCores, otherCores }: StepLoad, cores: number): string {
  const parts: readonly (readonly [string, number | undefined])[] = [
    ['nodes', nodeCores],
    ['CDN', cdnCores],
    ['devices', generatorCores],
    ['other programs', otherCores],
  ];
  const known = parts.flatMap(([what, value]) => (value === undefined ? [] : [`${what} ${value.toFixed(2)}`]));
  const total = parts.reduce((sum, [, value]) => sum + (value ?? 0), 0);
  return `${total.toFixed(2)} of ${cores} cores in use (${known.join(', ')})`;
}
