import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { buildProgram, runProgram } from '../../simulator/program.ts';
import { allMetrics } from '../../simulator/result/metrics.ts';
import { scenarioJsonSchema } from '../../simulator/scenario/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-program-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

function scenarioFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const good = scenarioFile(
  'good.yaml',
  'name: Good\ncontent: [{ id: a, size: 1 MB }]\nfleet: [{ id: g, devices: 35000, wants: [a] }]\n',
);

/** Runs a command line in this process and collects what it printed. */
async function sim(...words: string[]) {
  let stdout = '';
  let stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += String(chunk);
    return true;
  });
  const exitCode = await runProgram(words);
  vi.restoreAllMocks();
  return { exitCode, stdout, stderr };
}

describe('sim validate', () => {
  it('prints a line for each good file and exits with 0', async () => {
    expect(await sim('validate', good)).toEqual({
      exitCode: 0,
      stdout: `${good}: ok (35,000 devices, 0 nodes, 0 events, 0 expectations)\n`,
      stderr: '',
    });
  });

  it('prints the mistakes of all bad files beside, and exits with 2', async () => {
    const bad = scenarioFile('bad.yaml', 'name: Bad\ncontent: [{ id: a, size: 1 }]\nfleet: []\n');
    const { exitCode, stdout, stderr } = await sim('validate', bad, good, join(folder, 'gone.yaml'));
    expect(exitCode).toBe(2);
    expect(stdout).toContain(`${good}: ok`);
    expect(stderr.replaceAll(folder, '')).toMatchInlineSnapshot(`
      "/bad.yaml:2:26  content.0.size: expected a size above zero with a unit, such as 2 GB, 500 MB or 1 MiB, found the bare number 1
      /bad.yaml:3:8  fleet: expected a list of groups of devices, at least 1, found an empty list
      /bad.yaml: 2 mistakes, nothing was run
      /gone.yaml: expected a scenario file that can be read, found ENOENT; did you mean /good.yaml?
      "
    `);
  });
});

describe('sim validate of a scenario with a log', () => {
  const log = (name: string, text: string): string => {
    scenarioFile(name, text);
    return scenarioFile(`${name}.yaml`, `name: Log\nfleet: [{ id: g }]\nreplay: { log: ${name} }\n`);
  };

  it('looks at its first lines', async () => {
    const line = '10.0.0.1 - - [20/Nov/2026:08:00:01 +0100] "GET /a HTTP/1.1" 206 1048576 "-" "Agent/1.0"\n';
    const { exitCode, stdout } = await sim('validate', log('access.log', `garbage\n${line}`));
    expect(exitCode).toBe(0);
    expect(stdout).toContain('access.log, nginx combined, first request at 2026-11-20T07:00:01.000Z, 0 nodes');
  });

  it('says where they are not what they should be', async () => {
    const { exitCode, stderr } = await sim('validate', log('other.log', 'one\ntwo\n'), log('empty.log', ''));
    expect(exitCode).toBe(2);
    expect(stderr.replaceAll(folder, '')).toBe(
      '/other.log.yaml: replay.log: /other.log:1: expected a line of nginx combined, found "one" (not of the format). ' +
        'Name its log_format by replay.format.\n' +
        '/empty.log.yaml: /empty.log: expected at least one line, found an empty file\n',
    );
  });
});

describe('sim validate of a hardware profile', () => {
  it('knows it by its folder', async () => {
    mkdirSync(join(folder, 'profiles'));
    const profile = scenarioFile('profiles/rack.yaml', 'name: Rack 7\nsource: here\nnic: 10 Gbit/s\n');
    expect(await sim('validate', profile)).toEqual({
      exitCode: 0,
      stdout: `${profile}: ok (hardware profile, Rack 7)\n`,
      stderr: '',
    });
    const bad = scenarioFile('profiles/bad.yaml', 'name: Bad\nsource: here\nnic: 10\n');
    const { exitCode, stderr } = await sim('validate', bad);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('bad.yaml:3:6  nic: expected a rate above zero');
  });
});

describe('sim validate of a capacity plan', () => {
  const plan =
    'payload: 2 GB\ndeadline: 24 h\nsites:\n  - { id: hq, devices: 1000 }\n  - { id: branch, count: 40, devices: 50 }\n';

  it('knows it by its keys, as sim run does', async () => {
    const file = scenarioFile('plan.yaml', plan);
    expect(await sim('validate', file)).toEqual({
      exitCode: 0,
      stdout: `${file}: ok (capacity plan, 41 sites, 3,000 devices)\n`,
      stderr: '',
    });
    expect(await sim('run', file)).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `${file}: expected a scenario (content, nodes, fleet), found a capacity plan. Look for the nodes that it takes with “sim plan ${file}”.\n`,
    });
  });

  it('has its mistakes told as sim plan does', async () => {
    const { exitCode, stderr } = await sim('validate', scenarioFile('bad-plan.yaml', plan.replace('24 h', '24')));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('bad-plan.yaml:2:11  deadline: expected a duration');
    for (const [from, to] of [
      ['deadline: 24 h\n', ''],
      ['payload', 'paylod'],
    ] as const) {
      const bad = await sim('validate', scenarioFile('bad-plan.yaml', plan.replace(from, to)));
      expect(bad.exitCode).toBe(2);
      expect(bad.stderr).toContain(from.startsWith('deadline') ? 'deadline: expected' : 'paylod: expected');
    }
  });
});

describe('sim schema', () => {
  it('prints the JSON Schema', async () => {
    expect(await sim('schema')).toEqual({ exitCode: 0, stdout: scenarioJsonSchema(), stderr: '' });
  });
});

describe('sim metrics', () => {
  it('prints a line for each metric', async () => {
    const { exitCode, stdout } = await sim('metrics');
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(allMetrics().length + 1);
    expect(stdout).toMatch(/^node\.<id>\.hitBytes +bytes +live, virtual +\S/m);
  });

  it('prints the registry with --json', async () => {
    const { stdout } = await sim('metrics', '--json');
    expect(JSON.parse(stdout)).toEqual(allMetrics());
  });
});

describe('sim', () => {
  it.each([
    ['an unknown command', ['validat'], /unknown command 'validat'\n\(Did you mean validate\?\)/],
    ['an unknown option', ['metrics', '--jsn'], /unknown option '--jsn'/],
    ['a missing argument', ['validate'], /missing required argument 'scenario'/],
    ['no command', [], /Usage: sim/],
  ])('exits with 2 on %s', async (_what, words, message) => {
    const { exitCode, stdout, stderr } = await sim(...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it.each([[['--help']], [['validate', '--help']], [['schema', '--help']], [['metrics', '--help']]])(
    'shows help with examples: %s',
    async (words) => {
      const { exitCode, stdout } = await sim(...words);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/Examples:\n {2}sim /);
    },
  );

  it('says that an error of ours is a bug, with its stack, and exits with 3', async () => {
    let stderr = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      stderr += String(chunk);
      return true;
    });
    const program = buildProgram();
    program.command('broken').action(() => {
      throw new TypeError('x is not a function');
    });
    expect(await runProgram(['broken'], program)).toBe(3);
    expect(stderr).toMatch(/this is a bug[\s\S]*TypeError: x is not a function\n {4}at /);
  });
});
