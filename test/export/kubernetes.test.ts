// What `sim export kubernetes` prints, held against the published schemas of Kubernetes and against sim itself.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../../common/child-program.ts';
import { parseScenario } from '../../simulator/scenario/load.ts';
import { checkProfile } from '../../simulator/scenario/load-profile.ts';

type Json = Record<string, unknown>;

function exported(...words: readonly string[]): { readonly status: number | null; out: string; said: string } {
  const sim = [join(repositoryRoot, 'simulator/sim.js'), 'export', 'kubernetes', ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, sim, { cwd: repositoryRoot, encoding: 'utf8' });
  return { status, out: stdout, said: stderr };
}

const documentsOf = (text: string): Json[] => parseAllDocuments(text).map((document) => document.toJS() as Json);

function validate(document: Json): void {
  if (document['kind'] === 'Job') new Job(document as never).validate();
  else if (document['kind'] === 'Service') new Service(document as never).validate();
  else if (document['kind'] === 'ConfigMap') new ConfigMap(document as never).validate();
  else throw new Error(`a kind that was not expected: ${String(document['kind'])}`);
}

describe('sim export kubernetes', () => {
  const { status, out } = exported(
    ...['scenarios/enterprise.yaml', '--shards', '8', '--image', 'registry.example/sim:1'],
    ...['--seed', '9', '--set', 'name=$(HOME) sweet home'],
  );
  const documents = documentsOf(out);
  const [configMap, service, environment, shards] = documents as unknown as [ConfigMap, Service, Job, Job];

  test('prints a ConfigMap, a Service and two Jobs that the schemas of Kubernetes accept', () => {
    expect(status).toBe(0);
    expect(documents.map(({ kind, apiVersion }) => `${String(apiVersion)} ${String(kind)}`)).toEqual([
      'v1 ConfigMap',
      'v1 Service',
      'batch/v1 Job',
      'batch/v1 Job',
    ]);
    for (const document of documents) validate(document);
  });

  test('takes four shards when nobody says how many, and no more than there are devices', () => {
    const completions = (...words: string[]): unknown =>
      (documentsOf(exported('scenarios/smoke.yaml', ...words).out) as unknown as Job[])[3]?.spec?.completions;
    expect(completions()).toBe(4);
    expect(completions('--set', 'fleet.0.devices=3')).toBe(3);
  });

  test.each([
    ['a container without a name', '- name: shard', '- title: shard'],
    ['a count that is a word', 'completions: 8', 'completions: eight'],
    ['a port that is a word', 'port: 7070', 'port: seventy'],
    ['a Job without a template', 'template:', 'templates:'],
    ['a mount without a path', 'mountPath: /results', 'mountPaths: /results'],
  ])('the schemas would refuse %s', (_what, right, wrong) => {
    expect(out).toContain(right);
    expect(() => documentsOf(out.replaceAll(right, wrong)).forEach(validate)).toThrow();
  });

  const containerOf = (job: Job) => job.spec?.template.spec?.containers[0];

  test('the shards are an indexed Job, one pod a shard, that find the environment by the name of the Service', () => {
    expect(shards.spec).toMatchObject({ completionMode: 'Indexed', completions: 8, parallelism: 8, backoffLimit: 0 });
    const words = containerOf(shards)?.args ?? [];
    expect(words.join(' ')).toContain(`--shard $(SHARD)/8 --environment ${service.metadata?.name}:7070`);
    expect(containerOf(shards)?.env?.map(({ name }) => name)).toEqual(['SHARD']);
    expect(service.spec).toMatchObject({ clusterIP: 'None', ports: [{ port: 7070 }] });
    expect(environment.spec?.template.metadata?.labels).toMatchObject(service.spec?.selector ?? { none: 'none' });
    expect(shards.spec?.template.metadata?.labels).not.toMatchObject(service.spec?.selector ?? {});
    expect(containerOf(environment)?.args?.join(' ')).toContain('--role environment --listen 0.0.0.0:7070');
  });

  test('both have the same scenario, with its profile, and the same changes', () => {
    for (const job of [environment, shards]) {
      const words = containerOf(job)?.args ?? [];
      expect(words.slice(0, 2)).toEqual(['run', '/scenario/scenario.yaml']);
      // $$( is how Kubernetes writes $( that is no variable.
      expect(words.slice(-6)).toEqual(['--seed', '9', '--set', 'name=$$(HOME) sweet home', '--out', '/results']);
      const volume = job.spec?.template.spec?.volumes?.find(({ name }) => name === 'scenario')?.configMap;
      expect(volume?.name).toBe(configMap.metadata?.name);
      expect(volume?.items).toContainEqual({
        key: 'profile-large-enterprise.yaml',
        path: 'profiles/large-enterprise.yaml',
      });
    }
    const data = configMap.data ?? {};
    const { scenario } = parseScenario(data['scenario.yaml'] ?? '', join(repositoryRoot, 'scenarios/x.yaml'));
    expect(scenario.name).toBe('Large enterprise, 35,000 devices');
    expect(checkProfile(data['profile-large-enterprise.yaml'] ?? '', 'x.yaml').mistakes).toEqual([]);
  });

  test.each([
    [['scenarios/smoke.yaml', '--shards', '501'], '--shards 501: expected at most 500 shards, one for each device'],
    [['scenarios/replay.yaml', '--shards', '1'], 'replay: a log is replayed by one run, not yet in shards'],
    [['scenarios/smoke.yaml', '--shards', 'all'], 'Expected a whole number from 1 to 99999; found "all"'],
    [['scenarios/smoke.yaml', '--shards', '2', '--name', 'Run 1'], 'Expected at most 40 lower case letters'],
    [['scenarios/patch-tuesday.yaml', '--shards', '2'], 'This scenario cannot run in the live world'],
  ])('refuses %j', (words, message) => {
    const refused = exported(...words);
    expect(refused).toMatchObject({ status: 2, out: '' });
    expect(refused.said).toContain(message);
  });
});
