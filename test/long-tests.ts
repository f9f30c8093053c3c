// Tests that take ten seconds and more for what shorter ones have mostly shown: `ALL_TESTS=1 npm test` has them too, as CI does.

/** Whether they are run. */
export const runsLongTests = process.env['ALL_TESTS'] !== undefined && process.env['ALL_TESTS'] !== '';

if (!runsLongTests) process.stderr.write('skipped: tests of ten seconds and more (ALL_TESTS=1 npm test has them)\n');
