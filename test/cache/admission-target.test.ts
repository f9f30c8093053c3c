// From a request line to an origin, a target and a key: what is untouched, what is refused, and that no two different
// objects share a key. Random requests are compared with a slow reader that works character by character.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalHost } from '../../cache/http/host-name.ts';
import { documentedHosts, OriginTable } from '../../cache/http/origin-table.ts';
import { type RequestTarget, readRequestTarget, targetLengthMax } from '../../cache/http/request-target.ts';
import type { KeyQuery, OriginSetting } from '../../cache/settings.ts';

const listed = (host: string, more: Partial<OriginSetting> = {}): OriginSetting => ({
  ...{ host, port: 80, connect: undefined, canonical: undefined, mayBePrivate: false, source: '--origin' },
  ...more,
});
const table = new OriginTable([
  listed('a.test'),
  listed('b.test', { port: 8080, canonical: 'shared' }),
  listed('*.c.test', { canonical: 'shared' }),
  listed('10.0.0.5', { mayBePrivate: true }),
  listed('[fe80::1]', { mayBePrivate: true }),
]);
const read = (url: string, host = 'a.test', keyQuery: KeyQuery = 'all') =>
  readRequestTarget(url, host, table, keyQuery);
function target(url: string, host?: string, keyQuery?: KeyQuery): RequestTarget {
  const found = read(url, host, keyQuery);
  if ('status' in found) throw new Error(`${url}: ${found.status} ${found.reason}`);
  return found;
}
const status = (url: string, host?: string): number | undefined => {
  const found = read(url, host);
  return 'status' in found ? found.status : undefined;
};

describe('the target', () => {
  it.each([
    ['/p', '/p', 'a.test/p'],
    ['/p?', '/p?', 'a.test/p?'],
    ['/p?a=1&&b=%2F+%20&', '/p?a=1&&b=%2F+%20&', 'a.test/p?a=1&&b=%2F+%20&'],
    ['/p?P1=1&a=1&P4=x%3d&P5=y', '/p?P1=1&a=1&P4=x%3d&P5=y', 'a.test/p?a=1&P5=y'],
    ['/p?P1=1', '/p?P1=1', 'a.test/p'],
    ['/p?x=1&cacheHostOrigin=a.test&y=2', '/p?x=1&y=2', 'a.test/p?x=1&y=2'],
    ['/p?cachehostorigin=b.test', '/p', 'shared/p'],
    ['/p?cacheHostOrigin=nobody&cacheHostOrigin=b.test', '/p', 'shared/p'],
    ['/p?cacheHostOrigin=x.c.test', '/p', 'shared/p'],
    ['/p?cacheHostOrigin=B%2Etest%2E%3A99', '/p', 'shared/p'],
    ['/p?cacheHostOrigin=10.0.0.5', '/p', '10.0.0.5/p'],
    ['/p?cacheHostOrigin=[FE80::0:1]', '/p', '[fe80::1]/p'],
    ['//a//b/', '//a//b/', 'a.test//a//b/'],
    ['/a%2fb%5Cc%00%0d%0a%2e', '/a%2fb%5Cc%00%0d%0a%2e', 'a.test/a%2fb%5Cc%00%0d%0a%2e'],
    ['/...', '/...', 'a.test/...'],
    ['/a/..b/c..', '/a/..b/c..', 'a.test/a/..b/c..'],
    ['/%252e%252e/x', '/%252e%252e/x', 'a.test/%252e%252e/x'],
    ['http://b.test:8080/p?q', '/p?q', 'shared/p?q'],
    ['HTTP://B.TEST?q', '/?q', 'shared/?q'],
    ['http://b.test', '/', 'shared/'],
  ])('%s asks for %s and is kept as %s', (url, expected, key) => {
    expect([target(url).target, target(url).key]).toEqual([expected, key]);
  });

  it.each([
    ['', 400],
    ['p', 400],
    ['*', 400],
    ['a.test:80', 400],
    ['ftp://a.test/p', 400],
    ['https://a.test/p', 400],
    ['http:///p', 400],
    ['http://user@a.test/p', 400],
    ['http://user:pw@a.test:80/p', 400],
    ['http://a.test\\@b.test/p', 400],
    ['/p#f', 400],
    ['/p?a#f', 400],
    ['/a b', 400],
    ['/a\tb', 400],
    ['/a\0b', 400],
    ['/a\u007fb', 400],
    ['/a\\b', 400],
    ['/..', 400],
    ['/a/../b', 400],
    ['/a/./b', 400],
    ['/%2e%2E/b', 400],
    ['/.%2e', 400],
    ['/a/..?q', 400],
    ['/a%2f..%2fb', 400],
    ['/..%5cb', 400],
    [`/${'x'.repeat(targetLengthMax)}`, 414],
    ['/p?cacheHostOrigin=', 403],
    ['/p?cacheHostOrigin', 403],
    ['/p?cacheHostOrigin=a.test&cacheHostOrigin=', 403],
    ['/p?cacheHostOrigin=user@a.test', 403],
    ['/p?cacheHostOrigin=a.test%2fx', 403],
    ['/p?cacheHostOrigin=a.test%23', 403],
    ['/p?cacheHostOrigin=a.test%00', 403],
    ['/p?cacheHostOrigin=a.test%0d%0aX:%201', 403],
    ['/p?cacheHostOrigin=%61%E3%80%82test', 403],
    ['/p?cacheHostOrigin=%EF%BD%81.test', 403],
    ['/p?cacheHostOrigin=%FF', 403],
    ['/p?cacheHostOrigin=%', 403],
    ['/p?cacheHostOrigin=a..test', 403],
    ['/p?cacheHostOrigin=.a.test', 403],
    ['/p?cacheHostOrigin=a.test..', 403],
    ['/p?cacheHostOrigin=*.c.test', 403],
    ['/p?cacheHostOrigin=c.test', 403],
    ['/p?cacheHostOrigin=.c.test', 403],
    ['/p?cacheHostOrigin=xc.test', 403],
    ['/p?cacheHostOrigin=a.test,b.test', 403],
    ['/p?cacheHostOrigin=http:%2F%2Fa.test', 403],
    ['/p?cacheHostOrigin=127.0.0.1', 403],
    ['/p?cacheHostOrigin=10.0.0.6', 403],
    ['/p?cacheHostOrigin=012.0.0.5', 403],
    ['/p?cacheHostOrigin=167772165', 403],
    ['/p?cacheHostOrigin=0xa000005', 403],
    ['/p?cacheHostOrigin=0xa.0.0.5', 403],
    ['/p?cacheHostOrigin=10.5', 403],
    ['/p?cacheHostOrigin=[::ffff:10.0.0.5]', 403],
    ['/p?cacheHostOrigin=::1', 403],
    ['/p?cacheHostOrigin=[::1]', 403],
    ['/p?cacheHostOrigin=[fe80::1%25eth0]', 403],
    ['/p?cacheHostOrigin=localhost', 403],
  ])('%j is refused with %d', (url, expected) => {
    expect(status(url)).toBe(expected);
  });

  it('takes of the query what --key-query says into the key', () => {
    const url = '/p?P1=1&a=2&b=3&a=4';
    expect(target(url, 'a.test', 'none').key).toBe('a.test/p');
    expect(target(url, 'a.test', 'exact').key).toBe(`a.test${url}`);
    expect(target(url, 'a.test', { except: ['a'] }).key).toBe('a.test/p?b=3');
    for (const keyQuery of ['none', 'exact', { except: ['a'] }] as const) {
      expect(target(url, 'a.test', keyQuery).target).toBe(url);
    }
  });
});

describe('a host of several spellings', () => {
  it('is one host', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a.test', 'download.windowsupdate.com', '10.0.0.5'),
        fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
        fc.boolean(),
        fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
        (host, upper, dot, port) => {
          const cased = [...host].map((letter, index) => (upper[index] === true ? letter.toUpperCase() : letter));
          const spelt = `${cased.join('')}${dot ? '.' : ''}${port === undefined ? '' : `:${port}`}`;
          expect(canonicalHost(spelt)).toBe(host);
        },
      ),
    );
  });

  it('of any text is itself again, and plain ASCII without a slash', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.domain(),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(text, (host) => {
        const canonical = canonicalHost(host);
        if (canonical === undefined) return;
        expect(canonicalHost(canonical)).toBe(canonical);
        expect(canonical).toMatch(/^([a-z0-9._-]+|\[[0-9a-f:]+\])$/);
      }),
    );
  });

  it('is no address unless it is written as one: whatever a URL would make an address of', () => {
    fc.assert(
      fc.property(fc.ipV4Extended(), (text) => {
        const canonical = canonicalHost(text);
        if (canonical === undefined) return;
        // What is let through means the same to a resolver as to us.
        expect(new URL(`http://${text}`).hostname).toBe(canonical);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the host table', () => {
  it('has every documented host, and no host beside or above', () => {
    for (const host of documentedHosts) expect(new OriginTable([]).find(host.replace('*', 'x'))).toBeDefined();
    for (const host of [
      ...['7.au.download.windowsupdate.com', 'au.b1.download.windowsupdate.com', 'tlu.dl.delivery.mp.microsoft.com'],
      ...['msedge.b.tlu.dl.delivery.mp.microsoft.com', 'b.c2r.ts.cdn.office.net', 'swda01-mscdn.manage.microsoft.com'],
      ...[
        'statics.teams.cdn.office.net',
        'res.cdn.office.net',
        'nlu.dl.adu.microsoft.com',
        'swdin.manage.microsoft.com',
      ],
    ]) {
      expect([host, new OriginTable([]).find(host)?.mayBePrivate]).toEqual([host, false]);
    }
    const strangers = ['windowsupdate.com', 'microsoft.com', 'geomcc.prod.do.dsp.mp.microsoft.com', 'office.net', ''];
    for (const host of strangers) expect([host, new OriginTable([]).find(host)]).toEqual([host, undefined]);
  });

  it('prefers what the operator listed, exact names, and long patterns', () => {
    const place = (port: number) => ({ connect: { host: '127.0.0.1', port } });
    const own = new OriginTable([
      listed('*.test', place(1)),
      listed('*.b.test', place(2)),
      listed('a.b.test', place(3)),
      listed('*.windowsupdate.com', place(4)),
    ]);
    const portOf = (host: string): number | undefined => own.find(host)?.connect?.port;
    expect(['x.test', 'x.b.test', 'a.b.test', 'download.windowsupdate.com'].map(portOf)).toEqual([1, 2, 3, 4]);
  });
});

/** Reads a request as `readRequestTarget` does, one character at a time. */
function slowly(url: string, keyQuery: KeyQuery): { target: string; key: string } | undefined {
  let path = '';
  const groups: string[] = [];
  let hasQuery = false;
  for (const letter of url) {
    const code = letter.codePointAt(0) ?? 0;
    if (code <= 0x20 || code === 0x7f || letter === '#' || letter === '\\') return undefined;
    if (hasQuery) {
      if (letter === '&') groups.push('');
      else groups.push((groups.pop() ?? '') + letter);
    } else if (letter === '?') {
      hasQuery = true;
      groups.push('');
    } else path += letter;
  }
  if (path[0] !== '/') return undefined;
  const segments = path
    .replaceAll('%2f', '/')
    .replaceAll('%2F', '/')
    .replaceAll('%5c', '/')
    .replaceAll('%5C', '/')
    .split('/');
  if (segments.some((each) => ['.', '..'].includes(each.replaceAll('%2e', '.').replaceAll('%2E', '.'))))
    return undefined;
  let named: string | undefined;
  let sent = '';
  let kept = '';
  for (const group of groups) {
    const name = group.includes('=') ? group.slice(0, group.indexOf('=')) : group;
    if (name.toLowerCase() === 'cachehostorigin') {
      named = group.slice(name.length + 1);
      continue;
    }
    sent += `${sent === '' ? '?' : '&'}${group}`;
    const signed = ['P1', 'P2', 'P3', 'P4'].includes(name);
    const isKept =
      keyQuery === 'exact' ||
      (!signed && keyQuery !== 'none' && (keyQuery === 'all' || !keyQuery.except.includes(name)));
    if (isKept) kept += `${kept === '' ? '?' : '&'}${group}`;
  }
  const aliases: Readonly<Record<string, string>> = { 'a.test': 'a.test', 'b.test': 'shared', 'x.c.test': 'shared' };
  const canonical = aliases[named ?? 'a.test'];
  return canonical === undefined ? undefined : { target: path + sent, key: canonical + path + kept };
}

describe('random requests', () => {
  const segment = fc.oneof(
    fc.constantFrom('', '.', '..', '%2e', '%2E.', '%2f', '..%5C', 'a', 'b%00', '...', 'c d', 'x\\y', '#', 'ä'),
    fc.string({ maxLength: 4 }),
  );
  const name = fc.constantFrom(
    'a',
    'b',
    'P1',
    'P4',
    'p1',
    'P5',
    '',
    'cacheHostOrigin',
    'CACHEHOSTORIGIN',
    'cacheHostOrigi',
  );
  const value = fc.option(fc.constantFrom('', '1', '=', 'a=b', '%41', 'a.test', 'b.test', 'x.c.test', 'd.test'), {
    nil: undefined,
  });
  const argument = fc.tuple(name, value).map(([left, right]) => (right === undefined ? left : `${left}=${right}`));
  const url = fc
    .tuple(
      fc.array(segment, { minLength: 1, maxLength: 5 }),
      fc.option(fc.array(argument, { maxLength: 5 }), { nil: undefined }),
    )
    .map(([path, query]) => `/${path.join('/')}${query === undefined ? '' : `?${query.join('&')}`}`);
  const keyQuery = fc.constantFrom<KeyQuery>('all', 'none', 'exact', { except: ['a', 'p1'] });

  it('are read as a slow reader reads them', () => {
    fc.assert(
      fc.property(url, keyQuery, (text, which) => {
        const found = read(text, 'a.test', which);
        const expected = slowly(text, which);
        expect('status' in found ? undefined : { target: found.target, key: found.key }).toEqual(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('that share a key are for one path of hosts of one alias', () => {
    fc.assert(
      fc.property(fc.array(url, { minLength: 2, maxLength: 30 }), (urls) => {
        const seen = new Map<string, string>();
        for (const text of urls) {
          const found = read(text);
          if ('status' in found) continue;
          const is = `${found.origin.canonical} ${found.target.split('?', 1)[0]}`;
          expect(seen.get(found.key) ?? is).toBe(is);
          seen.set(found.key, is);
        }
      }),
    );
  });

  it('send upstream a target that reads as itself, and never names an origin there', () => {
    fc.assert(
      fc.property(url, (text) => {
        const found = read(text);
        if ('status' in found) return;
        expect(target(found.target, found.origin.host).target).toBe(found.target);
        const [, query = ''] = /^[^?]*\?(.*)$/s.exec(found.target.toLowerCase()) ?? [];
        expect(query.split('&').filter((argument) => /^cachehostorigin(=|$)/.test(argument))).toEqual([]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: a target must not end its line
        expect(found.target).not.toMatch(/[\x00-\x20#\\]/);
      }),
    );
  });

  it('of a child reach the parent as they reached the child', () => {
    fc.assert(
      fc.property(url, (text) => {
        const child = read(text);
        if ('status' in child) return;
        const asked = `${child.target}${child.target.includes('?') ? '&' : '?'}cacheHostOrigin=${child.origin.host}`;
        expect(target(asked, 'parent.test')).toMatchObject({ key: child.key, target: child.target });
      }),
    );
  });
});
