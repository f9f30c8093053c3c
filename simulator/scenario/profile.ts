// What a cache node's machine can do, as the virtual world models it (docs/model.md): figures from a document, from
// `sim calibrate`, or assumed, each saying which. Everything is optional: what is absent does not limit.

/** Where a figure comes from: reports label every limit with it. */
export type FigureBasis = 'given' | 'measured' | 'assumed';

/** A machine, in the inner units (ms, bytes, bytes/ms). Rates count HTTP body bytes unless the name says wire. */
export type HardwareProfile = {
  /** The file's name without its ending. */
  readonly id: string;
  readonly name: string;
  /** Document, or command and day of the measurement. */
  readonly source: string;
  /** By key of the file (`nic`, `disk` …); a key that is not there is `given`. Defaults of absent keys are `assumed`. */
  readonly basis: Readonly<Record<string, FigureBasis>>;
  /** The network card's rate in both directions, framing included. */
  readonly nicWireBytesPerMs?: number | undefined;
  /** Body bytes by wire bytes. Default 0.941: 1,448 of 1,538 bytes a packet (Ethernet, IPv4, TCP with time stamps). */
  readonly bodyPerWireRatio: number;
  /** Most body bytes to clients, where a source states it. */
  readonly egressBytesPerMs?: number | undefined;
  readonly wanBytesPerMs?: number | undefined;
  readonly cores?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Share of the memory that holds content. Default 0.5 (assumed). */
  readonly pageCacheRatio: number;
  /** One size per drive. */
  readonly drivesBytes?: readonly number[] | undefined;
  /** Of each drive. */
  readonly diskReadBytesPerMs?: number | undefined;
  readonly diskWriteBytesPerMs?: number | undefined;
  /** Processor time of one core; absent: the processor does not limit. */
  readonly cpu?: CpuCosts | undefined;
  /** Time that a request takes beside the transfer of its bytes, on an idle node. */
  readonly latency?: NodeLatency | undefined;
  /** How the capacity of the processor changes with the number of connections that ask at the same time. */
  readonly concurrency?: Concurrency | undefined;
  /** What the load generator and the CDN of a live run take of the same processor; only a calibrated machine has it. */
  readonly harness?: HarnessCosts | undefined;
};

export type CpuCosts = {
  /** Of a connection taken in. Default 0. */
  readonly msPerConnection: number;
  /** Of an answered request. */
  readonly msPerRequest: number;
  /** Of a body byte sent from memory. */
  readonly msPerByte: number;
  /** Of a byte read from a drive, beside the above. Default 0. */
  readonly msPerByteRead: number;
  /** Of a request to upstream. Default 0. */
  readonly msPerFetch: number;
  /** Of a byte fetched and stored. Default 0. */
  readonly msPerByteFetched: number;
};

export type NodeLatency = { readonly hitMs: number; readonly missMs: number };

/** Universal Scalability Law, C(N) = N / (1 + σ (N - 1) + κ N (N - 1)) (Gunther 1993). */
export type Concurrency = {
  readonly sigma: number;
  readonly kappa: number;
  /** The largest number that was measured: beyond twice as many the model is out of its range. */
  readonly connectionsMax: number;
};

export type HarnessCosts = {
  /** Of a connection that a device opens. Default 0. */
  readonly clientMsPerConnection: number;
  readonly clientMsPerRequest: number;
  readonly clientMsPerByte: number;
  readonly cdnMsPerRequest: number;
  readonly cdnMsPerByte: number;
};
