// A calibration as a profile file: YAML for people and for `profile:` of a scenario, each figure with how well it fits. The
// first line carries a checksum of the rest, by which a file that somebody has edited is told from one as we wrote it.

import { createHash } from 'node:crypto';
import { Document, isMap, isScalar } from 'yaml';
import type { HardwareProfile } from '../scenario/profile.ts';
import type { Calibration, FigureNote } from './calibration.ts';
import type { Residuals } from './fit.ts';

const mark = '# Written by sim calibrate, sha256 of the lines below: ';

/** The whole file. `about`: lines on machine, day and command. */
export function profileText(calibration: Calibration, about: readonly string[]): string {
  const { profile, figures, notes } = calibration;
  const document = new Document(profileValues(profile));
  const comments = new Map<string, FigureNote>(figures.map((figure) => [figure.key, figure]));
  for (const { key } of isMap(document.contents) ? document.contents.items : []) {
    const figure = isScalar(key) ? comments.get(String(key.value)) : undefined;
    if (!isScalar(key) || figure === undefined) continue;
    key.commentBefore = commentLines(figure);
    key.spaceBefore = true;
  }
  document.commentBefore = [
    ...about,
    '',
    'A fit says how far it is from what was measured as |ln(fitted ÷ measured)|: 0.05 is 5 %.',
    ...notes.map((note) => `Note: ${note}.`),
  ]
    .flatMap(wrapped)
    .map((line) => (line === '' ? '' : ` ${line}`))
    .join('\n');
  return withChecksum(document.toString({ lineWidth: 0 }));
}

/** Whether the text is as `sim calibrate` wrote it. */
export function isUntouched(text: string): boolean {
  const [first = '', ...rest] = text.split('\n');
  return first === `${mark}${checksum(rest.join('\n'))}`;
}

const withChecksum = (text: string): string => `${mark}${checksum(text)}\n${text}`;
const checksum = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The keys of the file, each value with its unit; what the profile does not say is left out. */
function profileValues(profile: HardwareProfile): Readonly<Record<string, unknown>> {
  const { cpu, latency, concurrency, harness, egressBytesPerMs, cores, memoryBytes } = profile;
  return withoutUndefined({
    name: profile.name,
    source: profile.source,
    egress: egressBytesPerMs && `${digits((egressBytesPerMs * 8000) / 1e9)} Gbit/s`,
    memory: memoryBytes && `${digits(memoryBytes / 2 ** 30)} GiB`,
    cores: cores && Number(digits(cores)),
    cpu: cpu && {
      ...(cpu.msPerConnection > 0 && { perConnection: ms(cpu.msPerConnection) }),
      ...{ perRequest: ms(cpu.msPerRequest), perGB: msPerGB(cpu.msPerByte) },
      ...(cpu.msPerFetch > 0 && { perFetch: ms(cpu.msPerFetch) }),
      ...(cpu.msPerByteFetched > 0 && { fetchPerGB: msPerGB(cpu.msPerByteFetched) }),
    },
    latency: latency && { hit: ms(latency.hitMs), miss: ms(latency.missMs) },
    concurrency: concurrency && {
      ...{ sigma: Number(digits(concurrency.sigma)), kappa: Number(digits(concurrency.kappa)) },
      connectionsMax: concurrency.connectionsMax,
    },
    harness: harness && {
      ...(harness.clientMsPerConnection > 0 && { clientPerConnection: ms(harness.clientMsPerConnection) }),
      ...{ clientPerRequest: ms(harness.clientMsPerRequest), clientPerGB: msPerGB(harness.clientMsPerByte) },
      ...{ cdnPerRequest: ms(harness.cdnMsPerRequest), cdnPerGB: msPerGB(harness.cdnMsPerByte) },
    },
    basis: profile.basis,
  });
}

const withoutUndefined = (values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** Four digits: more than any of these measurements is worth. */
const digits = (value: number): string => String(Number(value.toPrecision(4)));
const ms = (value: number): string => `${digits(value)} ms`;
const msPerGB = (msPerByte: number): string => ms(msPerByte * 1e9);

function commentLines({ residuals, note }: FigureNote): string {
  const lines = [
    ...(note === undefined ? [] : wrapped(note)),
    ...(residuals === undefined ? [] : [residualText(residuals)]),
  ];
  return lines.map((line) => ` ${line}`).join('\n');
}

export const residualText = ({ count, medianLn, worstLn }: Residuals): string =>
  `Fit: median ${medianLn.toFixed(3)}, worst ${worstLn.toFixed(3)}, n = ${count}`;

const columns = 110;

function wrapped(text: string): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
