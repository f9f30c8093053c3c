// What tc is told for a line: in its own words, with its own units.

import { expect, it } from 'vitest';
import type { KernelLine } from '../../simulator/scenario/scenario.ts';
import { towardsDevices } from '../../simulator/world/live/kernel-lines.ts';

const line = (given: Partial<KernelLine>): string =>
  towardsDevices({ by: 'kernel', latencyMs: 0, lossRatio: 0, ...given });

it('is a token bucket for a rate alone: of whole packets, and of 10 ms', () => {
  expect(line({ rateBytesPerMs: 2500 })).toBe('tbf rate 20000000bit burst 65536b latency 100ms');
  expect(line({ rateBytesPerMs: 125_000 })).toBe('tbf rate 1000000000bit burst 1250000b latency 100ms');
});

it('is netem for what delays or loses', () => {
  expect(line({ latencyMs: 40 })).toBe('netem limit 100000 delay 40000us');
  expect(line({ latencyMs: 0.5, lossRatio: 0.001 })).toBe('netem limit 100000 delay 500us loss 0.1%');
  expect(line({ lossRatio: 1 / 3 })).toBe('netem limit 100000 loss 33.3333333%');
});

it('keeps what is on its way and what waits for 100 ms, where both delay and rate are given', () => {
  // 2,500 bytes/ms × (40 + 100) ms are 232 packets of 1,514 bytes.
  expect(line({ latencyMs: 40, rateBytesPerMs: 2500 })).toBe('netem limit 332 delay 40000us rate 20000000bit');
});
