// Two kinds of error, never mixed. A programmer's error is an assertion: always on, never caught. An operator's error
// (scenario, command line, machine) is an OperatorError: it says where, what was expected, what was found, what to do.

/** Exit codes of `sim` (the contract of the command line). */
export const exitCodes = {
  pass: 0,
  failed: 1,
  badInput: 2,
  cannotRun: 3,
  inconclusive: 4,
  interrupted: 130,
} as const;

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** 2: the input is wrong. 3: the machine cannot carry the run out. 130: the operator interrupted it. */
export type OperatorExitCode = 2 | 3 | 130;

/** What an operator can mend. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  /** Stable, for scripts and tests, e.g. `PORT_TAKEN`. */
  readonly code: string;
  readonly exitCode: OperatorExitCode;

  constructor(code: string, message: string, exitCode: OperatorExitCode = exitCodes.badInput, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** Stops the process on a programmer's error. `message` says which invariant broke. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${message}`);
}

/** Marks a switch over a union as complete: the compiler refuses it when a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`Assertion failed: unexpected ${JSON.stringify(value)}`);
}

/** The `code` of a system error (`ECONNREFUSED` …), or its message; for errors that are values of a request. */
export function errorCode(error: unknown): string {
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code;
    return typeof code === 'string' && code !== '' ? code : error.message;
  }
  return String(error);
}
