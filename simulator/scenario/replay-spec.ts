// A replay as the code sees it: what the scenario says of a log, and what a first reading of that log found.

/** A recorded access log, and how it is replayed. */
export type ReplaySpec = {
  /** Its path; relative ones were resolved against the scenario's folder. */
  readonly log: string;
  /** How its lines are read; a text with `$` is an nginx `log_format`. Default `auto`. */
  readonly format: 'auto' | 'combined' | 'json' | (string & {});
  /** 2: twice as fast as it was. Above 0; default 1. */
  readonly speed: number;
  /** Only what was asked for from then on; absent: from the beginning. */
  readonly fromEpochMs?: number | undefined;
  /** Only so much of the log's time; absent: to its end. */
  readonly forMs?: number | undefined;
  /** Of targets whose line names no host. Default `au.download.windowsupdate.com`. */
  readonly host: string;
  /** What tells devices apart. Default `address`. */
  readonly device: 'address' | 'addressAndAgent';
  /** Most connections that a device holds at once; what is due beyond them waits. 1 to 64; default 6. */
  readonly connectionsPerDevice: number;
  /** Size of each node's drive; absent: room for all that the log asks for. */
  readonly driveBytes?: number | undefined;
  /** Share of its lines that may be unusable. 0 to 1; default 0.05. */
  readonly unusableRatioMax: number;
  /** What reading it found; absent before. */
  readonly surveyed?: SurveyedLog | undefined;
};

/** What a first reading of a log found (`simulator/replay/survey.ts`). */
export type SurveyedLog = {
  /** How far it reached, and the hash of its first 64 KiB: what device processes must find again, wherever they are. */
  readonly extent: { readonly sizeBytes: number; readonly headSha256: string };
  /** For people. */
  readonly formatName: string;
  /** Epoch ms of the first request that is replayed; the run begins there. */
  readonly firstAtMs: number;
  /** From there to the last one, in the log's time. */
  readonly durationMs: number;
  /** Epoch ms at which the part that is replayed ends; Infinity: with the log. */
  readonly untilMs: number;
  readonly lineCount: number;
  readonly requestCount: number;
  readonly requestedBytes: number;
  readonly deviceCount: number;
  /** At most so many devices asked within 30 s to 60 s of the run's time. */
  readonly activeDeviceCountMax: number;
  /** Requests that are not replayed, and lines that could not be read: by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly unusable: Readonly<Record<string, number>>;
  /** The first few of the latter, described. */
  readonly unusableExamples: readonly string[];
  readonly outsideCount: number;
  /** Requests whose place in their object, whose host, or whose time within its second is assumed. */
  readonly assumedPositionCount: number;
  readonly assumedHostCount: number;
  readonly spreadCount: number;
  /** Requests with arguments that were cut off. */
  readonly queryCount: number;
  /** Objects of which only the furthest byte is known. */
  readonly minimumSizeCount: number;
  /** What came from the cache when the log was written; absent: it does not say. */
  readonly hitRatioBytes?: number | undefined;
  readonly hitRatioRequests?: number | undefined;
};
