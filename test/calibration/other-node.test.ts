// A node that we did not start, measured from outside: the CDN stands in for it, for it keeps books of all that it was asked.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddress } from '../../common/address.ts';
import { assert, OperatorError } from '../../common/errors.ts';
import { measureOtherNode, type OtherNode } from '../../simulator/calibration/other-node.ts';
import type { CalibrationProgress } from '../../simulator/calibration/own-node.ts';
import { type Cdn, startCdn } from '../../simulator/cloud/cdn.ts';

const mib = 2 ** 20;
let cdn: Cdn;
beforeAll(async () => {
  const anyPort = { host: '127.0.0.1', port: 0 };
  cdn = await startCdn({ listen: anyPort, admin: anyPort, latencyMs: 0, name: 'node', cacheControl: 'no-store' });
});
afterAll(() => cdn.stop());

function other(change: Partial<OtherNode> = {}): OtherNode {
  const node = parseAddress(String(cdn.listen));
  assert(node !== undefined, 'it listens');
  const object = { host: 'files.test', path: `/object/demo/${200 * mib}`, sizeBytes: 200 * mib };
  return { node, object, seconds: 1, connectionsMax: 8, ...change };
}

const never = new AbortController().signal;
const measure = (what: OtherNode, steps: CalibrationProgress[] = [], signal = never) =>
  measureOtherNode(what, 'other', 'a test', { signal, onProgress: (state) => steps.push(state) });

describe('a node that is there already', () => {
  it('is measured by what its clients get, with no more connections than allowed', async () => {
    const steps: CalibrationProgress[] = [];
    const calibration = await measure(other(), steps);
    assert(calibration !== undefined, 'it was not interrupted');
    const { profile, comparisons } = calibration;
    expect(steps.map(({ what }) => what)).toEqual([
      'the node stores the object',
      'hits, 16 KiB, 1 connection',
      'hits, 64 KiB, 1 connection',
      'hits, 256 KiB, 1 connection',
      'hits, 1024 KiB, 1 connection',
      'hits, 1 connection',
      'hits, 4 connections',
      'hits, 8 connections',
    ]);
    expect(profile.egressBytesPerMs).toBe(Math.max(...comparisons.map((each) => each.measuredBytesPerMs)));
    expect(profile.concurrency?.connectionsMax).toBe(8);
    expect(profile.basis).toEqual({ egress: 'measured', latency: 'measured', concurrency: 'measured' });
    expect([profile.cpu, profile.cores, profile.harness, profile.memoryBytes]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(cdn.books().objects.map(({ id }) => id)).toEqual(['demo']);
    // The part of the object that is stored first, 64 MiB, was asked for at least once.
    expect(cdn.books().bodyBytes).toBeGreaterThanOrEqual(64 * mib);
  });

  it('that may get two connections has no law of concurrency, and that is said', async () => {
    const calibration = await measure(other({ connectionsMax: 2, seconds: 0.5 }));
    expect(calibration?.profile.concurrency).toBeUndefined();
    expect(calibration?.notes.join()).toContain('raise --connections');
  });

  it('that does not serve the object is an error with what to check', async () => {
    const object = { host: 'files.test', path: '/nowhere', sizeBytes: mib };
    const refused = await measure(other({ object })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OperatorError);
    expect((refused as OperatorError).message).toMatch(/\/nowhere, .*expected ranges .*found status 404\. Check --url/);
  });

  it('is left alone at once when the measurement is interrupted', async () => {
    const interrupt = new AbortController();
    const steps: CalibrationProgress[] = [];
    const measured = measureOtherNode(other({ seconds: 3600 }), 'other', 'a test', {
      signal: interrupt.signal,
      onProgress: (state) => {
        steps.push(state);
        if (steps.length === 2) setImmediate(() => interrupt.abort());
      },
    });
    expect(await measured).toBeUndefined();
  });
});
