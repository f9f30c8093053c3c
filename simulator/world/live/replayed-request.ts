// One request of a replayed log on its way: a range of an object, moved from where its client's policy says. The policy is
// asked for each request by itself, since a log does not say which of them were one download.

import type { ByteRange } from '../../../common/byte-range.ts';
import type { TimedRequest } from '../../replay/part-requests.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import type { DownloadRunner } from '../world.ts';
import type { Endpoint } from './range-transfer.ts';
import type { ReplayClient } from './replay-client.ts';

export class ReplayedRequest {
  readonly client: ReplayClient;
  readonly content: ContentSpec;
  readonly range: ByteRange;
  /** Whether it asks without a Range field. */
  readonly isWhole: boolean;
  /** On the fleet's clock: its latency counts from then on. */
  readonly dueMs: number;
  runner: DownloadRunner<ReplayedRequest> | undefined;
  /** Where it goes now, or waits to go. */
  endpoint: Endpoint | undefined;
  /** When its last byte came; before, when it was due. */
  lastByteMs: number;
  /** When the last byte came of the cache host that it left, until the first one of the CDN has. */
  leftCacheHostAtMs: number | undefined;

  constructor(client: ReplayClient, { content, start, bytes, isWhole }: TimedRequest, dueMs: number) {
    this.client = client;
    this.content = content;
    this.range = { start, end: start + bytes };
    this.isWhole = isWhole;
    this.dueMs = dueMs;
    this.lastByteMs = dueMs;
  }
}
