import { configDefaults, defineConfig } from 'vitest/config';

/** Runs of `sim run`, each a handful of processes. They judge their own speed: beside nothing else, four at once on two cores. */
const endToEnd = ['test/e2e/**/*.test.ts'];
/** Devices by the clock, in the test's own process, which waits most of the time: beside nothing else, a file for every core. */
const clocked = ['test/{world,contract}/**/*.test.ts'];

/** One project after the other. By default one core of two is left idle. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...clocked, ...endToEnd],
          maxWorkers: '100%',
          // Modules are loaded once a worker, and not once a file: a fifth of the time. No file here leaves anything in them.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'clocked', include: clocked, maxWorkers: '100%', sequence: { groupOrder: 1 } } },
      {
        extends: true,
        test: { name: 'e2e', include: endToEnd, maxWorkers: '100%', maxConcurrency: 2, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
