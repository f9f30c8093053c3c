import { configDefaults, defineConfig } from 'vitest/config';

/** Runs of `sim run`, up to five side by side within a file, which judge their own speed: a file for every two cores. */
const endToEnd = 'test/e2e/**/*.test.ts';

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
          exclude: [...configDefaults.exclude, endToEnd],
          // A file for each core: by default one core is left idle, of two.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'e2e', include: [endToEnd], maxWorkers: '50%', sequence: { groupOrder: 1 } },
      },
    ],
  },
});
