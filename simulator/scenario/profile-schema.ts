// The schema of hardware profiles, `profiles/<name>.yaml`: what users or `sim calibrate` write (values with units) becomes
// a HardwareProfile (inner units).

import { z } from 'zod';
import { driveSizes } from './place-schema.ts';
import type { FigureBasis, HardwareProfile } from './profile.ts';
import { keys, type ProblemParams, quantity, text, whole, word } from './values.ts';

/** 1,448 of 1,538 bytes a packet: Ethernet with preamble and gap, IPv4, TCP with time stamps; 1,500 bytes a frame. */
export const bodyPerWireRatioDefault = 1448 / 1538;
/** Linux keeps half of an otherwise idle node's memory for pages with ease; assumed. */
const pageCacheRatioDefault = 0.5;

const bytesPerGB = 1e9;

const ratio = (floor: 'zeroOrMore' | 'aboveZero') => {
  const error = floor === 'aboveZero' ? 'a number above 0, up to 1' : 'a number from 0 to 1';
  const number = z.number({ error }).max(1, { error });
  return floor === 'aboveZero' ? number.gt(0, { error }) : number.min(0, { error });
};

const coefficient = ratio('zeroOrMore');

const cost = () => quantity('duration', 'zeroOrMore');

const diskSchema = keys('the rates of a drive', {
  read: quantity('rate', 'aboveZero').optional().describe('Rate of reading, of each drive; default: not limited'),
  write: quantity('rate', 'aboveZero').optional().describe('Rate of writing, of each drive; default: not limited'),
});

const cpuSchema = keys('processor time of one core', {
  perConnection: cost().prefault('0 ms').describe('Of a connection taken in; default 0 ms'),
  perRequest: cost().describe('Of an answered request'),
  perGB: cost().describe('Of a GB sent from memory'),
  readPerGB: cost().prefault('0 ms').describe('Of a GB read from a drive, beside perGB; default 0 ms'),
  perFetch: cost().prefault('0 ms').describe('Of a request to upstream; default 0 ms'),
  fetchPerGB: cost().prefault('0 ms').describe('Of a GB fetched and stored; default 0 ms'),
}).transform(({ perConnection, perRequest, perGB, readPerGB, perFetch, fetchPerGB }) => ({
  msPerConnection: perConnection,
  msPerRequest: perRequest,
  msPerByte: perGB / bytesPerGB,
  msPerByteRead: readPerGB / bytesPerGB,
  msPerFetch: perFetch,
  msPerByteFetched: fetchPerGB / bytesPerGB,
}));

const latencySchema = keys('the time of a request on an idle node', {
  hit: cost().describe('Of one that is answered from the cache, beside the transfer of its bytes'),
  miss: cost().describe('Of one that is fetched, beside that and beside the time that its upstream takes'),
}).transform(({ hit, miss }) => ({ hitMs: hit, missMs: miss }));

const concurrencySchema = keys('coefficients of the Universal Scalability Law', {
  sigma: coefficient.describe('Contention: share of the work that is done one after the other'),
  kappa: coefficient.describe('Coherency: cost of each pair of connections'),
  connectionsMax: whole('a whole number of connections, 1 or more', 1).describe('The largest number that was measured'),
});

const harnessSchema = keys('what load generator and CDN take of the same processor', {
  clientPerConnection: cost().prefault('0 ms').describe('Of a connection that a device opens; default 0 ms'),
  clientPerRequest: cost().describe('Processor time of one core, of a request that the load generator sends'),
  clientPerGB: cost().describe('Of a GB that the load generator receives'),
  cdnPerRequest: cost().describe('Of a request that the CDN answers'),
  cdnPerGB: cost().describe('Of a GB that the CDN sends'),
}).transform((costs) => ({
  clientMsPerConnection: costs.clientPerConnection,
  clientMsPerRequest: costs.clientPerRequest,
  clientMsPerByte: costs.clientPerGB / bytesPerGB,
  cdnMsPerRequest: costs.cdnPerRequest,
  cdnMsPerByte: costs.cdnPerGB / bytesPerGB,
}));

const coresExpected = 'a number of cores above 0, up to 1024';
const coreCount = z
  .number({ error: coresExpected })
  .gt(0, { error: coresExpected })
  .max(1024, { error: coresExpected });

/** The keys that hold figures, each with a basis. */
const figureShape = {
  nic: quantity('rate', 'aboveZero').optional().describe('Wire rate of the network card, each way'),
  bodyPerWireRatio: ratio('aboveZero')
    .optional()
    .describe('Body bytes by wire bytes; default 0.941: 1,448 of 1,538 bytes a packet'),
  egress: quantity('rate', 'aboveZero').optional().describe('Most body bytes to clients, where a source states it'),
  wan: quantity('rate', 'aboveZero').optional().describe('Most body bytes from upstream'),
  cores: coreCount.optional().describe('Processor cores; a measured number need not be whole'),
  memory: quantity('bytes', 'aboveZero').optional().describe('Memory'),
  pageCacheRatio: ratio('zeroOrMore').optional().describe('Share of the memory that holds content; default 0.5'),
  drives: driveSizes.optional().describe('Drives, one size each'),
  disk: diskSchema.optional().describe('What each drive reads and writes'),
  cpu: cpuSchema.optional().describe('Processor time; default: the processor does not limit'),
  latency: latencySchema.optional().describe('Time of a request beside the transfer; default: none'),
  concurrency: concurrencySchema.optional().describe('How the processor scales with connections; default: ideally'),
  harness: harnessSchema.optional().describe('Processor time of a live run beside the node; calibrated machines only'),
};

/** The keys of figures. */
export const figureNames: readonly string[] = Object.keys(figureShape);

type FigureName = keyof typeof figureShape;

const basisWord = word(['given', 'measured', 'assumed']).optional();
const basisShape = Object.fromEntries(
  figureNames.map((name) => [name, basisWord.describe(`Where ${name} comes from`)]),
) as Record<FigureName, typeof basisWord>;
const basisSchema = keys('where the figures come from', basisShape);

/** The schema of a profile file. Its output is a {@link HardwareProfile} without its id, which is the file's name. */
export const profileSchema = keys('a hardware profile', {
  name: text('a name of the machine').describe('Name, as a report shows it'),
  source: text('a text').describe('Document, or command and day of the measurement'),
  ...figureShape,
  basis: basisSchema.prefault({}).describe('Where each figure comes from; default: given'),
})
  .superRefine((written, context) => {
    for (const name of Object.keys(written.basis)) {
      if (written[name as FigureName] !== undefined) continue;
      const params: ProblemParams = { found: `${name}, which this profile does not have` };
      context.addIssue({
        code: 'custom',
        message: 'the name of a figure of this profile',
        params,
        path: ['basis', name],
      });
    }
  })
  .transform((written): Omit<HardwareProfile, 'id'> => {
    const { nic, egress, wan, memory, drives, disk, bodyPerWireRatio, pageCacheRatio, basis, ...rest } = written;
    return {
      ...rest,
      basis: basisOf(basis, { bodyPerWireRatio, pageCacheRatio }),
      nicWireBytesPerMs: nic,
      bodyPerWireRatio: bodyPerWireRatio ?? bodyPerWireRatioDefault,
      egressBytesPerMs: egress,
      wanBytesPerMs: wan,
      memoryBytes: memory,
      pageCacheRatio: pageCacheRatio ?? pageCacheRatioDefault,
      drivesBytes: drives,
      diskReadBytesPerMs: disk?.read,
      diskWriteBytesPerMs: disk?.write,
    };
  });

/** As written; a default that stands in for a figure is assumed. */
function basisOf(
  written: Readonly<Partial<Record<FigureName, FigureBasis | undefined>>>,
  withDefault: Readonly<Record<string, unknown>>,
): HardwareProfile['basis'] {
  const defaulted = Object.entries(withDefault).filter(([, value]) => value === undefined);
  const named = Object.entries(written).flatMap(([name, basis]) =>
    basis === undefined ? [] : [[name, basis] as const],
  );
  return Object.fromEntries([...named, ...defaulted.map(([name]) => [name, 'assumed'] as const)]);
}
