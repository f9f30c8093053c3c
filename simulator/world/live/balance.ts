// Whether the books of senders and receivers agree, connection by connection (the contract's "Books"). On connections
// that both sides ended in order, sent and received are equal to the byte. On cut ones the sender may be ahead (bytes in
// socket buffers); a receiver that is ahead is an imbalance. Entries whose other side was killed are lost, not wrong.

import type { LedgerEntry } from '../../../common/ledger.ts';

export type Balance = {
  readonly imbalanceBytes: number;
  /** Sent on cut connections and never received. */
  readonly cutBytes: number;
  /** Received from, or sent to, processes that took their ledger with them. */
  readonly lostBytes: number;
  /** The first few connections that do not balance, described. */
  readonly examples: readonly string[];
};

export type Edge = {
  /** For messages, e.g. `node hq → devices`. */
  readonly name: string;
  readonly sent: readonly LedgerEntry[];
  readonly received: readonly LedgerEntry[];
  /** Whether a process on that side was killed, and its ledger with it. */
  readonly senderLost: boolean;
  readonly receiverLost: boolean;
};

const examplesMax = 5;

/** Joins both sides by the client's end of each connection; a port that was used again counts as one connection. */
export function balance(edge: Edge): Balance {
  const sent = byPeer(edge.sent);
  const received = byPeer(edge.received);
  let imbalanceBytes = 0;
  let cutBytes = 0;
  let lostBytes = 0;
  const examples: string[] = [];
  const wrong = (peer: string, bytes: number, what: string): void => {
    imbalanceBytes += bytes;
    if (examples.length < examplesMax) examples.push(`${edge.name}, connection ${peer}: ${what}`);
  };
  for (const [peer, entry] of received) {
    const other = sent.get(peer);
    if (other === undefined) {
      if (edge.senderLost) lostBytes += entry.bodyBytes;
      else if (entry.bodyBytes > 0) wrong(peer, entry.bodyBytes, `${entry.bodyBytes} bytes received, none sent`);
      continue;
    }
    const aheadBytes = other.bodyBytes - entry.bodyBytes;
    const cut = other.cut || entry.cut;
    if (aheadBytes < 0 && edge.senderLost) lostBytes -= aheadBytes;
    else if (aheadBytes > 0 && !cut && edge.receiverLost) lostBytes += aheadBytes;
    else if (aheadBytes < 0 || (aheadBytes > 0 && !cut)) {
      wrong(peer, Math.abs(aheadBytes), `${other.bodyBytes} bytes sent, ${entry.bodyBytes} received`);
    } else cutBytes += aheadBytes;
  }
  for (const [peer, entry] of sent) {
    if (received.has(peer)) continue;
    if (edge.receiverLost) lostBytes += entry.bodyBytes;
    else if (entry.bodyBytes > 0) wrong(peer, entry.bodyBytes, `${entry.bodyBytes} bytes sent, none received`);
  }
  return { imbalanceBytes, cutBytes, lostBytes, examples };
}

function byPeer(entries: readonly LedgerEntry[]): Map<string, { bodyBytes: number; cut: boolean }> {
  const joined = new Map<string, { bodyBytes: number; cut: boolean }>();
  for (const { peer, bodyBytes, cut } of entries) {
    const known = joined.get(peer);
    if (known === undefined) joined.set(peer, { bodyBytes, cut });
    else {
      known.bodyBytes += bodyBytes;
      known.cut ||= cut;
    }
  }
  return joined;
}
