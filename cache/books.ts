// The node's numbers. A byte is a miss for the one request that caused its fetch; for every other request, also one
// that streams along, it is a hit. Pass-through is miss. hit + miss = egress, to the byte.
//
//   client's request ─▶ hitBytes + missBytes = egressBytes      (bodies of content; the kernel took them)
//                    ─▶ healthBytes                             (the test object: in no other number)
//                    ─▶ answers["206 hit"] …                    (every answer, once, when it is over)
//
// Bodies of upstream's errors that are passed on are in none of the byte counters: they are no content.

/** Counters by a name that is only known when it happens; names are few (statuses, causes). */
export type Tally = Record<string, number>;

/** Counters since the start, of one process or (added up) of the node. Bytes are HTTP body bytes the kernel took. */
export type Counters = {
  hitBytes: number;
  missBytes: number;
  /** All body bytes sent, counted by itself: hit + miss must equal it. */
  egressBytes: number;
  /** Requests all of whose bytes were hits; requests that sent at least one missed byte. */
  hitRequestCount: number;
  missRequestCount: number;
  /** All requests, by what became of them. */
  requestCount: number;
  headCount: number;
  healthBytes: number;
  errorCount: number;
  abortedCount: number;
  connectionCount: number;
  connectionsOpen: number;
  /** Received from upstream: bodies of fetches and of pass-through. */
  upstreamBytes: number;
  upstreamRequestCount: number;
  upstreamErrorCount: number;
  /** Workers that died: what they had counted since they were last asked is in none of these numbers. */
  lostWorkerCount: number;
  /** Lines of the access log that could not be written. */
  accessLogDroppedCount: number;
  /** Processor time, user and system, of all threads; ms of one core. */
  cpuMs: number;
};

export type Books = Counters & {
  /** Answers that are over, by `<status> <outcome>`, such as "206 hit". */
  answers: Tally;
  /** Requests to upstream that failed, by cause. */
  upstreamErrors: Tally;
};

/**
 * How the cache took part in an answer. `hit`: all from what is stored, also a 304 or a HEAD; `partial`: some bytes were
 * fetched because of this request; `miss`: all were; `bypass`: passed through; `refused`: the node's own answer, without content.
 */
export type Outcome = 'hit' | 'partial' | 'miss' | 'bypass' | 'refused';

const emptyCounters: Counters = {
  hitBytes: 0,
  missBytes: 0,
  egressBytes: 0,
  hitRequestCount: 0,
  missRequestCount: 0,
  requestCount: 0,
  headCount: 0,
  healthBytes: 0,
  errorCount: 0,
  abortedCount: 0,
  connectionCount: 0,
  connectionsOpen: 0,
  upstreamBytes: 0,
  upstreamRequestCount: 0,
  upstreamErrorCount: 0,
  lostWorkerCount: 0,
  accessLogDroppedCount: 0,
  cpuMs: 0,
};
const counterNames = Object.keys(emptyCounters) as (keyof Counters)[];

export function emptyBooks(): Books {
  return { ...emptyCounters, answers: {}, upstreamErrors: {} };
}

/** Adds counters up, process by process. */
export function sumBooks(all: readonly Books[]): Books {
  const sum = emptyBooks();
  for (const books of all) {
    for (const name of counterNames) sum[name] += books[name];
    addTally(sum.answers, books.answers);
    addTally(sum.upstreamErrors, books.upstreamErrors);
  }
  return sum;
}

/** Counts one answer that is over; status 0: its connection ended before a head was sent. */
export function countAnswer(books: Books, status: number, outcome: Outcome): void {
  const name = `${status} ${outcome}`;
  books.answers[name] = (books.answers[name] ?? 0) + 1;
}

/** The outcome of an answer from the cache, by the bytes that its client got. */
export function outcomeOfBytes(hitBytes: number, missBytes: number): Outcome {
  if (missBytes === 0) return 'hit';
  return hitBytes === 0 ? 'miss' : 'partial';
}

function addTally(sum: Tally, more: Tally): void {
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
}
