// The ledger: what one side of the HTTP connections says it sent or received, one entry a connection. Node, CDN and
// devices keep one each; joined by the client's end of the connection, the books of a run balance or show where not.

/** One connection as one of its two sides saw it. */
export type LedgerEntry = {
  /** The client's end, `address:port`, as both sides know it. */
  readonly peer: string;
  /** Bytes of 2xx bodies: on the sender's side what the kernel took, on the receiver's what was read. */
  readonly bodyBytes: number;
  /** Answers begun (sender) or whose head was read (receiver). */
  readonly answerCount: number;
  /** Whether this side saw the connection end, or an answer break off, before a body was complete. */
  readonly cut: boolean;
};

/** The key of an entry for the client end of a socket; IPv4-mapped IPv6 addresses are written as IPv4. */
export function peerKey(address: string | undefined, port: number | undefined): string {
  return `${(address ?? '').replace(/^::ffff:/, '')}:${port ?? 0}`;
}
