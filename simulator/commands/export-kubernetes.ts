// `sim export kubernetes`: manifests that run a scenario over a cluster, each shard on a machine of its own.

import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { type LoadedScenario, loadScenario } from '../scenario/load.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { deviceCount } from '../world/fleet-plan.ts';
import { kubernetesManifests } from './kubernetes-manifests.ts';
import { type ScenarioOptions, seedOption, setOption, setsOf, wholeNumber } from './option-values.ts';
import { checkShardCount } from './shard-options.ts';

type Options = ScenarioOptions & {
  readonly shards?: number;
  readonly image: string;
  readonly name?: string;
  readonly shardCores: number;
};

const count = wholeNumber('a whole number from 1 to 99999', 1, 99_999);
const shardsDefault = 4;
const imageDefault = 'delivery-optimization-simulator:latest';

export function addExportKubernetesCommand(parent: Command): void {
  parent
    .command('kubernetes')
    .description('Prints manifests that run a scenario in shards over a Kubernetes cluster.')
    .argument('<scenario>', 'a scenario file')
    .option(
      '--shards <n>',
      `how many parts the fleet is cut into, each a pod (default: ${shardsDefault}, or one for each device)`,
      count,
    )
    .option('--image <image>', 'an image with sim (simulator/packaging/Dockerfile)', imageDefault)
    .option('--name <name>', 'of everything in the cluster (default: after the file)', dnsName)
    .addOption(seedOption())
    .addOption(setOption())
    .option('--shard-cores <n>', 'cores that a shard asks for', count, 2)
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
  const loaded = loadScenario(path, setsOf(options));
  chooseWorlds(loaded.scenario, 'live');
  const shards = options.shards ?? Math.max(1, Math.min(shardsDefault, deviceCount(loaded.scenario)));
  checkShardCount(loaded.scenario, shards, `--shards ${shards}`);
  const seed = options.seed === undefined ? [] : ['--seed', options.seed];
  const manifests = kubernetesManifests({
    name: options.name ?? nameOf(path),
    image: options.image,
    shards,
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
