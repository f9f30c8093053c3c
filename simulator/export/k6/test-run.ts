// The manifest for k6's operator: a TestRun that lets several pods run parts of the script.

import { stringify } from 'yaml';
import { virtualUsersMax } from './k6-scenarios.ts';
import type { ExportedScenario } from './script/exported-scenario.ts';

/** A pod with as many virtual users needs about a processor and some GB. */
const virtualUsersPerPod = 2000;

/** The script refuses it: it is no address. */
const notSet = 'SET THIS: http://host[:port]';

export type TestRunNames = {
  /** Of the resource and of the ConfigMap. */
  readonly name: string;
  readonly scriptFile: string;
};

/** A name that Kubernetes takes, also as key of a ConfigMap: lower case letters, digits and `-`, at most 50 of them. */
export function resourceName(fileName: string): string {
  const name = fileName.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return name.slice(0, 50).replaceAll(/^-+|-+$/g, '') || 'scenario';
}

/** YAML, with the commands that it needs in its comments. */
export function testRunManifest(exported: ExportedScenario, { name, scriptFile }: TestRunNames): string {
  const parallelism = Math.max(1, Math.ceil(virtualUsersMax(exported.groups) / virtualUsersPerPod));
  const addresses = [...Object.values(exported.nodes), ...(exported.cdn === null ? [] : [exported.cdn])];
  const manifest = {
    apiVersion: 'k6.io/v1alpha1',
    kind: 'TestRun',
    metadata: { name },
    spec: {
      parallelism,
      script: { configMap: { name, file: scriptFile } },
      runner: {
        env: [
          ...addresses.map(({ variable, url }) => ({ name: variable, value: url ?? notSet })),
          { name: 'PODS', value: String(parallelism) },
        ],
      },
    },
  };
  return `# ${exported.name.replaceAll(/\s+/g, ' ')}
#
#   kubectl create configmap ${name} --from-file=${scriptFile}
#   kubectl apply -f testrun.yaml
#
# PODS says the same as parallelism: with more than one, sums over the fleet are no thresholds of a pod; docs/k6.md of the
# project that wrote this says how to add up what the pods print. Each group needs as many devices as there are pods.
${stringify(manifest)}`;
}
