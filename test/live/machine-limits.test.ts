import { describe, expect, test } from 'vitest';
import { parseScenario } from '../../simulator/scenario/load.ts';
import { wholeFleet } from '../../simulator/world/fleet-plan.ts';
import { type Load, planResources } from '../../simulator/world/live/machine-limits.ts';

function scenario(devices: number, more = 'nodes: [{ id: hq }]', connections = 1) {
  const text = `
name: Limits
content: [{ id: update, size: 2 MB }]
${more}
fleet: [{ id: office, devices: ${devices}, wants: [update], connectionsPerFile: ${connections} }]
`;
  return parseScenario(text, 'limits.yaml').scenario;
}

const whole: Load = { part: wholeFleet, environment: true };

describe('what a live run takes of the machine', () => {
  test('one device process for 500 devices, at most one a core', async () => {
    expect(await planResources(scenario(500), 4, whole)).toMatchObject({ connections: 500, deviceProcesses: 1 });
    expect(await planResources(scenario(501), 4, whole)).toMatchObject({ deviceProcesses: 2 });
    expect(await planResources(scenario(5000, 'nodes: [{ id: hq }]', 1), 4, whole)).toMatchObject({
      deviceProcesses: 4,
    });
  });

  test('a shard has its part of the connections, the environment the other end of all', async () => {
    const shard = { part: { index: 1, count: 4 }, environment: false };
    expect(await planResources(scenario(5000), 4, shard)).toMatchObject({ connections: 1250, deviceProcesses: 3 });
    const environment = { part: undefined, environment: true };
    expect(await planResources(scenario(5000), 4, environment)).toMatchObject({ connections: 5000 });
  });

  test('no source addresses of loopback for a shard whose environment is elsewhere', async () => {
    const load = { part: { index: 0, count: 2 }, environment: false, addresses: [{ host: '192.0.2.7', port: 7071 }] };
    expect((await planResources(scenario(10), 2, load)).sourceNetwork).toBeUndefined();
  });

  test.each([
    { more: 'nodes: [{ id: far, url: "http://192.0.2.7" }]', why: 'nothing outside is reached from 127.16.0.1' },
    { more: 'nodes: [{ id: near, url: "http://localhost:80" }]', why: 'a name may stand for ::1' },
    { more: 'cdn: { listen: "192.0.2.8:80" }', why: 'nothing outside is reached from 127.16.0.1' },
  ])('no source addresses of loopback with $more: $why', async ({ more }) => {
    expect((await planResources(scenario(10, more), 2, whole)).sourceNetwork).toBeUndefined();
  });

  test.skipIf(process.platform !== 'linux')(
    'source addresses of loopback when all is there (Linux has all of 127/8)',
    async () => {
      const more = 'cdn: { listen: "127.0.0.1:8080" }\nnodes: [{ id: near, url: "http://127.0.0.1:8081" }]';
      expect((await planResources(scenario(10, more), 2, whole)).sourceNetwork).toBe('127.16');
    },
  );
});
