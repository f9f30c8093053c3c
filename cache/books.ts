// The node's numbers. A byte is a miss for the one request that caused its fetch; for every other request, also one
// that streams along, it is a hit. Pass-through is miss. hit + miss = egress, to the byte.

/** Counters since the start, of one process or (added up) of the node. Bytes are HTTP body bytes the kernel took. */
export type Books = {
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
  /** Workers that died: what they had counted is in none of these numbers. */
  lostWorkerCount: number;
};

export function emptyBooks(): Books {
  return {
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
  };
}

/** Adds counters up, process by process. */
export function sumBooks(all: readonly Books[]): Books {
  const sum = emptyBooks();
  for (const books of all) {
    for (const name of Object.keys(sum) as (keyof Books)[]) sum[name] += books[name];
  }
  return sum;
}
