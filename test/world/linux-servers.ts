// What a cache host and a CDN do to a Linux device in its tests: right answers, wrong ones, and silence.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import type { Address } from '../../common/address.ts';
import { etagOf } from '../../common/content.ts';
import { type Answer, contentOf, type RawRequest, updateId } from './raw-server.ts';

export const sizeBytes = 40_000;
/** How much of a body comes before a fault in its middle. */
export const halfBytes = 24_000;

/** What a request asks for: the last Range line counts. */
export function wantedBy(request: RawRequest): { start: number; end: number; isRange: boolean } {
  const lines = [...request.text.matchAll(/\r\nRange: bytes=([0-9]+)-([0-9]+)/g)];
  const last = lines.at(-1);
  return last === undefined
    ? { start: 0, end: sizeBytes, isRange: false }
    : { start: Number(last[1]), end: Number(last[2]) + 1, isRange: true };
}

export function headFor(request: RawRequest, changed: Record<string, string | undefined> = {}, line?: string): string {
  const { start, end, isRange } = wantedBy(request);
  const fields: Record<string, string | undefined> = {
    'Content-Length': String(end - start),
    ...(isRange ? { 'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
    ETag: etagOf(updateId, 1),
    ...changed,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : `${name}: ${value}\r\n`));
  return `HTTP/1.1 ${line ?? (isRange ? '206 Partial Content' : '200 OK')}\r\n${lines.join('')}\r\n`;
}

export const healthy: Answer = (request, socket, sent) => {
  const { start, end } = wantedBy(request);
  socket.write(headFor(request));
  socket.write(contentOf({ start, end }));
  sent(end - start);
};

export const status =
  (line: string, body = ''): Answer =>
  (_, socket) =>
    socket.write(`HTTP/1.1 ${line}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

export const redirect =
  (code: number, location: (a: Address) => string): ScaledAnswer =>
  ({ cdn }) =>
    status(`${code} Elsewhere\r\nLocation: ${location(cdn)}`);

/** The head and half of the body, then something else. */
export const halfThen =
  (then: (socket: net.Socket) => void): Answer =>
  (request, socket, sent) => {
    const { start } = wantedBy(request);
    const end = Math.max(start, halfBytes);
    socket.write(headFor(request));
    socket.write(contentOf({ start, end }), () => setTimeout(() => then(socket), 5));
    sent(end - start);
  };

export const hang: Answer = () => undefined;
export const reset: Answer = (_, socket) => void socket.resetAndDestroy();

export type Setting = { readonly cdn: Address; readonly scale: number };
export type ScaledAnswer = (setting: Setting) => Answer;
export type Fault = Answer | { readonly scaled: ScaledAnswer };

export const scaled = (of: ScaledAnswer): Fault => ({ scaled: of });

/** A body at so many bytes a second. */
export const trickle = (bytesPerSecond: number): Fault =>
  scaled(({ scale }) => (request, socket, sent) => {
    const { start, end } = wantedBy(request);
    socket.write(headFor(request));
    let at = start;
    const startedMs = performance.now();
    const timer = setInterval(() => {
      const due = Math.min(end, start + Math.floor(((performance.now() - startedMs) * scale * bytesPerSecond) / 1000));
      if (due > at) socket.write(contentOf({ start: at, end: due }));
      at = due;
      if (at === end) clearInterval(timer);
    }, 5);
    socket.on('close', () => clearInterval(timer));
    sent(end - start);
  });

/** One fault, or one a request; the last one stays. */
export type Script = Fault | readonly Fault[];

export async function refusingAddress(): Promise<Address> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { host: '127.0.0.1', port };
}

/** A listener that stands still behind a full queue: whoever connects hears nothing (Linux drops the SYN). */
export async function deafListener(): Promise<{ readonly address: Address; readonly stop: () => void }> {
  const program =
    "require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(this.address().port)})";
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  const address = { host: '127.0.0.1', port: Number(data.toString()) };
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 4 }, () => net.connect(address.port, address.host).on('error', () => undefined));
  await Promise.race(fillers.slice(0, 2).map((filler) => once(filler, 'connect')));
  return {
    address,
    stop: () => {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    },
  };
}
