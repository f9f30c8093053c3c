// What the export writes into a script of its scenario: plain values, in ms and bytes. The same form in the program that
// writes it and in the script that reads it.

/** A scenario as far as a script needs it. */
export type ExportedScenario = {
  readonly name: string;
  readonly seed: number;
  readonly content: Readonly<Record<string, ExportedContent>>;
  /** The nodes that devices ask, by id. */
  readonly nodes: Readonly<Record<string, ExportedAddress>>;
  /** `null`: no device can ever ask it. */
  readonly cdn: ExportedAddress | null;
  readonly groups: readonly ExportedGroup[];
  readonly expectations: readonly ExportedExpectation[];
  /** Of what the scenario holds, what the script does not do; a sentence each. */
  readonly notCarried: readonly string[];
};

export type ExportedContent = { readonly sizeBytes: number; readonly host: string; readonly path: string };

/** Where a server is: an environment variable of the run, else what the export was told. */
export type ExportedAddress = { readonly variable: string; readonly url: string | null };

export type ExportedGroup = {
  readonly id: string;
  /** Number of its first device in the fleet. */
  readonly firstDevice: number;
  readonly devices: number;
  readonly client: 'windows' | 'linux';
  readonly cacheHosts: readonly string[];
  readonly wants: readonly string[];
  readonly connectionsPerFile: number | null;
  /** `null`: not configured. */
  readonly fallbackDelayMs: number | 'never' | null;
  /** From the first arrival of the fleet to the first one of the group. */
  readonly firstArrivalMs: number;
  /** Only in a live window: after so long nothing more is asked for. */
  readonly windowMs: number | null;
  /** Only in a live window with a rate: each device asks for a range so often. */
  readonly intervalMs: number | null;
};

export type ExportedExpectation =
  | {
      readonly expects: string;
      readonly metric: string;
      readonly threshold: string;
      /** A sum over all devices: one of several instances of k6 cannot tell. */
      readonly ofWholeFleet: boolean;
    }
  | { readonly expects: string; readonly notJudged: string };
