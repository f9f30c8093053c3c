// Content: the same bytes however they are asked for, and no wrong byte unseen.

import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ContentFunction,
  describeDifference,
  etagOf,
  pageBytes,
  stampBytes,
  versionOfEtag,
} from '../../common/content.ts';

const idArbitrary = fc.string({ minLength: 1, maxLength: 40 });
const versionArbitrary = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const offsetArbitrary = fc.oneof(
  fc.integer({ min: 0, max: 3 * pageBytes }),
  fc.maxSafeNat().map((value) => Math.floor(value / 4)),
  fc.constantFrom(2 ** 30 - 5, 2 ** 32 - 3, 2 ** 44 - 1, 2 ** 44 + 4090),
);
const lengthArbitrary = fc.integer({ min: 1, max: 3 * pageBytes });

function bytesOf(content: ContentFunction, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  content.fill(buffer, 0, offset, length);
  return buffer;
}

describe('content', () => {
  it('is the same in random pieces as at once', () => {
    const piecesArbitrary = fc.array(fc.integer({ min: 1, max: 2 * pageBytes }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(idArbitrary, versionArbitrary, offsetArbitrary, piecesArbitrary, (id, version, offset, pieces) => {
        const content = new ContentFunction(id, version);
        const length = pieces.reduce((sum, piece) => sum + piece, 0);
        const whole = bytesOf(content, offset, length);
        const joined = Buffer.alloc(length + 7);
        let at = 0;
        for (const piece of pieces) {
          content.fill(joined, at + 7, offset + at, piece);
          expect(content.firstDifference(joined, at + 7, offset + at, piece)).toBe(-1);
          at += piece;
        }
        expect(joined.compare(whole, 0, length, 7)).toBe(0);
        expect(content.firstDifference(whole, 0, offset, length)).toBe(-1);
      }),
    );
  });

  it('writes nothing outside of its target range', () => {
    const buffer = Buffer.alloc(3 * pageBytes, 0x55);
    new ContentFunction('x', 1).fill(buffer, 10, pageBytes - 96, pageBytes + 904);
    expect(buffer.subarray(0, 10).every((byte) => byte === 0x55)).toBe(true);
    expect(buffer.subarray(10 + pageBytes + 904).every((byte) => byte === 0x55)).toBe(true);
  });

  it('shows a single changed byte at its place', () => {
    const changeArbitrary = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(idArbitrary, offsetArbitrary, lengthArbitrary, changeArbitrary, (id, offset, length, change) => {
        const content = new ContentFunction(id, 1);
        const buffer = bytesOf(content, offset, length);
        const at = change.at % length;
        buffer[at] = ((buffer[at] ?? 0) + change.by) & 0xff;
        expect(content.firstDifference(buffer, 0, offset, length)).toBe(at);
      }),
    );
  });

  it('shows bytes that are displaced by pages, anywhere in a page', () => {
    const distances = fc.oneof(fc.integer({ min: 1, max: 300_000 }), fc.constantFrom(2 ** 18, 2 ** 20, 2 ** 32));
    fc.assert(
      fc.property(
        idArbitrary,
        fc.nat(2 ** 20),
        distances,
        fc.integer({ min: 0, max: pageBytes - 32 }),
        (id, page, distance, inPage) => {
          const content = new ContentFunction(id, 1);
          const whole = bytesOf(content, (page + distance) * pageBytes, pageBytes);
          expect(content.firstDifference(whole, 0, page * pageBytes, pageBytes)).toBeGreaterThanOrEqual(0);
          // Inside one stretch of 4 GiB also the bytes behind the stamp differ, always.
          if (Math.floor(page / 2 ** 18) !== Math.floor((page + distance) / 2 ** 18)) return;
          const part = bytesOf(content, (page + distance) * pageBytes + inPage, 32);
          expect(content.firstDifference(part, 0, page * pageBytes + inPage, 32)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  it('gives each page of 4 GiB another part of the pattern', () => {
    const content = new ContentFunction('permutation', 3);
    const seen = new Set<string>();
    const buffer = Buffer.alloc(12);
    for (let page = 0; page < 20_000; page += 1) {
      content.fill(buffer, 0, page * pageBytes + stampBytes, 12);
      seen.add(buffer.toString('latin1'));
    }
    expect(seen.size).toBe(20_000);
  });

  it('shows bytes that are displaced by any number of bytes', () => {
    fc.assert(
      fc.property(
        offsetArbitrary,
        fc.integer({ min: 1, max: pageBytes }),
        fc.integer({ min: 32, max: 9000 }),
        (offset, shift, length) => {
          const content = new ContentFunction('displaced', 1);
          const buffer = bytesOf(content, offset + shift, length);
          expect(content.firstDifference(buffer, 0, offset, length)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  it('shows bytes of another version', () => {
    fc.assert(
      fc.property(
        idArbitrary,
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(2 ** 20),
        (id, version, step, page) => {
          const mixed = bytesOf(new ContentFunction(id, version + step), page * pageBytes, pageBytes);
          const expected = new ContentFunction(id, version);
          expect(expected.firstDifference(mixed, 0, page * pageBytes, pageBytes)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  it('shows bytes of another object', () => {
    fc.assert(
      fc.property(idArbitrary, idArbitrary, fc.nat(2 ** 20), (id, other, page) => {
        fc.pre(id !== other);
        const mixed = bytesOf(new ContentFunction(other, 1), page * pageBytes, pageBytes);
        expect(
          new ContentFunction(id, 1).firstDifference(mixed, 0, page * pageBytes, pageBytes),
        ).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('reads the version of its own entity tags, and of no other', () => {
    expect(etagOf('feature-update', 3)).toMatch(/^"[0-9a-f]{16}-3"$/);
    expect(versionOfEtag(etagOf('feature-update', 3), 'feature-update')).toBe(3);
    expect(versionOfEtag(etagOf('feature-update', 3), 'other')).toBeUndefined();
    expect(versionOfEtag(`W/${etagOf('feature-update', 3)}`, 'feature-update')).toBeUndefined();
    expect(versionOfEtag('"abc"', 'feature-update')).toBeUndefined();
  });
});

describe('a difference in words', () => {
  const content = new ContentFunction('update', 2);
  const offset = 10 * pageBytes;
  const length = 4 * pageBytes;
  const damages: readonly { name: string; damage: (buffer: Buffer) => void; says: RegExp }[] = [
    { name: 'nothing', damage: () => undefined, says: /^no difference$/ },
    {
      name: 'zeros',
      damage: (buffer) => buffer.fill(0, 5000, 6000),
      says: /zeros stand there \(1\d{3} bytes\)|zeros stand there \(999 bytes\)|zeros stand there \(1000 bytes\)/,
    },
    {
      name: 'one byte',
      damage: (buffer) => buffer.fill((buffer[5000] ?? 0) ^ 1, 5000, 5001),
      says: /byte 168840 of "update" version 2 is wrong: a single byte/,
    },
    {
      name: 'another version',
      damage: (buffer) => new ContentFunction('update', 1).fill(buffer, 0, offset, length),
      says: /bytes of version 1 of the same object/,
    },
    {
      name: 'another page',
      damage: (buffer) => content.fill(buffer, 0, offset + 7 * pageBytes, length),
      says: /the same object, version 2, page 17, displaced by 114688 bytes/,
    },
    {
      name: 'a shift of one byte',
      damage: (buffer) => content.fill(buffer, 0, offset + 1, length),
      says: /page 11, displaced by 1 bytes/,
    },
    {
      name: 'another object',
      damage: (buffer) => new ContentFunction('other', 2).fill(buffer, 0, offset, length),
      says: /another object \(hash [0-9a-f]{16}\), version 2, page 10/,
    },
    {
      name: 'a page in the middle, stamp out of sight',
      damage: (buffer) => content.fill(buffer, 100, offset + 2 * pageBytes + 100, 900),
      says: /stamp is not in sight|the stamp near it/,
    },
    {
      name: 'text',
      damage: (buffer) => buffer.write('<html>Sign in to the hotel WLAN</html>', 100),
      says: /foreign bytes stand there \(0x3c68746d6c/,
    },
  ];
  it.each(damages)('$name', ({ damage, says }) => {
    const buffer = bytesOf(content, offset, length);
    damage(buffer);
    expect(describeDifference(content, buffer, 0, offset, length)).toMatch(says);
  });
});
