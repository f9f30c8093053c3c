// How many cases tests by random input have where each takes its time.

/** Half of the cases; all of them with `ALL_TESTS=1 npm test`, as CI does. */
export const randomCases = (count: number): number =>
  (process.env['ALL_TESTS'] ?? '') === '' ? Math.ceil(count / 2) : count;
