// How many files and sockets this process may hold open.

/** The process's limit of open files; Infinity where the system sets none (Windows). */
export function openFileLimit(): number {
  // Without this the report looks up the names of all network addresses (not yet in the types of Node 20).
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}
