// nginx as a node that somebody else runs, in front of the CDN of a run.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from './sim-run.ts';

const nginx = '/usr/sbin/nginx';
/** For the names of tests that need it; empty: it is there. */
export const noNginx = existsSync(nginx) ? '' : ` (skipped: there is no ${nginx})`;

/** nginx as a cache in slices of 1 MiB, in front of the CDN. `logFormat`: of its access log; returns where that is. */
export async function startNginx(port: number, originPort: number, logFormat?: string): Promise<string> {
  const log = (folder: string): string => join(folder, 'access.log');
  const folder = mkdtempSync(join(tmpdir(), 'sim-nginx-'));
  mkdirSync(join(folder, 'cache'));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; user root; worker_processes 1; pid ${folder}/pid; error_log stderr error;
events { worker_connections 512; }
http {
  ${logFormat === undefined ? 'access_log off;' : `log_format own '${logFormat}'; access_log ${log(folder)} own;`}
  client_body_temp_path ${folder}/body; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u;
  scgi_temp_path ${folder}/s; proxy_temp_path ${folder}/p;
  proxy_cache_path ${folder}/cache keys_zone=c:1m max_size=100m use_temp_path=off;
  server {
    listen 127.0.0.1:${port};
    location / {
      slice 1m; proxy_cache c; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range;
      proxy_set_header Host $arg_cacheHostOrigin; proxy_http_version 1.1; proxy_cache_valid 200 206 1h;
      proxy_cache_lock on; proxy_pass http://127.0.0.1:${originPort}$uri;
    }
  }
}`,
  );
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) spawnSync('sed', ['-i', 's/user root;//', join(folder, 'nginx.conf')]);
  const child = spawn(nginx, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  onTestFinished(async () => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await eventually('nginx', () => connects(port));
  return log(folder);
}

function connects(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true));
    socket.once('connect', () => socket.destroy()).once('error', () => resolve(undefined));
  });
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
