// A scenario as the code sees it: checked, with defaults, in the inner units (ms, bytes, bytes/ms). The words are those
// of the file; a unit is added to the name where the file wrote one with the value.

import type { Address } from '../../common/address.ts';
import type { Expectation } from '../judge/expectation.ts';
import type { WorldName } from '../result/metrics.ts';
import type { HardwareProfile } from './profile.ts';
import type { ReplaySpec } from './replay-spec.ts';

/** One question to the system, with what must hold. */
export type Scenario = {
  readonly name: string;
  /** Where the claim comes from. */
  readonly source?: string | undefined;
  /** What the scenario is about, in prose. */
  readonly description?: string | undefined;
  /** The question that it answers. */
  readonly question?: string | undefined;
  /** Those it may run in, at least one; default both. Sites, WAN rates and hours bind the virtual one only. */
  readonly worlds: readonly WorldName[];
  /** Of every random stream; 0 to 2^53 - 1, default 1. */
  readonly seed: number;
  /** At least one; of a replay, what its log asks for, once it was read. */
  readonly content: readonly ContentSpec[];
  readonly cdn: CdnSpec;
  /** Places with a link of their own, as a tree; bind the virtual world only. May be empty. */
  readonly sites: readonly SiteSpec[];
  /** May be empty: devices then go straight to the CDN. */
  readonly nodes: readonly NodeSpec[];
  /** At least one group. */
  readonly fleet: readonly FleetGroup[];
  /** In order of time; those of the same instant in the order of the file. */
  readonly events: readonly ScenarioEvent[];
  /** Time of day at the start of the run, in ms since midnight; for limited hours. Default 0. */
  readonly startsAtMs: number;
  /** What the live world samples of the claim; absent: it runs the scenario as it stands, in real time. */
  readonly live?: LiveWindow | undefined;
  /** A recorded access log that says what is asked for and when, in place of content, wants and arrivals. Live world only. */
  readonly replay?: ReplaySpec | undefined;
  /** What devices of the live world do with a body: compare every byte, or drop it unseen. Default `verify`. */
  readonly bodies: 'verify' | 'discard';
  readonly expect: readonly Expectation[];
  /** `fail`: the scenario shows something that does not work. Default `pass`. */
  readonly expected: 'pass' | 'fail';
};

/** A file that devices want. */
export type ContentSpec = {
  readonly id: string;
  /** At least 1. */
  readonly sizeBytes: number;
  /** Host of its URL, lower case. Default `au.download.windowsupdate.com`. */
  readonly host: string;
  /** Path of its URL. Default `/filestreamingservice/files/<id>`. */
  readonly path: string;
};

/** The content delivery network. */
export type CdnSpec = {
  /** Absent: not limited. */
  readonly egressBytesPerMs?: number | undefined;
  /** Added before the head of each answer. Default 0. */
  readonly latencyMs: number;
  /** Where it listens in the live world; absent: a free port. */
  readonly listen?: Address | undefined;
};

/**
 * A place with a link of its own, or `count` alike. What its devices and nodes receive from outside shares the link, and
 * so does, in the other direction, what its nodes send outside. Binds the virtual world only.
 */
export type SiteSpec = {
  readonly id: string;
  /** Body bytes, each way; absent: not limited. */
  readonly linkBytesPerMs?: number | undefined;
  /** How many of them there are; devices, and the copies of a child, are dealt to them in turn. Default 1. */
  readonly count: number;
  /** Id of the site that it lies in; absent: its link leads to where the CDN is. */
  readonly parent?: string | undefined;
};

/**
 * A cache node. `profile`, egress, WAN, drives, cores and memory describe a modelled machine and bind the virtual world only;
 * `limit` binds both.
 */
export type NodeSpec = {
  readonly id: string;
  /** Id of the site where it stands, one for each copy of the site; absent: where the CDN is. Virtual world only. */
  readonly site?: string | undefined;
  /** Name of a hardware profile, and what it says (the loader reads it). */
  readonly profile?: string | undefined;
  readonly hardware?: HardwareProfile | undefined;
  /** Body bytes to clients, in place of the profile's card and egress; absent: as these say, else not limited. */
  readonly egressBytesPerMs?: number | undefined;
  /** Body bytes from upstream; absent: as the profile says, else not limited. */
  readonly wanBytesPerMs?: number | undefined;
  /** One size per drive, one to nine. */
  readonly drivesBytes?: readonly number[] | undefined;
  readonly cores?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly limit?: NodeLimit | undefined;
  /** A node that we did not start: `http://host[:port]`, without a slash at the end. Live world only. */
  readonly url?: string | undefined;
  /** Id of the node that this one fetches from; absent: the CDN. */
  readonly parent?: string | undefined;
};

/** What is enforced in both worlds. */
export type NodeLimit = { readonly egressBytesPerMs?: number | undefined };

/** Devices of one kind. */
export type FleetGroup = {
  readonly id: string;
  /** How many; at least 1. */
  readonly devices: number;
  /** Id of the site where they are, dealt to its copies in turn; absent: where the CDN is. Virtual world only. */
  readonly site?: string | undefined;
  /** Which of the two real clients they behave like. Default `windows`. */
  readonly client: 'windows' | 'linux';
  /** Ids of nodes, in the order in which they are tried. Empty: straight to the CDN. */
  readonly cacheHosts: readonly string[];
  /** What one device can receive, in both worlds. Absent: not limited. */
  readonly downlink?: Downlink | undefined;
  /** What goes wrong between the devices and their servers. Live world only. Absent: nothing. */
  readonly line?: LineSpec | undefined;
  /** Ids of content, at least one. */
  readonly wants: readonly string[];
  readonly arrive: Arrival;
  readonly policy: DownloadPolicySpec;
  /** 1 to 16; absent: as the client profile has it. */
  readonly connectionsPerFile?: number | undefined;
};

/** Speeds spread evenly over the logarithm from `min` to `max` (equal: all have the same). */
export type Downlink = { readonly bytesPerMsMin: number; readonly bytesPerMsMax: number };

/** What lies between the devices of a group and their servers. */
export type LineSpec = ProcessLine | KernelLine;

/** Made by the device process: what it does to each connection. */
export type ProcessLine = {
  readonly by: 'process';
  /** Each way, on connecting and for each request. Default 0. */
  readonly latencyMs: number;
  /** Share of TCP segments that are lost; 0 to 0.5, default 0. */
  readonly lossRatio: number;
  /** Of one connection, beside the downlink of its device; absent: not limited. */
  readonly rateBytesPerMs?: number | undefined;
  /** The connection is reset after so many bytes, heads included; absent: it is not. */
  readonly resetAfterBytes?: number | undefined;
  /** Share of requests in whose course the connection is reset; default 0. */
  readonly resetRatio: number;
  /** After so many bytes, heads included, nothing comes or goes any more, and nobody is told; absent: never. */
  readonly halfOpenAfterBytes?: number | undefined;
};

/** Made by the kernel: one link for all devices of the group, whose packets it delays, drops and queues. */
export type KernelLine = {
  readonly by: 'kernel';
  /** Of a packet, each way. Default 0. */
  readonly latencyMs: number;
  /** Share of packets that are dropped, each way; 0 to 0.5, default 0. */
  readonly lossRatio: number;
  /** Of all packets to the group, headers included; absent: not limited. */
  readonly rateBytesPerMs?: number | undefined;
};

/** Devices arrive evenly at random from `atMs` to `atMs + overMs`; both default to 0. */
export type Arrival = { readonly atMs: number; readonly overMs: number };

/** The Delivery Optimization policies of a group (facts, section 2.4). */
export type DownloadPolicySpec = {
  /** Default `background`. */
  readonly priority: 'foreground' | 'background';
  /** DODelayCacheServerFallbackBackground; 0 to 30 d, or Infinity (never); absent: the CDN follows at once. */
  readonly fallbackDelayBackgroundMs?: number | undefined;
  /** DODelayCacheServerFallbackForeground; as above. */
  readonly fallbackDelayForegroundMs?: number | undefined;
  /** DOMaxBackgroundDownloadBandwidth, over all downloads of one device; absent: not limited. */
  readonly maxBackgroundDownloadBytesPerMs?: number | undefined;
  /** DOMaxForegroundDownloadBandwidth; as above. */
  readonly maxForegroundDownloadBytesPerMs?: number | undefined;
  /** DOPercentageMaxBackgroundBandwidth as a share of the downlink, above 0 to 1; absent: not limited. */
  readonly maxBackgroundRatio?: number | undefined;
  /** DOPercentageMaxForegroundBandwidth; as above. */
  readonly maxForegroundRatio?: number | undefined;
  /** DOSetHoursToLimitBackgroundDownloadBandwidth (or …Foreground…, by priority); absent: not limited. */
  readonly limitedHours?: LimitedHours | undefined;
};

/** Every day from one time of day to another (past midnight when `to` is earlier), the downlink is cut to a share. */
export type LimitedHours = {
  /** Ms since midnight. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Above 0 to 1. */
  readonly insideRatio: number;
  /** Above 0 to 1; default 1. */
  readonly outsideRatio: number;
};

/** What the live world samples: the whole fleet connects, then asks for `demand` during `window`. */
export type LiveWindow = {
  readonly windowMs: number;
  /** Of the whole fleet. `max`: each device asks for its next range when the last one has come. */
  readonly demandBytesPerMs: number | 'max';
  /**
   * First part of the window, in which the cache fills: mean and sustained rates, times of ranges and the generator's lateness
   * leave it out. Bytes, counts and events do not. Shorter than the window; absent: none.
   */
  readonly warmUpMs?: number | undefined;
};

/** Something that happens `atMs` after the start of the run. */
export type ScenarioEvent =
  /** kill -9 of the node's owner and workers. */
  | { readonly kind: 'kill'; readonly atMs: number; readonly node: string }
  /** Starts a killed node again, on the same port and drives. */
  | { readonly kind: 'restart'; readonly atMs: number; readonly node: string }
  /** SIGSTOP: connections hang instead of being refused. */
  | { readonly kind: 'freeze'; readonly atMs: number; readonly node: string }
  /** SIGCONT. */
  | { readonly kind: 'thaw'; readonly atMs: number; readonly node: string }
  /** A link goes down: what crosses it hangs. */
  | { readonly kind: 'cut'; readonly atMs: number; readonly link: LinkName }
  /** It comes back, with its full rate. */
  | { readonly kind: 'join'; readonly atMs: number; readonly link: LinkName }
  /** A link carries no more than this; `forMs` absent: until a `join` or the end. */
  | {
      readonly kind: 'narrow';
      readonly atMs: number;
      readonly link: LinkName;
      readonly toBytesPerMs: number;
      readonly forMs?: number | undefined;
    }
  /** SIGTERM: the node takes no new request, and finishes those it has. */
  | { readonly kind: 'drain'; readonly atMs: number; readonly node: string }
  /** One of the node's drives fails, with what it held. */
  | { readonly kind: 'loseDrive'; readonly atMs: number; readonly node: string }
  /** The devices of a group are told other policies; those that are not named stay. */
  | {
      readonly kind: 'policy';
      readonly atMs: number;
      readonly group: string;
      readonly policy: Partial<DownloadPolicySpec>;
    }
  | CdnFaultEvent
  /** The content's bytes and validators change. */
  | { readonly kind: 'version'; readonly atMs: number; readonly content: string };

/** `<node>.wan`: what the node fetches through; `<site>.link`: all that enters or leaves the site. */
export type LinkName =
  | { readonly kind: 'wan'; readonly node: string }
  | { readonly kind: 'site'; readonly site: string };

/** The CDN misbehaves. */
export type CdnFaultEvent = {
  readonly kind: 'cdn';
  readonly atMs: number;
  readonly fault: CdnFault;
  /** Absent: until the end of the run. */
  readonly forMs?: number | undefined;
  /** Only requests for this content; absent: all. */
  readonly content?: string | undefined;
  /** Only the next so many requests; absent: all. */
  readonly count?: number | undefined;
};

/** How the CDN misbehaves. */
export type CdnFault =
  /** Answers with this status, 400 to 599, and no content. */
  | { readonly kind: 'status'; readonly status: number }
  /** Waits before the head, beside `cdn.latency`. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Falls silent after so many body bytes and keeps the connection; absent: before the head. */
  | { readonly kind: 'stall'; readonly afterBytes?: number | undefined }
  /** Resets the connection after so many body bytes; absent: before the head. */
  | { readonly kind: 'reset'; readonly afterBytes?: number | undefined }
  /** Declares the full length and closes after so many body bytes; absent: after half of them. */
  | { readonly kind: 'shortBody'; readonly afterBytes?: number | undefined }
  /** A 206 names a range other than the one that it carries. */
  | { readonly kind: 'wrongContentRange' };
