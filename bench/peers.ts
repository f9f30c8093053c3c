// Peers and programs of ours for one benchmark: started in a folder of their own, gone afterwards.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { programPath, type ReadyLine } from '../common/child-program.ts';

/** A server that was started for a benchmark. */
export type Server = { readonly port: number; readonly pid: number; stop(): Promise<void> };

/** One of our programs: `adminPort` answers `GET /books` and the like. */
export type Program = Server & { readonly adminPort: number };

/** Where a program is; undefined when it is not installed. */
export function installed(program: string): string | undefined {
  const found = spawnSync('sh', ['-c', `command -v ${program} || ls /usr/sbin/${program} 2>/dev/null`]);
  const path = found.stdout.toString().trim().split('\n')[0];
  return path === undefined || path === '' ? undefined : path;
}

/** Which of the programs are missing, in words; undefined when none is. Everything here needs Linux as well. */
export function missing(...programs: readonly string[]): string | undefined {
  if (process.platform !== 'linux') return `needs Linux, found ${process.platform}`;
  const absent = programs.filter((program) => installed(program) === undefined);
  return absent.length === 0 ? undefined : `not installed: ${absent.join(', ')}`;
}

/** Who was compared with whom. */
export function peerVersions(): string {
  const firstLine = (program: string, ...options: string[]): string => {
    const path = installed(program);
    const said = path === undefined ? undefined : spawnSync(path, options);
    return said === undefined
      ? `${program}: not installed`
      : `${said.stdout}${said.stderr}`.trim().split('\n')[0] || '';
  };
  const peers = [
    firstLine('nginx', '-v'),
    firstLine('varnishd', '-V'),
    firstLine('wrk', '-v'),
    firstLine('h2load', '--version'),
    firstLine('autocannon', '--version'),
  ];
  return `Node ${process.version}; ${peers.join('; ')}`;
}

/** What may differ from one nginx to another. */
export type NginxOptions = {
  /** Directives beside those of all. */
  readonly http?: string;
  /** Default: 1. With more, each listens by itself. */
  readonly workerCount?: number;
  readonly connectionsPerWorker?: number;
};

/** nginx as the design document on performance configures it: one worker, sendfile, keep-alive without end, no log. */
export async function startNginx(folder: string, locations: string, options: NginxOptions = {}): Promise<Server> {
  const { http = '', workerCount = 1, connectionsPerWorker = 8192 } = options;
  const port = await freePort();
  const config = join(folder, `nginx-${port}.conf`);
  writeFileSync(
    config,
    `daemon off; user root; worker_processes ${workerCount}; pid ${folder}/nginx-${port}.pid;
error_log ${folder}/nginx-error.log;
events { worker_connections ${connectionsPerWorker}; }
http {
  sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 300s; access_log off; ${http}
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port} backlog=4096${workerCount > 1 ? ' reuseport' : ''}; ${locations} }
}
`,
  );
  return await startPeer('nginx', ['-c', config, '-p', folder], port);
}

/** nginx as a cache before an origin on this machine, with connections to it kept. */
export function startProxy(folder: string, name: string, originPort: number, directives: string): Promise<Server> {
  mkdirSync(join(folder, name));
  return startNginx(
    folder,
    `location / { proxy_cache cache; proxy_http_version 1.1; proxy_set_header Connection ""; ${directives}
       proxy_pass http://origin; }`,
    {
      http: `proxy_cache_path ${folder}/${name} levels=1:2 keys_zone=cache:10m max_size=30g use_temp_path=off;
        upstream origin { server 127.0.0.1:${originPort}; keepalive 16; }`,
    },
  );
}

/** Varnish before an origin, its objects in memory, by its own rules. */
export async function startVarnish(folder: string, originPort: number): Promise<Server> {
  const port = await freePort();
  const state = join(folder, `varnish-${port}`);
  mkdirSync(state);
  const rules = join(folder, `varnish-${port}.vcl`);
  writeFileSync(rules, `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${originPort}"; }\n`);
  const options = ['-F', '-j', 'none', '-a', `127.0.0.1:${port}`, '-T', 'none', '-n', state, '-f', rules];
  return await startPeer('varnishd', [...options, '-s', 'malloc,4G'], port);
}

/** One of our programs, by its ready line. */
export async function startProgram(name: string, options: readonly string[]): Promise<Program> {
  const child = spawn(process.execPath, [programPath(name), ...options, '--exit-with-parent'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as ReadyLine;
  const portOf = (address: string): number => Number(address.split(':').at(-1));
  return {
    port: portOf(ready.listen),
    adminPort: portOf(ready.admin),
    pid: child.pid ?? 0,
    stop: () => stop(child),
  };
}

/** A program that is not ours ends with us all the same: the kernel tells it when its parent is gone. */
async function startPeer(program: string, options: readonly string[], port: number): Promise<Server> {
  const command = [installed(program) ?? program, ...options];
  if (installed('setpriv') !== undefined) command.unshift('setpriv', '--pdeathsig', 'TERM');
  const child = spawn(command[0] ?? program, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const server = { port, pid: child.pid ?? 0, stop: () => stop(child) };
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) break;
    if (await accepts(port)) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await server.stop();
  throw new Error(`${program} did not listen on ${port}: ${said}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(timer);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
