import { configDefaults, defineConfig } from 'vitest/config';

/** What judges its own speed: runs of `sim run`, up to five side by side within a file, and devices by the clock. */
const timed = ['test/{e2e,world,contract}/**/*.test.ts'];

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
          exclude: [...configDefaults.exclude, ...timed],
          // A file for each core: by default one core is left idle, of two.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // After all others, a file for every two cores: one, of two.
        test: { name: 'timed', include: timed, maxWorkers: '50%', sequence: { groupOrder: 1 } },
      },
    ],
  },
});
