// What a script measures, as k6's own kinds of metric. Each has the name of a metric of `sim metrics`, with `_` for dots.

import { Counter, Rate, Trend } from 'k6/metrics';

export const measured = {
  devicesStarted: new Counter('devices_started'),
  devicesCompleted: new Counter('devices_completed'),
  devicesFailed: new Counter('devices_failed'),
  devicesCompletedRatio: new Rate('devices_completed_ratio'),
  deviceCompletionMs: new Trend('devices_completion_ms', true),
  /** From the first arrival of the fleet to each completion; the largest counts. */
  fleetFinishMs: new Trend('fleet_finish_ms', true),
  /** Body bytes of ranges that came whole. */
  bytesFromCacheServer: new Counter('fleet_bytes_from_cache_server'),
  bytesFromCdn: new Counter('fleet_bytes_from_cdn'),
  ranges: new Counter('fleet_range_count'),
  rangesFailed: new Counter('range_failed_count'),
  rangeLatencyMs: new Trend('range_latency_ms', true),
  rangeServiceMs: new Trend('range_service_ms', true),
  rangeFirstByteMs: new Trend('range_first_byte_ms', true),
  fallbackDevices: new Counter('fallback_device_count'),
  fallbackTimeMs: new Trend('fallback_time_ms', true),
} as const;
