// Events in words, as time lines and error messages of both worlds show them.

import { formatBitsPerSecond, formatDuration } from '../../common/units.ts';
import type { LinkName, ScenarioEvent } from '../scenario/scenario.ts';

/** E.g. `kill hq`, `CDN: answers 503 for 10.0 s`, `narrow branch.link to 10.0 Mbit/s`. */
export function describeEvent(event: ScenarioEvent): string {
  switch (event.kind) {
    case 'cdn': {
      const { fault } = event;
      return `CDN: ${fault.kind === 'status' ? `answers ${fault.status}` : fault.kind}${lengthText(event.forMs)}`;
    }
    case 'version':
      return `new version of ${event.content}`;
    case 'cut':
    case 'join':
      return `${event.kind} ${linkText(event.link)}`;
    case 'narrow':
      return `narrow ${linkText(event.link)} to ${formatBitsPerSecond(event.toBytesPerMs * 8000)}${lengthText(event.forMs)}`;
    case 'policy':
      return `new policies of ${event.group}`;
    case 'loseDrive':
      return `${event.node} loses a drive`;
    default:
      return `${event.kind} ${event.node}`;
  }
}

/** As scenario files write it. */
export const linkText = (link: LinkName): string => (link.kind === 'wan' ? `${link.node}.wan` : `${link.site}.link`);

const lengthText = (forMs: number | undefined): string => (forMs === undefined ? '' : ` for ${formatDuration(forMs)}`);
