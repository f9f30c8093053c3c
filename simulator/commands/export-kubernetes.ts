// `sim export kubernetes`: manifests that run a scenario over a cluster, each shard on a machine of its own.

import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { OperatorError } from '../../common/errors.ts';
import { formatCount } from '../../common/units.ts';
import { type LoadedScenario, loadScenario } from '../scenario/load.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { deviceCount } from '../world/fleet-plan.ts';
import { kubernetesManifests } from './kubernetes-manifests.ts';

type Options = {
  readonly shards: number;
  readonly image: string;
  readonly name?: string;
  readonly seed?: string;
  readonly set: readonly string[];
  readonly shardCores: number;
};

const imageDefault = 'delivery-optimization-simulator:latest';

export function addExportKubernetesCommand(parent: Command): void {
  parent
    .command('kubernetes')
    .description('Prints manifests that run a scenario in shards over a Kubernetes cluster.')
    .argument('<scenario>', 'a scenario file')
    .requiredOption('--shards <n>', 'how many parts the fleet is cut into, each a pod', wholeNumber)
    .option('--image <image>', 'an image with sim (simulator/packaging/Dockerfile)', imageDefault)
    .option('--name <name>', 'of everything in the cluster (default: after the file)', dnsName)
    .option('--seed <n>', 'another seed than the file has')
    .option('--set <path=value>', 'changes a value of the file; may be repeated', (v, all: string[]) => [...all, v], [])
    .option('--shard-cores <n>', 'cores that a shard asks for', wholeNumber, 2)
    .addHelpText(
      'after',
      `
Examples:
  $ docker build -f simulator/packaging/Dockerfile -t registry.example/sim:1 . && docker push registry.example/sim:1
  $ sim export kubernetes scenarios/enterprise.yaml --shards 8 --image registry.example/sim:1 > run.yaml
  $ kubectl apply -f run.yaml
  $ kubectl logs --follow --pod-running-timeout=10m job/enterprise-environment | sed -n '/^{$/,/^}$/p' > result.json
  $ kubectl delete -f run.yaml`,
    )
    .action(exportKubernetes);
}

function exportKubernetes(path: string, options: Options): void {
  const sets = options.seed === undefined ? options.set : [...options.set, `seed=${options.seed}`];
  const loaded = loadScenario(path, sets);
  chooseWorlds(loaded.scenario, 'live');
  const devices = deviceCount(loaded.scenario);
  if (options.shards > devices) {
    const expected = `expected at most ${formatCount(devices)}, one for each device`;
    throw new OperatorError('BAD_OPTIONS', `--shards ${options.shards}: ${expected}`);
  }
  const seed = options.seed === undefined ? [] : ['--seed', options.seed];
  const manifests = kubernetesManifests({
    name: options.name ?? nameOf(path),
    image: options.image,
    shards: options.shards,
    scenarioText: loaded.text,
    profiles: profilesBeside(loaded),
    // Kubernetes reads $(NAME) in the words of a command as a variable.
    changes: [...seed, ...options.set.flatMap((set) => ['--set', set])].map((word) =>
      word.replaceAll('$(', () => '$$('),
    ),
    shardCores: options.shardCores,
  });
  process.stdout.write(manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n'));
}

/** Those that the scenario's nodes name and that lie beside it; the others come with the image. */
function profilesBeside({ path, scenario }: LoadedScenario): Record<string, string> {
  const names = new Set(scenario.nodes.flatMap(({ profile }) => profile ?? []));
  const texts: Record<string, string> = {};
  for (const name of names) {
    const file = join(dirname(path), 'profiles', `${name}.yaml`);
    if (existsSync(file)) texts[name] = readFileSync(file, 'utf8');
  }
  return texts;
}

/** The file's name as a name in a cluster. */
function nameOf(path: string): string {
  const words = basename(path)
    .replace(/\.ya?ml$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');
  const name = words.slice(0, nameLengthMax).replaceAll(/^-+|-+$/g, '');
  return /^[a-z]/.test(name) ? name : `run-${name}`.replace(/-$/, '');
}

/** A pod's name adds up to 23 characters, and must stay a label (63). */
const nameLengthMax = 40;

function dnsName(text: string): string {
  if (/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(text) && text.length <= nameLengthMax) return text;
  throw new InvalidArgumentError(
    `Expected at most ${nameLengthMax} lower case letters, digits and hyphens, such as enterprise-1; found "${text}".`,
  );
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`Expected a whole number from 1 on; found "${text}".`);
}
