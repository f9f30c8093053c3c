// Tests that take ten seconds and more for what shorter ones have mostly shown: `ALL_TESTS=1 npm test` has them too, as CI does.

/** Whether they are run. */
export const runsLongTests = process.env['ALL_TESTS'] !== undefined && process.env['ALL_TESTS'] !== '';

/** Cases of a test by random input that takes seconds: all of them as CI does, else half. */
export const randomCases = (count: number): number => (runsLongTests ? count : Math.ceil(count / 2));

if (!runsLongTests) process.stderr.write('skipped: tests of ten seconds and more (ALL_TESTS=1 npm test has them)\n');
