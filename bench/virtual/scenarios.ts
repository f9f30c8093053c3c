// Scenarios of any size for the virtual world, as the text of a file. Capacities grow with the number of devices, so that
// each is as busy as the next larger one.

const downlinksMbit = [12, 25, 50, 100, 200, 400, 800, 1000];
const mbit = (value: number): string => `${value} Mbit/s`;

/** Sites of a hundred devices, up to a thousand sites. */
const siteCountOf = (devices: number): number => Math.min(1000, devices / 100);

/** Devices straight from the CDN over the link of their site and one core link for all: every event touches everybody. */
export function coupledSites(devices: number): string {
  const sites = siteCountOf(devices);
  return scenario(`
sites:
  - { id: core, link: ${mbit(devices)} }
  - { id: branch, parent: core, count: ${sites}, link: ${mbit((10 * devices) / sites)} }
${fleet(devices, downlinksMbit, 'branch', '4 h')}`);
}

/** Sites that share nothing, each with a node of its own. */
export function sitesWithNodes(devices: number): string {
  const sites = siteCountOf(devices);
  return scenario(`
sites:
  - { id: branch, count: ${sites} }
nodes:
  - { id: cache, site: branch, egress: ${mbit(devices / sites)}, drives: [100 GB] }
${fleet(devices, downlinksMbit, 'branch', '4 h', 'cacheHosts: [cache], ')}`);
}

/** One shared link that is too small for four hours: flows pile up. */
export function oneLink(devices: number): string {
  return scenario(`
sites:
  - { id: office, link: ${mbit((10_000 * devices) / 35_000)} }
${fleet(devices, downlinksMbit, 'office', '4 h')}`);
}

/** 120 sites of four classes, coupled by a core link that binds. */
export function coupledFourClasses(devices: number): string {
  return scenario(`
sites:
  - { id: core, link: ${mbit(devices)} }
  - { id: branch, parent: core, count: 120, link: ${mbit((10 * devices) / 120)} }
${fleet(devices, [25, 50, 100, 1000], 'branch', '4 h')}`);
}

const scenario = (parts: string): string => `name: Speed of the virtual world
worlds: [virtual]
seed: 7
content:
  - { id: update, size: 2 GB }${parts}
expect:
  - devices.completedRatio == 1
`;

/** A group a downlink, all of one size. */
function fleet(devices: number, downlinks: readonly number[], site: string, over: string, more = ''): string {
  const groups = downlinks.map(
    (downlink) =>
      `  - { id: of-${downlink}-mbit, devices: ${devices / downlinks.length}, site: ${site}, ${more}` +
      `downlink: ${mbit(downlink)}, wants: [update], arrive: { over: ${over} } }`,
  );
  return `fleet:\n${groups.join('\n')}`;
}
