// devices.csv: a row per device, with the names that administrators know from Get-DeliveryOptimizationStatus.

import { stringify } from 'csv-stringify/sync';
import type { DeviceRow } from '../simulator/result/device-row.ts';

export function devicesCsv(rows: readonly DeviceRow[]): string {
  return stringify([...rows], { header: true });
}
