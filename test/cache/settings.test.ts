// What the node makes of its options and of the module's environment variables.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ReadSettings, readSettings } from '../../cache/settings.ts';
import { givenOptions, nodeCommand, optionSpecs } from '../../cache/settings-options.ts';
import { printSettings } from '../../cache/settings-print.ts';
import { documentedVariables } from '../../cache/settings-variables.ts';
import { OperatorError } from '../../common/errors.ts';

type Environment = Readonly<Record<string, string>>;

const read = (environment: Environment, ...args: readonly string[]): ReadSettings =>
  readSettings(givenOptions(nodeCommand('node').exitOverride().parse(args, { from: 'user' })), environment);

function mistakes(environment: Environment, ...args: readonly string[]): readonly string[] {
  try {
    read(environment, ...args);
  } catch (error) {
    if (error instanceof OperatorError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const guid = '01234567-89ab-cdef-0123-456789abcdef';
const drive = ['--drive', '/d=1GB'] as const;
const identity = { CUSTOMER_ID: guid, CACHE_NODE_ID: guid, CUSTOMER_KEY: guid };

describe('the variables of the module', () => {
  it('are all understood', () => {
    const { settings, warnings } = read({
      ...identity,
      STORAGE_1_SIZE_GB: '150',
      STORAGE_9_SIZE_GB: '10',
      UPSTREAM_HOST: 'parent.example',
      UPSTREAM_PROXY: '10.1.2.3:3128',
      CACHEABLE_CUSTOM_1_HOST: 'westus.packages.foo.com:80',
      CACHEABLE_CUSTOM_1_CANONICAL: 'foopackages',
      CACHEABLE_CUSTOM_120_HOST: 'EastUS.packages.foo.com.:8080',
      CACHEABLE_CUSTOM_120_CANONICAL: 'foopackages',
      IS_SUMMARY_PUBLIC: 'TRUE',
      IS_SUMMARY_ACCESS_UNRESTRICTED: 'false',
    });
    expect(warnings).toEqual([]);
    expect(settings).toMatchObject({
      listen: { host: '0.0.0.0', port: 8081 },
      drives: [
        { path: '/nginx/cache1', sizeBytes: 150e9, source: 'STORAGE_1_SIZE_GB' },
        { path: '/nginx/cache9', sizeBytes: 10e9, source: 'STORAGE_9_SIZE_GB' },
      ],
      upstreamHost: { host: 'parent.example', port: 80 },
      upstreamProxy: { host: '10.1.2.3', port: 3128 },
      origins: [
        { host: 'westus.packages.foo.com', port: 80, canonical: 'foopackages', mayBePrivate: false },
        { host: 'eastus.packages.foo.com', port: 8080, canonical: 'foopackages', mayBePrivate: false },
      ],
      customerId: guid,
      cacheNodeId: guid,
      summaryAccess: 'key',
      apiKey: `${guid}__D0508632-1B4D-431C-9EF3-49285AF4DC1F`,
    });
  });

  it.each([
    ['STORAGE_1_SIZE_GB', ['9', '10.5', '150GB', '-20', '0x20', '1e3', '"150"', '010', 'x'], ['10', '9999999']],
    ['CUSTOMER_ID', ['x', `{${guid}}`, guid.slice(1)], [guid, guid.toUpperCase()]],
    ['CACHE_NODE_ID', ['node-1'], [guid]],
    ['CUSTOMER_KEY', [`${guid}0`], [guid]],
    [
      'UPSTREAM_HOST',
      ['http://parent', 'a b', 'user@parent', '2130706433', 'parent:0', 'parent:70000', '::1'],
      ['p', '10.0.0.1', 'p:8081', '[::1]:80'],
    ],
    ['UPSTREAM_PROXY', ['proxy', 'http://proxy:3128', 'proxy:0'], ['proxy:3128']],
    ['IS_SUMMARY_ACCESS_UNRESTRICTED', ['yes', '1', 'on'], ['True', 'FALSE', 'false']],
  ])('%s: wrong values are named with what was expected, right ones are taken', (name, wrong, right) => {
    for (const value of wrong) {
      const found = mistakes({ [name]: value }, ...drive).filter((line) => line.startsWith(`${name}: expected `));
      expect([value, found.length]).toEqual([value, 1]);
      expect(found[0]).toContain(
        name === 'CUSTOMER_KEY' ? 'found a secret of 37 characters' : `found ${JSON.stringify(value)}`,
      );
    }
    for (const value of right) expect([value, mistakes({ [name]: value }, ...drive)]).toEqual([value, []]);
  });

  it.each([
    ['STORAGE_10_SIZE_GB', 'STORAGE_1_SIZE_GB to STORAGE_9_SIZE_GB'],
    ['STORAGE_0_SIZE_GB', 'STORAGE_1_SIZE_GB to STORAGE_9_SIZE_GB'],
    ['STORAGE_1_SIZE', 'STORAGE_1_SIZE_GB'],
    ['STORAGE_SIZE_GB', 'STORAGE_N_SIZE_GB'],
    ['storage_2_size_gb', 'STORAGE_2_SIZE_GB'],
    ['CACHABLE_CUSTOM_1_HOST', 'CACHEABLE_CUSTOM_1_HOST'],
    ['CACHEABLE_CUSTOM_HOST_1', 'CACHEABLE_CUSTOM_1_HOST'],
    ['CACHEABLE_CUSTOM_01_HOST', 'a number from 1 without leading zeros'],
    ['CACHEABLE_CUSTOM_1_CANONCAL', 'CACHEABLE_CUSTOM_1_CANONICAL'],
    ['UPSTREAM_HOTS', 'UPSTREAM_HOST'],
    ['COSTUMER_ID', 'CUSTOMER_ID'],
    ['CUSTOMERID', 'CUSTOMER_ID'],
    ['IS_SUMMARY_UNRESTRICTED', 'IS_SUMMARY_'],
    ['Is_Summary_Public', 'IS_SUMMARY_PUBLIC'],
  ])('%s is one of them misspelt', (name, meant) => {
    const found = mistakes({ [name]: '20' }, ...drive);
    expect(found.length).toBe(1);
    expect(found[0]?.startsWith(`${name}: expected `)).toBe(true);
    expect(found[0]).toContain(meant);
    expect(found[0]).toContain(`found ${name}="20"`);
  });

  it('leave everybody else alone, and are not set when they are empty', () => {
    const others = {
      PATH: '/bin',
      STORAGE_ACCOUNT: 'x',
      CUSTOMER_NAME: 'x',
      HOST: 'x',
      CACHE_NODE_PORT: '1',
      CACHE_NODE_VIA: 'x',
    };
    expect(mistakes({ ...others, UPSTREAM_HOST: '', STORAGE_1_SIZE_GB: '' }, ...drive)).toEqual([]);
    expect(read({ UPSTREAM_HOST: '', STORAGE_1_SIZE_GB: '' }, ...drive).settings.upstreamHost).toBeUndefined();
  });

  it('are warned of when the module would require them, and only then', () => {
    expect(read({ STORAGE_1_SIZE_GB: '10', CUSTOMER_ID: guid }).warnings).toEqual([
      "not set: CACHE_NODE_ID, CUSTOMER_KEY. The node serves without; Microsoft's module requires all three",
    ]);
    expect(read({}, ...drive).warnings).toEqual([]);
  });

  it('are not read with --ignore-environment', () => {
    const { settings } = read({ UPSTREAM_HOST: 'a b', STORAGE_1_SIZE_GB: '20' }, ...drive, '--ignore-environment');
    expect([settings.upstreamHost, settings.drives.length, settings.listen.host]).toEqual([undefined, 1, '127.0.0.1']);
  });

  it('are overruled by options, and a line says so', () => {
    const { settings, warnings, sources } = read(
      { ...identity, STORAGE_1_SIZE_GB: '150', UPSTREAM_HOST: 'a', IS_SUMMARY_PUBLIC: 'True' },
      ...drive,
      ...['--upstream-host', 'b', '--summary-access', 'local', '--customer-key', guid.replace('0', '1')],
    );
    expect([settings.drives.length, settings.upstreamHost?.host, settings.summaryAccess]).toEqual([1, 'b', 'local']);
    expect([sources.get('upstream-host'), sources.get('customer-id')]).toEqual(['--upstream-host', 'CUSTOMER_ID']);
    expect(warnings).toEqual([
      '--drive counts, and not STORAGE_1_SIZE_GB=150: options win over variables',
      '--upstream-host b counts, and not UPSTREAM_HOST=a: options win over variables',
      '--summary-access local counts, and not IS_SUMMARY_PUBLIC=True: options win over variables',
      '--customer-key counts, and not CUSTOMER_KEY: options win over variables',
    ]);
  });

  it('that are wrong stop the start even where an option wins', () => {
    expect(mistakes({ UPSTREAM_HOST: 'a b' }, ...drive, '--upstream-host', 'b')).toHaveLength(1);
  });
});

describe('what contradicts itself', () => {
  const custom = (number: number, host: string, canonical: string): Environment => ({
    [`CACHEABLE_CUSTOM_${number}_HOST`]: host,
    [`CACHEABLE_CUSTOM_${number}_CANONICAL`]: canonical,
  });

  it.each<{ what: string; environment?: Environment; args?: readonly string[]; names: string; says: string }>([
    {
      what: 'a host without its alias',
      environment: { CACHEABLE_CUSTOM_1_HOST: 'a' },
      names: 'CACHEABLE_CUSTOM_1_CANONICAL',
      says: 'Set both, or neither',
    },
    {
      what: 'an alias without its host',
      environment: { CACHEABLE_CUSTOM_7_CANONICAL: 'a' },
      names: 'CACHEABLE_CUSTOM_7_HOST',
      says: 'Set both, or neither',
    },
    {
      what: 'two aliases of a host',
      environment: { ...custom(1, 'h.test', 'a'), ...custom(2, 'H.test.', 'b') },
      names: 'CACHEABLE_CUSTOM_2_CANONICAL',
      says: 'one alias for h.test',
    },
    {
      what: 'two ports of a host',
      environment: { ...custom(1, 'h.test:80', 'a'), ...custom(2, 'h.test:81', 'a') },
      names: 'CACHEABLE_CUSTOM_2_HOST',
      says: 'each host once',
    },
    {
      what: "an alias that is a documented host's name",
      environment: custom(1, 'evil.test', 'download.windowsupdate.com'),
      names: 'CACHEABLE_CUSTOM_1_CANONICAL',
      says: "no other origin's name",
    },
    {
      what: "an alias that is another custom host's name",
      environment: { ...custom(1, 'a.test', 'b.test'), ...custom(2, 'b.test', 'b') },
      names: 'CACHEABLE_CUSTOM_1_CANONICAL',
      says: "no other origin's name",
    },
    {
      what: 'an origin at two places',
      args: ['--origin', 'a.test=10.0.0.1:80', '--origin', 'a.test=10.0.0.2:80'],
      names: '--origin',
      says: 'each host once',
    },
    {
      what: 'an alias for a host that is no origin',
      args: ['--alias', 'a.test=x'],
      names: '--alias',
      says: 'List it with --origin a.test',
    },
    {
      what: 'a summary for everybody and not public',
      environment: { IS_SUMMARY_PUBLIC: 'False', IS_SUMMARY_ACCESS_UNRESTRICTED: 'True' },
      names: 'IS_SUMMARY_ACCESS_UNRESTRICTED',
      says: 'expected False',
    },
    {
      what: 'a public summary whose key has nothing to be made of',
      environment: { IS_SUMMARY_PUBLIC: 'True' },
      names: 'IS_SUMMARY_PUBLIC',
      says: 'Set CUSTOMER_ID',
    },
    {
      what: 'a size that numbers of bytes cannot hold',
      args: ['--drive', '/e=9007199254740993GB'],
      names: '--drive',
      says: 'found "/e=9007199254740993GB"',
    },
    {
      what: 'ten drives',
      args: Array.from({ length: 9 }, (_, i) => ['--drive', `/d${i}=1GB`]).flat(),
      names: '--drive',
      says: 'at most nine',
    },
  ])('such as $what, stops the start', ({ environment = {}, args = [], names, says }) => {
    const found = mistakes(environment, ...drive, ...args);
    expect(found.filter((line) => line.includes(says))).toHaveLength(1);
    expect(found.find((line) => line.includes(says))).toContain(names);
  });

  it('is allowed where one of both is an option: it wins', () => {
    const environment = custom(1, 'a.test', 'x');
    const { settings, warnings } = read(environment, ...drive, '--origin', 'a.test=10.0.0.1:80', '--alias', 'a.test=y');
    expect(settings.origins).toMatchObject([{ host: 'a.test', connect: { host: '10.0.0.1' }, canonical: 'y' }]);
    expect(warnings).toHaveLength(2);
  });

  it('is no alias that is the host itself, or that hosts share', () => {
    expect(mistakes({ ...custom(1, 'a.test', 'A.test'), ...custom(2, 'b.test', 'a.test') }, ...drive)).toEqual([]);
  });

  it('is told together with every other mistake, one line each', () => {
    const environment = {
      STORAGE_1_SIZE_GB: '5',
      STORAGE_12_SIZE_GB: '50',
      UPSTREAM_PROXY: 'x',
      CACHEABLE_CUSTOM_1_HOST: 'h',
    };
    expect(mistakes(environment, '--listen', 'nowhere', '--keep', '30')).toMatchInlineSnapshot(`
      [
        "STORAGE_12_SIZE_GB: expected a drive from STORAGE_1_SIZE_GB to STORAGE_9_SIZE_GB, found STORAGE_12_SIZE_GB="50"",
        "--listen: expected ADDRESS:PORT such as 127.0.0.1:8081 (port 0 picks a free one), found "nowhere"",
        "STORAGE_1_SIZE_GB: expected a whole number of GB, at least 10, without a unit, such as 150, found "5"",
        "CACHEABLE_CUSTOM_1_CANONICAL: expected a value since CACHEABLE_CUSTOM_1_HOST has one, found none. Set both, or neither",
        "--keep: expected a duration with a unit, such as 20 ms, 60 s, 5 min, 24 h or 30 d, found "30"",
        "UPSTREAM_PROXY: expected HOST:PORT without a scheme, such as proxy.example.com:3128, found "x"",
      ]
    `);
  });
});

describe('an API key', () => {
  it('is what --summary-key says, or in the file that it names, or made of the customer id', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'cache-key-')), 'key');
    writeFileSync(path, 'from-a-file\n');
    const keyOf = (...args: string[]): string | undefined =>
      read({ CUSTOMER_ID: guid }, ...drive, ...args).settings.apiKey;
    expect(keyOf('--summary-access', 'key', '--summary-key', 'as-written')).toBe('as-written');
    expect(keyOf('--summary-key', `@${path}`)).toBe('from-a-file');
    expect(keyOf()).toBe(`${guid}__D0508632-1B4D-431C-9EF3-49285AF4DC1F`);
    rmSync(dirname(path), { recursive: true });
  });

  it.each([
    [['--summary-access', 'key'], '--summary-key: expected a key, as --summary-access is key, found none'],
    [
      ['--summary-key', 'short'],
      '--summary-key: expected 8 to 200 characters without spaces, found a secret of 5 characters',
    ],
    [['--summary-key', '@/nowhere/key'], '--summary-key: expected a file that can be read, /nowhere/key, found ENOENT'],
  ])('that is not given or not usable is told: %j', (args, message) => {
    const found = mistakes({}, ...drive, ...args);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });
});

describe('an origin', () => {
  it.each([
    ['packages.example', { host: 'packages.example', port: 80, connect: undefined, mayBePrivate: false }],
    ['Packages.Example.:8080', { host: 'packages.example', port: 8080, connect: undefined, mayBePrivate: false }],
    ['*.packages.example', { host: '*.packages.example', port: 80, mayBePrivate: false }],
    ['10.0.0.5:8080', { host: '10.0.0.5', port: 8080, mayBePrivate: true }],
    ['[FE80:0::1]:8080', { host: '[fe80::1]', port: 8080, mayBePrivate: true }],
    [
      'a.test=127.0.0.1:9000',
      { host: 'a.test', port: 80, connect: { host: '127.0.0.1', port: 9000 }, mayBePrivate: true },
    ],
  ])('%s is understood', (text, expected) => {
    expect(read({}, ...drive, '--origin', text).settings.origins).toMatchObject([expected]);
  });

  it.each([
    '',
    'a b',
    'http://a',
    'a/b',
    'user@a',
    '127.1',
    '0x7f000001',
    '017700000001',
    '*.*.a',
    '*',
    '*.1',
    '*.10.0.0.1',
    'a:0',
    'a=b',
    'a..b',
    '-a',
  ])('%j is none', (text) => {
    expect(mistakes({}, ...drive, '--origin', text)).toHaveLength(1);
  });

  it('may be private when --allow-private-origins says so', () => {
    const { settings } = read({}, ...drive, '--origin', 'a.test', '--allow-private-origins');
    expect(settings.origins[0]?.mayBePrivate).toBe(true);
  });
});

describe('--print-config', () => {
  it('shows every value with where it came from, as YAML, and no secret', () => {
    const text = printSettings(
      read(
        { ...identity, STORAGE_2_SIZE_GB: '20', CACHEABLE_CUSTOM_1_HOST: 'a.test', CACHEABLE_CUSTOM_1_CANONICAL: 'x' },
        ...['--keep', '90 min', '--workers', '3', '--key-query', 'except:a,b'],
      ),
    );
    expect(text).toMatchInlineSnapshot(`
      "listen: 0.0.0.0:8081 # default
      admin: 127.0.0.1:0 # default
      name: cache-node # default
      workers: 3 # --workers
      max-connections: 10000 # default
      max-connections-per-address: off # default
      limit-egress: null # default
      header-timeout: 20 s # default
      idle-timeout: 2 min # default
      min-rate: 1000 B/s # default
      drain: 10 s # default
      drive:
        - path: /nginx/cache2 # STORAGE_2_SIZE_GB
          size: 20000000000 B # 20.0 GB
      keep: 90 min # --keep
      force-ttl: off # default
      key-query: except:a,b # --key-query
      origin:
        - host: a.test # CACHEABLE_CUSTOM_1_HOST
          port: 80
          alias: x
          private-address: refused
      allow-private-origins: false # default
      upstream-host: null # default
      upstream-proxy: null # default
      follow-redirects: false # default
      upstream-client-errors: "502" # default
      customer-id: 01234567-**** # CUSTOMER_ID
      cache-node-id: 01234567-89ab-cdef-0123-456789abcdef # CACHE_NODE_ID
      customer-key: "********" # CUSTOMER_KEY
      summary-access: local # default
      summary: null # default
      summary-key: "********" # default
      access-log: null # default
      access-log-signatures: false # default
      ledger: false # default
      exit-with-parent: false # default
      "
    `);
    expect(text.split(guid)).toHaveLength(2); // the node's id alone is no secret
    expect(parse(text)).toMatchObject({ keep: '90 min', drive: [{ path: '/nginx/cache2', size: '20000000000 B' }] });
  });

  it('shows durations so that the option takes them back unchanged', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * 86_400_000 }), (ms) => {
        const printed = parse(printSettings(read({}, ...drive, '--keep', `${ms} ms`))) as { keep: string };
        expect(read({}, ...drive, '--keep', printed.keep).settings.keepMs).toBe(ms);
      }),
      { numRuns: 200 },
    );
  });

  it('knows every option', () => {
    const shown = Object.keys(parse(printSettings(read({}, ...drive))) as object);
    const hidden = ['storage-base', 'alias', 'print-config', 'ignore-environment'];
    expect(
      optionSpecs
        .map(({ name }) => name)
        .filter((name) => !shown.includes(name))
        .sort(),
    ).toEqual(hidden.sort());
  });
});

describe('--help', () => {
  let help = '';
  nodeCommand('sim node')
    .configureOutput({
      writeOut: (part) => {
        help += part;
      },
    })
    .outputHelp();

  it('fits into 100 columns, in groups', () => {
    const lines = help.split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    for (const group of ['Serving clients:', 'Storing:', 'Fetching from upstream:', 'Running it:'])
      expect(lines).toContain(group);
  });

  it('states the default that holds', () => {
    const plain = help.replaceAll(/\s+/g, ' ');
    for (const { byDefault } of optionSpecs)
      if (byDefault !== undefined) expect(plain).toContain(`(default: ${byDefault})`);
    expect(read({}, ...drive).settings).toMatchObject({
      headTimeoutMs: 20e3,
      idleTimeoutMs: 120e3,
      readerBytesPerSecondMin: 1000,
      drainMs: 10e3,
      keepMs: 30 * 86_400e3,
      forceTtlMs: undefined,
      keyQuery: 'all',
      followRedirects: false,
      summaryAccess: 'local',
    });
  });

  it('names every documented variable', () => {
    for (const name of documentedVariables) expect(help).toContain(name);
  });
});

it('any text as the value of any variable ends in settings or in a list of mistakes, never in another error', () => {
  const names = documentedVariables.map((name) => name.replace('_N_', '_1_'));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' })), (environment) => {
      for (const line of mistakes(environment, ...drive)) expect(line.length).toBeGreaterThan(0);
    }),
  );
});
