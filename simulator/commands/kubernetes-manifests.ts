// One run over a Kubernetes cluster: the scenario as a ConfigMap, nodes and CDN as a Job, the shards as an indexed Job, and a
// headless Service under whose name they find it. Kubernetes schedules, restarts nothing (half a shard is no shard), and
// keeps what the environment printed: the result.

import type { IJob } from 'kubernetes-models/batch/v1/Job';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IService } from 'kubernetes-models/v1/Service';

export type ManifestTerms = {
  /** Of everything; lower case letters, digits and hyphens, at most 40. */
  readonly name: string;
  /** An image with this version of sim (simulator/packaging/Dockerfile). */
  readonly image: string;
  readonly shards: number;
  readonly scenarioText: string;
  /** Texts of hardware profiles beside the scenario, by name. */
  readonly profiles: Readonly<Record<string, string>>;
  /** `--seed` and `--set` with their values. */
  readonly changes: readonly string[];
  /** Whole cores that a shard asks for. */
  readonly shardCores: number;
};

export type Manifest = IConfigMap | IService | IJob;

const controlPort = 7070;
const scenarioFolder = '/scenario';
/** Where Kubernetes writes the index of a pod of an indexed Job. */
const indexField = "metadata.annotations['batch.kubernetes.io/job-completion-index']";

/** In the order in which they are applied. */
export function kubernetesManifests(terms: ManifestTerms): readonly Manifest[] {
  return [configMapOf(terms), serviceOf(terms), environmentOf(terms), shardsOf(terms)];
}

type Part = 'environment' | 'shard';

const labelsOf = (terms: ManifestTerms, part: Part): Record<string, string> => ({
  'app.kubernetes.io/name': 'delivery-optimization-simulator',
  'app.kubernetes.io/instance': terms.name,
  'app.kubernetes.io/component': part,
});

function configMapOf({ name, scenarioText, profiles }: ManifestTerms): IConfigMap {
  const texts = Object.entries(profiles).map(([profile, text]) => [profileKey(profile), text] as const);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { 'scenario.yaml': scenarioText, ...Object.fromEntries(texts) },
  };
}

const profileKey = (profile: string): string => `profile-${profile}.yaml`;

/** Headless: its name stands for the pod itself, so that nodes and CDN are reached on whatever port they have taken. */
function serviceOf(terms: ManifestTerms): IService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: terms.name },
    spec: {
      clusterIP: 'None',
      selector: labelsOf(terms, 'environment'),
      ports: [{ name: 'control', port: controlPort }],
      publishNotReadyAddresses: true,
    },
  };
}

function environmentOf(terms: ManifestTerms): IJob {
  const role = ['--role', 'environment', '--listen', `0.0.0.0:${controlPort}`, '--json'];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${terms.name}-environment` },
    spec: { backoffLimit: 0, template: podOf(terms, 'environment', role, {}) },
  };
}

function shardsOf(terms: ManifestTerms): IJob {
  const shard = ['--shard', `$(SHARD)/${terms.shards}`, '--environment', `${terms.name}:${controlPort}`];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${terms.name}-shards` },
    spec: {
      completionMode: 'Indexed',
      completions: terms.shards,
      parallelism: terms.shards,
      backoffLimit: 0,
      template: podOf(terms, 'shard', shard, {
        env: [{ name: 'SHARD', valueFrom: { fieldRef: { fieldPath: indexField } } }],
        resources: { requests: { cpu: String(terms.shardCores) } },
      }),
    },
  };
}

type Template = NonNullable<IJob['spec']>['template'];
type Container = NonNullable<Template['spec']>['containers'][number];

function podOf(terms: ManifestTerms, part: Part, words: readonly string[], more: Partial<Container>): Template {
  const labels = labelsOf(terms, part);
  const items = [
    { key: 'scenario.yaml', path: 'scenario.yaml' },
    ...Object.keys(terms.profiles).map((profile) => ({ key: profileKey(profile), path: `profiles/${profile}.yaml` })),
  ];
  return {
    metadata: { labels },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      // Parts on one machine would be in each other's way.
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: { 'app.kubernetes.io/instance': terms.name } },
        },
      ],
      containers: [
        {
          name: part,
          image: terms.image,
          args: ['run', `${scenarioFolder}/scenario.yaml`, ...words, ...terms.changes, '--out', '/results'],
          ...more,
          volumeMounts: [
            { name: 'scenario', mountPath: scenarioFolder, readOnly: true },
            { name: 'results', mountPath: '/results' },
            { name: 'temporary', mountPath: '/tmp' },
          ],
        },
      ],
      volumes: [
        { name: 'scenario', configMap: { name: terms.name, items } },
        { name: 'results', emptyDir: {} },
        // The nodes' caches.
        { name: 'temporary', emptyDir: {} },
      ],
    },
  };
}
