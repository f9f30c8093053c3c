// What a fleet of the generator's benchmark is to do, and what came of it (fleet-client.ts).

/** Not counted: the runtime compiles what a run of a minute has compiled in its first second. */
export const warmUpMs = 500;

/** A fleet against one server, each device with one connection, closed loop: the next range when the last one has come. */
export type FleetOrder = {
  readonly port: number;
  /** What devices ask for: an object as `writeContent` makes it, and the path where the server has it. */
  readonly objectId: string;
  readonly sizeBytes: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** As of `sim run --set`. */
  readonly overrides: readonly string[];
};

/** Times in ms; memory is resident bytes of the process, each after a collection. */
export type FleetReport = {
  readonly bytes: number;
  readonly requests: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Of `bytes`: compared, and not. */
  readonly verifiedBytes: number;
  readonly uncheckedBytes: number;
  /** Before the fleet was made; with all connected and idle; after the traffic. */
  readonly residentBefore: number;
  readonly residentConnected: number;
  readonly residentAfter: number;
};
