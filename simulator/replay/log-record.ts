// What a line of an access log says of a request, whatever the log's format; and why lines are of no use.

/** One request that is over, as its line has it. */
export type LogRecord = {
  /** The client's address, without port. */
  readonly client: string;
  readonly userAgent: string | undefined;
  /** Epoch ms, as the line has it: by the format, of the request's beginning or end. */
  readonly timeMs: number;
  /** What `timeMs` is a multiple of: 1, or 1000. */
  readonly resolutionMs: 1 | 1000;
  /** Of what `timeMs` is the time. */
  readonly timeIs: 'begin' | 'end';
  /** From the request's beginning to its end; undefined: the line does not say. */
  readonly durationMs: number | undefined;
  /** Empty when the request line was none. */
  readonly method: string;
  /** As it came: a path with its query, or a whole URL. */
  readonly target: string;
  /** Whose content it was, as far as the line says so beside the target. */
  readonly host: string | undefined;
  readonly status: number;
  /** Body bytes that were sent. */
  readonly bodyBytes: number;
  /** The value of the Range field; undefined: none, or the format does not say. */
  readonly range: string | undefined;
  /** The value of the answer's Content-Range. */
  readonly contentRange: string | undefined;
  /** Whether the line says that the connection ended before the answer did. */
  readonly isAborted: boolean;
  /** Body bytes that came from the cache; undefined: the line does not say. */
  readonly hitBytes: number | undefined;
};

/** Why a line could not be read, with the words for it. */
export const unusableReasons = {
  format: 'not of the format',
  time: 'no time that can be read',
  number: 'a status or a number of bytes that is none',
  cut: 'no line end: cut short, or still being written',
  tooLong: 'longer than 64 KiB',
  runsBack: 'more than an hour earlier than a line before it',
} as const;

export type UnusableReason = keyof typeof unusableReasons;

/** Reads a line. */
export type LineParser = (text: string) => LogRecord | UnusableReason;
