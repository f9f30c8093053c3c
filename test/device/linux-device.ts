// A Linux device in a scripted world of its own, for the tests of its policy.

import type { DownloadPolicy, PolicySettings } from '../../simulator/device/download-policy.ts';
import { linuxPolicy } from '../../simulator/device/linux-policy.ts';
import { DownloadRunner } from '../../simulator/world/world.ts';
import {
  type Fault,
  type Outcome,
  outcomeOf,
  ScriptedDownload,
  ScriptedWorld,
  type SentRequest,
} from './scripted-world.ts';

/** Default: no delay configured, one cache host. */
export const withDelay = (fallbackDelayMs?: number, cacheHostCount = 1): PolicySettings => ({
  cacheHostCount,
  fallbackDelayMs,
});

export class LinuxDevice {
  readonly world = new ScriptedWorld();
  readonly #settings: PolicySettings;
  readonly #agent = linuxPolicy.newAgent();

  constructor(settings: PolicySettings) {
    this.#settings = settings;
  }

  /** Starts a download now; its servers have these faults: one for all requests, or one a request. */
  start(atC: Fault | readonly Fault[], atA: Fault | readonly Fault[], origin = 'files.test'): ScriptedDownload {
    const scripts = { cacheHost: atC, cdn: atA };
    const counts = { cacheHost: 0, cdn: 0 };
    return this.startAnswered(({ source }) => {
      const faults = scripts[source.kind];
      const fault = typeof faults === 'string' ? faults : (faults[counts[source.kind]] ?? faults.at(-1) ?? 'healthy');
      counts[source.kind] += 1;
      return outcomeOf(fault, linuxPolicy.transport, this.#settings);
    }, origin);
  }

  startAnswered(
    answer: (request: SentRequest) => Outcome,
    origin: string,
    policy: DownloadPolicy<unknown, unknown> = linuxPolicy,
  ): ScriptedDownload {
    const download = new ScriptedDownload(answer);
    const terms = { policy, settings: this.#settings, agent: this.#agent, origin };
    download.runner = new DownloadRunner(this.world, download, terms);
    download.runner.start();
    return download;
  }

  /** What a new download of the same content, and of content of another host, would be banned from now. */
  ban(): 'none' | 'origin' | 'all' {
    const [same, other] = ['files.test', 'other.test'].map((origin) => {
      const download = this.start('healthy', 'healthy', origin);
      this.world.runUntil();
      return download.requests[0]?.source.kind;
    });
    if (same === 'cacheHost') return 'none';
    return other === 'cacheHost' ? 'origin' : 'all';
  }
}
