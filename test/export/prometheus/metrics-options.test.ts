// `--metrics`: what is taken, and what is refused in words before anything is run.

import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import {
  checkMetricsOptions,
  type MetricsOptions,
  withMetricsOptions,
} from '../../../simulator/commands/metrics-options.ts';

function parse(...words: readonly string[]): MetricsOptions {
  const command = withMetricsOptions(new Command().exitOverride().configureOutput({ writeErr: () => undefined }));
  return command.parse(words, { from: 'user' }).opts<MetricsOptions>();
}

describe('the options for Prometheus', () => {
  test.each([
    ['9464', { host: '127.0.0.1', port: 9464 }],
    ['0', { host: '127.0.0.1', port: 0 }],
    ['0.0.0.0:9464', { host: '0.0.0.0', port: 9464 }],
    ['[::1]:9464', { host: '::1', port: 9464 }],
    ['localhost:9464', { host: 'localhost', port: 9464 }],
  ])('take %s', (text, metrics) => {
    expect(parse('--metrics', text, '--metrics-linger', '15s')).toEqual({ metrics, metricsLinger: 15_000 });
  });

  test.each(['here', '65536', '-1', '127.0.0.1', '127.0.0.1:', ':9464', '9464x', ''])(
    'refuse "%s" as an address',
    (text) => {
      expect(() => parse('--metrics', text)).toThrow(
        `Expected a port, or address:port, such as 9464 or 0.0.0.0:9464; found "${text}".`,
      );
    },
  );

  test.each(['0s', '5', 'long'])('refuse %s as a time to linger', (text) => {
    expect(() => parse('--metrics', '0', '--metrics-linger', text)).toThrow('found');
  });

  const metrics = { host: '127.0.0.1', port: 0 };
  test.each([
    { what: 'a virtual run alone', options: { metrics }, isLive: false, says: '--metrics: expected a live run' },
    {
      what: 'one shard',
      options: { metrics, shard: { index: 0, count: 2 } },
      isLive: true,
      says: 'found one shard of it',
    },
    { what: 'a wait for nobody', options: { metricsLinger: 5 }, isLive: true, says: 'expected beside --metrics' },
  ])('are refused for $what', ({ options, isLive, says }) => {
    expect(() => checkMetricsOptions(options, isLive)).toThrow(
      expect.objectContaining({ code: 'BAD_OPTIONS', exitCode: 2, message: expect.stringContaining(says) as string }),
    );
  });

  test('say nothing where there is nothing to refuse', () => {
    checkMetricsOptions({ metrics, metricsLinger: 5 }, true);
    checkMetricsOptions({}, false);
  });
});
