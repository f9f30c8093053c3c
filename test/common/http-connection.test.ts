import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Failure, HttpConnection, type ResponseSink } from '../../common/http-connection.ts';
import type { Line, Shaped } from '../../common/line.ts';

const get = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';
const answer = (body: string, fields = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;

/** What came of one request, in the order in which it came. */
class Recorder implements ResponseSink {
  readonly calls: string[] = [];
  body = '';
  readonly done: Promise<void>;
  #resolve: () => void = () => undefined;
  readonly #during: (call: 'head' | 'body' | 'end') => void;

  constructor(during: (call: 'head' | 'body' | 'end') => void = () => undefined) {
    this.#during = during;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  onHead(head: { readonly statusCode: number }): void {
    this.calls.push(`head ${head.statusCode}`);
    this.#during('head');
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.body += buffer.toString('latin1', start, end);
    this.calls.push('body');
    this.#during('body');
  }

  onEnd(): void {
    this.calls.push('end');
    this.#resolve();
    this.#during('end');
  }

  onFailure({ cause, detail }: Failure): void {
    this.calls.push(`failure ${cause} ${detail}`);
    this.#resolve();
  }

  /** The calls without repetition of body. */
  get course(): string[] {
    return this.calls.filter((call, i) => call !== 'body' || this.calls[i - 1] !== 'body');
  }
}

let server: net.Server;
let port: number;
/** Sockets of the server in the order of their arrival, and who waits for the next. */
let accepted: net.Socket[];
let onAccept: (socket: net.Socket) => void;
const opened: HttpConnection[] = [];
let handlesBefore: number;

const tcpHandles = (): number =>
  process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP') || name === 'ConnectWrap').length;

beforeEach(async () => {
  handlesBefore = tcpHandles();
  accepted = [];
  onAccept = () => undefined;
  server = net.createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    onAccept(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as net.AddressInfo).port;
});

afterEach(async () => {
  for (const connection of opened.splice(0)) connection.reset();
  for (const socket of accepted) socket.destroy();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
  // Nothing is left: no socket of either side.
  for (let turn = 0; tcpHandles() > handlesBefore && turn < 1000; turn += 1) await new Promise(setImmediate);
  expect(tcpHandles()).toBeLessThanOrEqual(handlesBefore);
});

/** A connection that counts how often it said that it is open, or closed. */
function open(
  to = port,
  line?: Line,
): { connection: HttpConnection; told: string[]; ready: Promise<void>; closed: Promise<void> } {
  const told: string[] = [];
  let setReady: () => void = () => undefined;
  let setClosed: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    setReady = resolve;
  });
  const closed = new Promise<void>((resolve) => {
    setClosed = resolve;
  });
  const connection = new HttpConnection(
    {
      host: '127.0.0.1',
      port: to,
      readBuffer: Buffer.allocUnsafeSlow(64 * 1024),
      line,
      onClose: () => {
        told.push('closed');
        setClosed();
      },
    },
    (failure) => {
      told.push(failure === undefined ? 'open' : `${failure.cause} ${failure.detail}`);
      setReady();
    },
  );
  opened.push(connection);
  return { connection, told, ready, closed };
}

/** A server that gives each request the next of these answers, and closes after the last when told so. */
function script(...answers: readonly (string | ((socket: net.Socket) => void))[]): void {
  const left = [...answers];
  onAccept = (socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
      while (text.includes('\r\n\r\n')) {
        text = text.slice(text.indexOf('\r\n\r\n') + 4);
        const next = left.shift();
        if (typeof next === 'string') socket.write(next, 'latin1');
        else next?.(socket);
      }
    });
  };
}

/** The server's side of the first connection. */
async function serverSide(): Promise<net.Socket> {
  while (accepted[0] === undefined) await new Promise(setImmediate);
  return accepted[0];
}

const closeOf = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await new Promise(setImmediate);
};

describe('a connection', () => {
  it('carries one request after the other, and counts bodies and answers', async () => {
    script(answer('first'), answer('second!'), 'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone');
    const { connection, told, ready } = open();
    expect(connection).toMatchObject({ isOpen: false, isClosed: false, isBusy: false, peer: '' });
    await ready;
    expect(connection.isOpen).toBe(true);
    expect(connection.peer).toBe(`127.0.0.1:${(await serverSide()).remotePort}`);
    for (const [body, course] of [
      ['first', ['head 200', 'body', 'end']],
      ['second!', ['head 200', 'body', 'end']],
      ['none', ['head 404', 'body', 'end']],
    ] as const) {
      const sink = new Recorder();
      connection.send(get, sink);
      expect(connection.isBusy).toBe(true);
      await sink.done;
      expect(sink).toMatchObject({ body, course });
      expect(connection.isBusy).toBe(false);
    }
    // Error bodies are not counted.
    expect(connection).toMatchObject({ bodyBytes: 12, answerCount: 3, cut: false, isOpen: true });
    expect(told).toEqual(['open']);
    expect(accepted).toHaveLength(1);
  });

  it('sends what it was given before it was open, once it is', async () => {
    script(answer('early'));
    const { connection } = open();
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    expect(sink.body).toBe('early');
  });

  it('takes the next request in the very call that ends the last', async () => {
    script(answer('one'), answer('two'));
    const { connection } = open();
    const second = new Recorder();
    const first = new Recorder((call) => {
      if (call === 'end') connection.send(get, second);
    });
    connection.send(get, first);
    await second.done;
    expect([first.body, second.body]).toEqual(['one', 'two']);
  });

  it('skips interim answers, and reads chunks', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n';
    script(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${chunked}`, answer('more'));
    const { connection } = open();
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    expect(sink).toMatchObject({ body: 'abcde', course: ['head 200', 'body', 'end'] });
    expect(connection).toMatchObject({ bodyBytes: 5, answerCount: 1, isOpen: true });
  });

  it('answers to HEAD have no body', async () => {
    script('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', answer('x'));
    const { connection } = open();
    const head = new Recorder();
    connection.send('HEAD / HTTP/1.1\r\nHost: test\r\n\r\n', head, true);
    await head.done;
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    expect([head.course, sink.body]).toEqual([['head 200', 'end'], 'x']);
  });

  it('is over after an answer that says close, before its end is told', async () => {
    script(answer('last', 'Connection: close\r\n'));
    const { connection, told } = open();
    let closedAtEnd: boolean | undefined;
    const sink = new Recorder((call) => {
      if (call === 'end') closedAtEnd = connection.isClosed;
    });
    connection.send(get, sink);
    await sink.done;
    expect({ closedAtEnd, cut: connection.cut, told }).toEqual({
      closedAtEnd: true,
      cut: false,
      told: ['open', 'closed'],
    });
    expect(() => connection.send(get, new Recorder())).toThrow('a closed connection is not used again');
  });

  it('takes a body without a length until the server closes', async () => {
    script((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
    const { connection, closed } = open();
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    await closed;
    expect(sink).toMatchObject({ body: 'until the end', course: ['head 200', 'body', 'end'] });
    expect(connection).toMatchObject({ cut: false, isClosed: true, bodyBytes: 13 });
  });

  it('refuses a second request while one is under way', async () => {
    script();
    const { connection, ready } = open();
    await ready;
    connection.send(get, new Recorder());
    expect(() => connection.send(get, new Recorder())).toThrow('one request at a time');
  });
});

describe('a failure', () => {
  it('to connect is told to the opener and to a request that waits, once each', async () => {
    await new Promise((resolve) => server.close(resolve));
    const { connection, told, closed } = open();
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    await closed;
    await turns(5);
    expect(told).toEqual(['closed', 'refused ECONNREFUSED']);
    expect(sink.calls).toEqual(['failure refused ECONNREFUSED']);
    expect(connection).toMatchObject({ isClosed: true, peer: '' });
  });

  it.each([
    {
      name: 'a close before the head',
      reply: (s: net.Socket) => s.end(),
      course: ['failure reset CLOSED_BEFORE_HEAD'],
    },
    {
      name: 'a close inside the head',
      reply: (s: net.Socket) => s.end('HTTP/1.1 200 OK\r\nConte'),
      course: ['failure reset CLOSED_IN_HEAD'],
    },
    {
      name: 'a short body',
      reply: (s: net.Socket) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
      course: ['head 200', 'body', 'failure reset SHORT_BODY'],
    },
    {
      name: 'a reset before the head',
      reply: (s: net.Socket) => s.resetAndDestroy(),
      course: ['failure reset ECONNRESET'],
    },
    {
      name: 'garbage',
      reply: (s: net.Socket) => s.write('SSH-2.0-OpenSSH_9.6\r\n'),
      course: ['failure badResponse BAD_STATUS_LINE'],
    },
    {
      name: 'bytes after the body',
      reply: (s: net.Socket) => s.write(`${answer('abc')}d`),
      course: ['head 200', 'body', 'end'],
    },
    {
      name: 'two lengths',
      reply: (s: net.Socket) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc'),
      course: ['failure badResponse BAD_CONTENT_LENGTH'],
    },
  ])('by $name reaches the request exactly once, and closes the connection', async ({ reply, course }) => {
    script(reply);
    const { connection, told, closed } = open();
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    await closed;
    await turns(5);
    expect(sink.course).toEqual(course);
    expect(told).toEqual(['open', 'closed']);
    expect(connection.cut).toBe(course.at(-1) !== 'end');
  });

  it('in the middle of a body keeps the count of what came', async () => {
    script((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcd');
    });
    const { connection, closed } = open();
    const sink = new Recorder((call) => {
      if (call === 'body') accepted[0]?.resetAndDestroy();
    });
    connection.send(get, sink);
    await closed;
    expect(sink.course).toEqual(['head 200', 'body', 'failure reset ECONNRESET']);
    expect(connection).toMatchObject({ bodyBytes: 4, answerCount: 1, cut: true });
  });

  it('that the caller sees (a time-out) is told by `fail`, once, and resets', async () => {
    script(() => undefined);
    const { connection, told, ready } = open();
    await ready;
    const gone = closeOf(await serverSide());
    const sink = new Recorder();
    connection.send(get, sink);
    connection.fail({ cause: 'timeout', detail: 'no byte' });
    connection.fail({ cause: 'timeout', detail: 'no byte' });
    await gone;
    expect(sink.calls).toEqual(['failure timeout no byte']);
    expect(told).toEqual(['open', 'closed']);
  });

  it('while idle is told to nobody but `onClose`', async () => {
    script(answer('x'));
    const { connection, told, closed } = open();
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    accepted[0]?.end();
    await closed;
    expect(sink.calls).toEqual(['head 200', 'body', 'end']);
    expect(told).toEqual(['open', 'closed']);
    expect(connection.cut).toBe(false);
  });
});

describe('giving a connection up', () => {
  it.each(['head', 'body', 'end'] as const)(
    'by a reset inside the call for the %s ends the calls there',
    async (at) => {
      script(answer('abc'));
      const { connection, told, ready } = open();
      await ready;
      const gone = closeOf(await serverSide());
      const sink = new Recorder((call) => {
        if (call === at) connection.reset();
      });
      connection.send(get, sink);
      await gone;
      await turns(5);
      expect(sink.course).toEqual(
        ['head 200', 'body', 'end'].slice(0, ['head', 'body', 'end'].indexOf(at) + 1).map(String),
      );
      expect(told).toEqual(['open', 'closed']);
      expect(connection).toMatchObject({ cut: at !== 'end', bodyBytes: at === 'head' ? 0 : 3, isBusy: false });
    },
  );

  it('resets: the server sees an error', async () => {
    script((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'));
    const { connection, ready } = open();
    await ready;
    const seen = once(await serverSide(), 'error');
    connection.send(get, new Recorder((call) => call === 'head' && connection.reset()));
    expect((await seen)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('closes in order: the server sees an end, and no error', async () => {
    script(answer('x'));
    const { connection, ready } = open();
    await ready;
    const seen: string[] = [];
    const socket = await serverSide();
    for (const event of ['error', 'end']) socket.on(event, () => seen.push(event));
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    const gone = closeOf(socket);
    connection.close();
    await gone;
    expect(seen).toEqual(['end']);
  });

  it.each(['reset', 'close', 'fail'] as const)(
    'by %s before it is open leaves no socket, and is final',
    async (how) => {
      const { connection, told, closed } = open();
      if (how === 'fail') connection.fail({ cause: 'timeout', detail: 'too slow' });
      else connection[how]();
      await closed;
      await turns(20);
      expect(told).toEqual(how === 'fail' ? ['closed', 'timeout too slow'] : ['closed']);
      expect(connection).toMatchObject({ isClosed: true, isOpen: false });
    },
  );
});

describe('pausing', () => {
  it('stops the body until it is resumed, and loses nothing', async () => {
    const body = 'x'.repeat(8 * 2 ** 20);
    script(answer(body));
    const { connection, ready } = open();
    await ready;
    const sink = new Recorder((call) => {
      if (call === 'body' && sink.calls.length === 2) connection.pause();
    });
    connection.send(get, sink);
    // The kernel's buffers fill up: the server cannot get rid of the rest.
    const socket = await serverSide();
    while (socket.writableLength === 0) await turns(1);
    await turns(50);
    const whilePaused = sink.body.length;
    await turns(50);
    expect(sink.body.length).toBe(whilePaused);
    expect(whilePaused).toBeLessThan(body.length);
    connection.resume();
    await sink.done;
    expect(sink.body.length).toBe(body.length);
    expect(connection.bodyBytes).toBe(body.length);
  });

  it('before it is open holds the answer back', async () => {
    script(answer('late'));
    const { connection, ready } = open();
    connection.pause();
    const sink = new Recorder();
    connection.send(get, sink);
    await ready;
    await turns(50);
    expect(sink.calls).toEqual([]);
    connection.resume();
    await sink.done;
    expect(sink.body).toBe('late');
  });

  it('of a closed connection does nothing', async () => {
    const { connection, ready } = open();
    await ready;
    connection.reset();
    connection.pause();
    connection.resume();
    expect(connection.isClosed).toBe(true);
  });
});

/** A line that a test holds in its hands: it counts what comes, and lets it through when told. */
class ScriptedLine implements Line {
  readBytesMax = Number.MAX_SAFE_INTEGER;
  isDead = false;
  openingMs = 0;
  askingMs = 0;
  isOpen = true;
  readonly taken: number[] = [];
  connection: Shaped | undefined;

  opening(): number {
    return this.openingMs;
  }

  asking(): number {
    return this.askingMs;
  }

  take(bytes: number, _nowMs: number, connection: Shaped): boolean {
    this.taken.push(bytes);
    this.connection = connection;
    return this.isOpen;
  }
}

describe('a line', () => {
  it('sees every byte, in reads of at most what it allows', async () => {
    script(answer('x'.repeat(1000)));
    const line = new ScriptedLine();
    line.readBytesMax = 100;
    const { connection } = open(port, line);
    const sink = new Recorder();
    connection.send(get, sink);
    await sink.done;
    expect(sink.body).toBe('x'.repeat(1000));
    expect(Math.max(...line.taken)).toBe(100);
    expect(line.taken.reduce((sum, bytes) => sum + bytes, 0)).toBe(answer('x'.repeat(1000)).length);
  });

  it('that holds bytes holds the end of the answer, and all that comes after, until it lets them through', async () => {
    script((socket) => socket.end(answer('all')));
    const line = new ScriptedLine();
    line.isOpen = false;
    const { connection, told } = open(port, line);
    const sink = new Recorder();
    connection.send(get, sink);
    while (line.connection === undefined) await turns(1);
    await turns(50);
    // The end of the connection has come by now, too.
    expect([sink.course, connection.isBusy, told]).toEqual([['head 200', 'body'], true, ['open']]);
    line.connection.release();
    await sink.done;
    expect(sink.course).toEqual(['head 200', 'body', 'end']);
    while (!connection.isClosed) await turns(1);
    expect(connection.cut).toBe(false);
  });

  it('that holds may break instead: the answer fails once, and is cut', async () => {
    script(answer('all'));
    const line = new ScriptedLine();
    line.isOpen = false;
    const { connection } = open(port, line);
    const sink = new Recorder();
    connection.send(get, sink);
    while (line.connection === undefined) await turns(1);
    line.connection.fail({ cause: 'reset', detail: 'by the test' });
    line.connection.release();
    await sink.done;
    expect(sink.course).toEqual(['head 200', 'body', 'failure reset by the test']);
    expect(connection).toMatchObject({ isClosed: true, cut: true, bodyBytes: 3 });
  });

  it('that delays lets a connection be used, and a request leave, later; one that is given up meanwhile never does', async () => {
    let asked = 0;
    script(() => {
      asked += 1;
    });
    const line = new ScriptedLine();
    line.openingMs = 5;
    line.askingMs = 5;
    const { connection, ready, told } = open(port, line);
    await serverSide();
    expect([connection.isOpen, told]).toEqual([false, []]);
    await ready;
    connection.send(get, new Recorder());
    connection.reset();
    const again = open(port);
    again.connection.send(get, new Recorder());
    while (asked === 0) await turns(1);
    expect(asked).toBe(1);
  });

  it('that is dead tells the server nothing of the end, until it is buried', async () => {
    script(answer('part of it'));
    const line = new ScriptedLine();
    line.isOpen = false;
    line.isDead = true;
    const { connection, told } = open(port, line);
    const sink = new Recorder();
    connection.send(get, sink);
    while (line.connection === undefined) await turns(1);
    const gone = closeOf(await serverSide());
    let isGone = false;
    void gone.then(() => {
      isGone = true;
    });
    connection.fail({ cause: 'timeout', detail: 'by the test' });
    await turns(50);
    expect([sink.course.at(-1), told, connection.isHalfOpen, isGone]).toEqual([
      'failure timeout by the test',
      ['open', 'closed'],
      true,
      false,
    ]);
    connection.bury();
    await gone;
  });
});
