// One device in devices.csv, by the names of `Get-DeliveryOptimizationStatus` where it has one (facts on Delivery
// Optimization, 2.3).

export type DeviceRow = {
  readonly Device: number;
  readonly Group: string;
  /** Bytes wanted, over all files. */
  readonly FileSize: number;
  readonly TotalBytesDownloaded: number;
  readonly BytesFromCacheServer: number;
  /** As documented: all bytes by HTTP, those of the cache server included. */
  readonly BytesFromHttp: number;
  readonly BytesFromCdn: number;
  /** Seconds from arrival to the last byte; empty when the device did not finish. */
  readonly DownloadDuration: number | '';
  readonly CacheHost: string;
  /** Connections that the device opened in all. */
  readonly HttpConnectionCount: number;
  readonly Status: 'Complete' | 'Downloading' | 'Failed' | 'Waiting';
  /** Why it first left its cache host; empty when it never did. */
  readonly FallbackCause: string;
};
