// The contract's "Books", each definition broken on purpose.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerEntry } from '../../common/ledger.ts';
import { type Balance, balance, type Edge } from '../../simulator/world/live/balance.ts';

const entry = (port: number, bodyBytes: number, cut = false): LedgerEntry => ({
  peer: `127.0.0.1:${port}`,
  bodyBytes,
  answerCount: 1,
  cut,
});

function balanceOf(sent: readonly LedgerEntry[], received: readonly LedgerEntry[], lost: Partial<Edge> = {}): Balance {
  return balance({ name: 'node hq to its clients', sent, received, senderLost: false, receiverLost: false, ...lost });
}

describe('books', () => {
  it.each<{
    name: string;
    sent: readonly LedgerEntry[];
    received: readonly LedgerEntry[];
    lost?: Partial<Edge>;
    books: Partial<Balance>;
  }>([
    { name: 'balance when nothing was sent', sent: [], received: [], books: {} },
    {
      name: 'balance when both sides agree',
      sent: [entry(1, 10), entry(2, 0)],
      received: [entry(2, 0), entry(1, 10)],
      books: {},
    },
    {
      name: 'show a byte lost on a clean connection as imbalance',
      sent: [entry(1, 10)],
      received: [entry(1, 9)],
      books: { imbalanceBytes: 1 },
    },
    {
      name: 'show a sender ahead on a connection that the sender saw cut as cut bytes',
      sent: [entry(1, 10, true)],
      received: [entry(1, 4)],
      books: { cutBytes: 6 },
    },
    {
      name: 'show a sender ahead on a connection that the receiver cut as cut bytes (an abort)',
      sent: [entry(1, 10)],
      received: [entry(1, 4, true)],
      books: { cutBytes: 6 },
    },
    {
      name: 'show a receiver ahead as imbalance',
      sent: [entry(1, 9)],
      received: [entry(1, 10)],
      books: { imbalanceBytes: 1 },
    },
    {
      name: 'show a receiver ahead as imbalance also on a cut connection',
      sent: [entry(1, 9, true)],
      received: [entry(1, 10, true)],
      books: { imbalanceBytes: 1 },
    },
    {
      name: 'show bytes that nobody sent',
      sent: [],
      received: [entry(1, 10, true)],
      books: { imbalanceBytes: 10 },
    },
    {
      name: 'show bytes that nobody received, cut or not',
      sent: [entry(1, 10, true), entry(2, 5)],
      received: [],
      books: { imbalanceBytes: 15 },
    },
    {
      name: 'do not mind a connection without a byte that only one side knows',
      sent: [entry(1, 0)],
      received: [entry(2, 0, true)],
      books: {},
    },
    {
      name: 'of a killed sender are lost, as far as the receiver knows more',
      sent: [entry(2, 7)],
      received: [entry(1, 10, true), entry(2, 7)],
      lost: { senderLost: true },
      books: { lostBytes: 10 },
    },
    {
      name: 'of a killed sender do not excuse what the living one sent',
      sent: [entry(2, 7)],
      received: [entry(1, 10, true), entry(2, 6)],
      lost: { senderLost: true },
      books: { lostBytes: 10, imbalanceBytes: 1 },
    },
    {
      name: 'of a killed receiver are lost, as far as the sender knows more',
      sent: [entry(1, 10), entry(2, 7)],
      received: [entry(2, 7)],
      lost: { receiverLost: true },
      books: { lostBytes: 10 },
    },
    {
      name: 'of a killed receiver do not excuse a receiver that is ahead',
      sent: [entry(2, 7)],
      received: [entry(2, 8)],
      lost: { receiverLost: true },
      books: { imbalanceBytes: 1 },
    },
    {
      name: 'take a port that was used again for one connection',
      sent: [entry(1, 10), entry(1, 20)],
      received: [entry(1, 20), entry(1, 10)],
      books: {},
    },
    {
      name: 'take a port that was used again for cut when one of its connections was',
      sent: [entry(1, 10, true), entry(1, 20)],
      received: [entry(1, 4, true), entry(1, 20)],
      books: { cutBytes: 6 },
    },
    {
      name: 'find a missing byte on a port that was used again',
      sent: [entry(1, 10), entry(1, 20)],
      received: [entry(1, 10), entry(1, 19)],
      books: { imbalanceBytes: 1 },
    },
    {
      name: 'of a killed sender are lost also where its port was used again',
      sent: [entry(1, 20)],
      received: [entry(1, 10, true), entry(1, 20)],
      lost: { senderLost: true },
      books: { lostBytes: 10 },
    },
    {
      name: 'of a killed receiver are lost also where its port was used again',
      sent: [entry(1, 10), entry(1, 20)],
      received: [entry(1, 20)],
      lost: { receiverLost: true },
      books: { lostBytes: 10 },
    },
  ])('$name', ({ sent, received, lost, books }) => {
    const { examples, ...sums } = balanceOf(sent, received, lost);
    expect(sums).toEqual({ imbalanceBytes: 0, cutBytes: 0, lostBytes: 0, ...books });
    expect(examples.length > 0).toBe((books.imbalanceBytes ?? 0) > 0);
  });

  it('name the first five connections that do not balance', () => {
    const sent = Array.from({ length: 7 }, (_, i) => entry(i + 1, 10));
    const { examples, imbalanceBytes } = balanceOf(
      sent,
      sent.slice(1).map((each) => ({ ...each, bodyBytes: 8 })),
    );
    expect(imbalanceBytes).toBe(10 + 6 * 2);
    expect(examples).toHaveLength(5);
    expect(examples[0]).toBe('node hq to its clients, connection 127.0.0.1:2: 10 bytes sent, 8 received');
  });

  it('find any one byte that is added or taken anywhere, and blame the right side', () => {
    const ledger = fc
      .uniqueArray(
        fc.record({
          port: fc.integer({ min: 1, max: 99 }),
          bytes: fc.integer({ min: 1, max: 1e9 }),
          cut: fc.boolean(),
        }),
        {
          minLength: 1,
          maxLength: 30,
          selector: (each) => each.port,
        },
      )
      .map((entries) => entries.map(({ port, bytes, cut }) => entry(port, bytes, cut)));
    fc.assert(
      fc.property(ledger, fc.nat(), fc.constantFrom(-1, 1), (entries, at, by) => {
        expect(balanceOf(entries, [...entries].reverse())).toMatchObject({ imbalanceBytes: 0, cutBytes: 0 });
        const place = at % entries.length;
        const changed = entries.map((each, i) => (i === place ? { ...each, bodyBytes: each.bodyBytes + by } : each));
        const books = balanceOf(entries, changed);
        const mayBeCut = by < 0 && entries[place]?.cut === true;
        expect(books).toMatchObject(mayBeCut ? { imbalanceBytes: 0, cutBytes: 1 } : { imbalanceBytes: 1, cutBytes: 0 });
      }),
    );
  });
});
