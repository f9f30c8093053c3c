// What an exported script calls of our modules. It is built with all that it imports (rolldown.config.ts): the body of a `.js`.

export { prepare, summaryOf, thresholdsOf } from './run-ends.ts';
export { runDevice, runRange } from './script-device.ts';
