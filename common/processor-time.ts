/** Processor time of this process since its start, user and system, all threads; ms of one core. */
export function processorTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
