import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combinedFormat, compileLogFormat } from '../../simulator/replay/log-format.ts';
import type { LineParser, LogRecord } from '../../simulator/replay/log-record.ts';
import { parseNodeLine } from '../../simulator/replay/node-log.ts';
import { writtenLog } from './written-log.ts';

const numRuns = Number(process.env['ORACLE_RUNS'] ?? 200);
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

function parserOf(format: string): LineParser {
  const compiled = compileLogFormat(format);
  if (compiled.kind === 'problem') throw new Error(compiled.expected);
  return compiled.parse;
}
const recordOf = (parse: LineParser, line: string): LogRecord => {
  const record = parse(line);
  if (typeof record === 'string') throw new Error(`${record}: ${line}`);
  return record;
};

const combined = parserOf(combinedFormat);
const good = '10.0.0.1 - - [20/Nov/2026:08:00:01 +0100] "GET /a HTTP/1.1" 206 1048576 "-" "Agent/1.0"';

describe('a line of the combined format', () => {
  it('is a request with its end, to the second', () => {
    expect(combined(good)).toEqual({
      client: '10.0.0.1',
      userAgent: 'Agent/1.0',
      timeMs: Date.parse('2026-11-20T07:00:01Z'),
      resolutionMs: 1000,
      timeIs: 'end',
      durationMs: undefined,
      method: 'GET',
      target: '/a',
      host: undefined,
      status: 206,
      bodyBytes: 1_048_576,
      range: undefined,
      contentRange: undefined,
      isAborted: false,
      hitBytes: undefined,
    });
  });

  it.each([
    ['an IPv6 client', good.replace('10.0.0.1', '2001:db8::17'), { client: '2001:db8::17' }],
    ['an absolute target', good.replace('/a', 'http://h.test/a?b=c'), { target: 'http://h.test/a?b=c' }],
    ['a user with blanks', good.replace('- - [', '- some one ['), { status: 206 }],
    ['escaped quotes and bytes', good.replace('/a', '/\\x22a\\xC3'), { target: '/"a\u00c3' }],
    ['no request at all', good.replace('GET /a HTTP/1.1', '-').replace('206', '400'), { method: '', status: 400 }],
    ['another zone', good.replace('+0100', '-0930'), { timeMs: Date.parse('2026-11-20T17:30:01Z') }],
  ])('may have %s', (_what, line, expected) => {
    expect(combined(line)).toMatchObject(expected);
  });

  it.each([
    ['nothing', '', 'format'],
    ['JSON', '{"time":"x"}', 'format'],
    ['binary garbage', '\0\u00ff\u0001'.repeat(50), 'format'],
    ['a cut line', good.slice(0, -1), 'format'],
    ['something behind the last quote', `${good} 0.5`, 'format'],
    ['a day that is none', good.replace('20/Nov', '31/Nov'), 'time'],
    ['a month that is none', good.replace('Nov', 'Nix'), 'time'],
    ['a status that is no number', good.replace('206', '2x6'), 'number'],
  ])('is unusable with %s', (_what, line, reason) => {
    expect(combined(line)).toBe(reason);
  });
});

describe('a log_format', () => {
  it.each([
    ['$remote_addr $status', 'a log_format with $body_bytes_sent, $time_local, $time_iso8601 or $msec, $request'],
    [`${combinedFormat}$http_range`, undefined],
    [
      '$msec$remote_addr "$request" $status $body_bytes_sent',
      'a text between $msec and $remote_addr, so that they can be told apart',
    ],
    [`${combinedFormat} $status`, '$status once'],
    [`$msec $remote_addr $request_method $request_uri $status \${body_bytes_sent}`, undefined],
  ])('%s is understood, or told what it lacks', (format, expected) => {
    const compiled = compileLogFormat(format);
    expect(compiled.kind === 'problem' ? compiled.expected : undefined).toBe(expected);
  });

  it('may say more: duration, host, ranges, what came from the cache, and that an answer broke off', () => {
    const parse = parserOf(
      `${combinedFormat} $request_time $host "$http_range" "$sent_http_content_range" $upstream_cache_status "$request_completion"`,
    );
    expect(parse(`${good} 1.250 files.test "bytes=0-9" "bytes 0-9/70" HIT ""`)).toMatchObject({
      durationMs: 1250,
      host: 'files.test',
      range: 'bytes=0-9',
      contentRange: 'bytes 0-9/70',
      hitBytes: 1_048_576,
      isAborted: true,
    });
    expect(parse(`${good} 1.250 files.test "-" "-" MISS "OK"`)).toMatchObject({
      range: undefined,
      hitBytes: 0,
      isAborted: false,
    });
    expect(parse(`${good} - files.test "-" "-" - "OK"`)).toMatchObject({ durationMs: undefined, hitBytes: undefined });
  });

  it('may be JSON, whose quotes are escaped', () => {
    const parse = parserOf(
      '{"t":"$time_iso8601","c":"$remote_addr","r":"$request","s":$status,"b":$body_bytes_sent,"a":"$http_user_agent"}',
    );
    const line =
      '{"t":"2026-11-20T08:00:01+00:00","c":"10.0.0.1","r":"GET /\\"a\\\\ HTTP/1.1","s":200,"b":5,"a":"x\\\\"}';
    expect(parse(line)).toMatchObject({ target: '/"a\\', status: 200, bodyBytes: 5, userAgent: 'x\\' });
  });

  it('reads what its own lines say, whatever their values', () => {
    const quoted = fc.string({
      unit: fc.constantFrom('a', ' ', '\\x22', '[', ']', '-', '\\x5C', '\u00e9'),
      minLength: 2,
      maxLength: 12,
    });
    const word = fc.string({ unit: fc.constantFrom('a', '1', '.', ':', '/'), minLength: 2, maxLength: 8 });
    const number = fc.nat(2 ** 40);
    const values = fc.record({
      remote_addr: word,
      request: quoted,
      http_range: quoted,
      status: number,
      body_bytes_sent: number,
    });
    const separators = fc.tuple(...Array.from({ length: 4 }, () => fc.constantFrom(' ', ' - ', ' | ', '\t')));
    fc.assert(
      fc.property(values, separators, (value, [a, b, c, d]) => {
        const format = `$remote_addr${a}[$msec]${b}"$request"${c}$status $body_bytes_sent${d}"$http_range"`;
        const line = `${value.remote_addr}${a}[1763625601.250]${b}"${value.request}"${c}${value.status} ${value.body_bytes_sent}${d}"${value.http_range}"`;
        const plain = (text: string): string => text.replaceAll('\\x22', '"').replaceAll('\\x5C', '\\');
        expect(recordOf(parserOf(format), line)).toMatchObject({
          client: value.remote_addr,
          timeMs: 1_763_625_601_250,
          resolutionMs: 1,
          method: plain(value.request).split(' ')[0],
          range: plain(value.http_range),
          status: value.status,
          bodyBytes: value.body_bytes_sent,
        });
      }),
      { numRuns, ...seed },
    );
  });

  it('never fails otherwise than by a reason', () => {
    const piece = fc.constantFrom(...good, ' ', '"', '\\', '[', '206', '\0', '{', '}');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 150 }).map((pieces) => pieces.join('')),
        (text) => {
          for (const parse of [combined, parseNodeLine]) expect(['string', 'object']).toContain(typeof parse(text));
        },
      ),
      { numRuns, ...seed },
    );
  });
});

describe('a line of the node', () => {
  const line = {
    time: '2026-11-20T08:00:01.250Z',
    client: '::1',
    method: 'GET',
    target: '/a',
    status: 206,
    bodyBytes: 9,
  };

  it('is a request with its beginning and duration', () => {
    const more = {
      origin: 'h.test',
      host: 'x',
      range: 'bytes=0-8',
      hitBytes: 9,
      missBytes: 0,
      durationMs: 2.5,
      aborted: true,
    };
    expect(parseNodeLine(JSON.stringify({ ...line, ...more }))).toMatchObject({
      timeMs: Date.parse(line.time),
      timeIs: 'begin',
      durationMs: 2.5,
      host: 'h.test',
      range: 'bytes=0-8',
      hitBytes: 9,
      isAborted: true,
    });
  });

  it.each([
    ['without a client', { ...line, client: undefined }, 'format'],
    ['with bytes that are no number', { ...line, bodyBytes: '9' }, 'format'],
    ['with a time that is none', { ...line, time: 'yesterday' }, 'time'],
  ])('%s is unusable', (_what, written, reason) => {
    expect(parseNodeLine(JSON.stringify(written))).toBe(reason);
  });
});

const nginx = '/usr/sbin/nginx';
const noNginx = existsSync(nginx) ? '' : ` (skipped: there is no ${nginx})`;

describe.skipIf(noNginx !== '')(`what nginx itself writes${noNginx}`, () => {
  it('is read as what was asked', async () => {
    const own = `${combinedFormat} $request_time $host "$http_range" "$sent_http_content_range"`;
    const json =
      '{"t":"$time_iso8601","c":"$remote_addr","r":"$request","s":$status,"b":$body_bytes_sent,"a":"$http_user_agent"}';
    const folder = dirname(writtenLog('x'.repeat(5000), 'file'));
    mkdirSync(join(folder, 'tmp'));
    const port = await freePort();
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; ${user} pid ${folder}/pid; error_log stderr error; events { worker_connections 64; }
http {
  client_body_temp_path ${folder}/tmp; proxy_temp_path ${folder}/tmp; fastcgi_temp_path ${folder}/tmp;
  uwsgi_temp_path ${folder}/tmp; scgi_temp_path ${folder}/tmp;
  log_format own '${own}'; log_format inJson escape=json '${json}';
  access_log ${folder}/combined.log combined; access_log ${folder}/own.log own; access_log ${folder}/json.log inJson;
  server { listen 127.0.0.1:${port}; root ${folder}; }
}`,
    );
    const child = spawn(nginx, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
    const agent = 'Quote " back \\ and \u00e9';
    while ((await ask(port, '/file', {})) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    await ask(port, '/file?P1=%22a%22', { Range: 'bytes=100-199', 'User-Agent': agent, Host: 'Files.test' });
    await ask(port, '/none', {});
    const gone = once(child, 'exit');
    child.kill('SIGQUIT');
    await gone;
    const last = (name: string): string => readFileSync(join(folder, name), 'latin1').trim().split('\n').at(-2) ?? '';
    const expected = {
      client: '127.0.0.1',
      method: 'GET',
      target: '/file?P1=%22a%22',
      status: 206,
      bodyBytes: 100,
      userAgent: agent,
    };
    expect(combined(last('combined.log'))).toMatchObject(expected);
    expect(parserOf(json)(last('json.log'))).toMatchObject({ ...expected, userAgent: agent });
    expect(parserOf(own)(last('own.log'))).toMatchObject({
      ...expected,
      host: 'files.test',
      range: 'bytes=100-199',
      contentRange: 'bytes 100-199/5000',
    });
  });
});

/** The status of an answer; undefined when there is no connection. */
function ask(port: number, path: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode));
      })
      .once('error', () => resolve(undefined));
  });
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
