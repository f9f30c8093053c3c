// Many rows as bytes, as device processes hand them over. A row has 80 of them:
//
//   0    8     16       24       32   40        48  56     60     64   68     70     72    74      75       76
//   │offset│asked│received│intended│sent│firstByte│end│device│object│port│status│server│group│outcome│complete│ – │
//   └───────────────── 7 doubles ────────────────────┴─── 3 of 32 bits ──┴─── 3 of 16 bits ──┴──── 2 of 8 ────┘
//
// The order of bytes is the machine's: a batch does not leave it. A double that is not there is NaN.

import { type RangeOutcome, type RangeRow, rangeOutcomes } from './range-row.ts';

/** Rows of one device process, in the order in which they ended. */
export type RowBatch = {
  readonly rowCount: number;
  /** `rowCount` rows. */
  readonly rows: Uint8Array;
  /** Ids of the objects that rows name by their place in here. */
  readonly objects: readonly string[];
  /** When the run began, on the clock of the rows' times. */
  readonly startedAtMs: number;
  /** Rows that this process could not hand over since the batch before. */
  readonly lostCount: number;
};

export const rowBytes = 80;
const doublesPerRow = rowBytes / 8;
const intsPerRow = rowBytes / 4;
const shortsPerRow = rowBytes / 2;
/** In the place of a server, an object or a port: there is none. */
const none16 = 0xffff;
const none32 = 0xffffffff;

const outcomeNumbers = Object.fromEntries(rangeOutcomes.map((outcome, number) => [outcome, number])) as Readonly<
  Record<RangeOutcome, number>
>;

/** Views of one buffer of rows. */
class RowFields {
  readonly doubles: Float64Array;
  readonly ints: Uint32Array;
  readonly shorts: Uint16Array;
  readonly bytes: Uint8Array;

  constructor(buffer: ArrayBufferLike, offset: number, length: number) {
    this.doubles = new Float64Array(buffer, offset, length / 8);
    this.ints = new Uint32Array(buffer, offset, length / 4);
    this.shorts = new Uint16Array(buffer, offset, length / 2);
    this.bytes = new Uint8Array(buffer, offset, length);
  }
}

/** Gathers up to `rowsMax` rows; its memory is used again and again. */
export class RowBuffer {
  readonly #fields: RowFields;
  readonly #rowsMax: number;
  readonly #objects = new Map<string, number>();
  count = 0;

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
    this.#fields = new RowFields(new ArrayBuffer(rowsMax * rowBytes), 0, rowsMax * rowBytes);
  }

  get isFull(): boolean {
    return this.count === this.#rowsMax;
  }

  /** It must not be full. */
  add(row: RangeRow): void {
    const { doubles, ints, shorts, bytes } = this.#fields;
    const d = this.count * doublesPerRow;
    doubles[d] = row.offsetBytes ?? Number.NaN;
    doubles[d + 1] = row.askedBytes ?? Number.NaN;
    doubles[d + 2] = row.receivedBytes;
    doubles[d + 3] = row.intendedMs ?? Number.NaN;
    doubles[d + 4] = row.sentMs ?? Number.NaN;
    doubles[d + 5] = row.firstByteMs ?? Number.NaN;
    doubles[d + 6] = row.endMs;
    const i = this.count * intsPerRow;
    ints[i + 14] = row.device;
    ints[i + 15] = row.object === undefined ? none32 : this.#objectNumber(row.object);
    ints[i + 16] = row.peer === '' ? none32 : Number(row.peer.slice(row.peer.lastIndexOf(':') + 1));
    const s = this.count * shortsPerRow;
    shorts[s + 34] = row.status;
    shorts[s + 35] = row.server ?? none16;
    shorts[s + 36] = row.group;
    const b = this.count * rowBytes;
    bytes[b + 74] = outcomeNumbers[row.outcome];
    bytes[b + 75] = row.isComplete ? 1 : 0;
    this.count += 1;
  }

  /** Its rows as a batch of their own; then it is empty. */
  take(): Pick<RowBatch, 'rowCount' | 'rows' | 'objects'> {
    const rowCount = this.count;
    const rows = this.#fields.bytes.slice(0, rowCount * rowBytes);
    const objects = [...this.#objects.keys()];
    this.#objects.clear();
    this.count = 0;
    return { rowCount, rows, objects };
  }

  #objectNumber(id: string): number {
    const known = this.#objects.get(id);
    if (known !== undefined) return known;
    const number = this.#objects.size;
    this.#objects.set(id, number);
    return number;
  }
}

/** One row of a batch after the other: `at` says which. Its times count from the start of the run, in whole µs. */
export class RowView {
  readonly #batch: RowBatch;
  readonly #fields: RowFields;
  at = 0;

  constructor(batch: RowBatch) {
    this.#batch = batch;
    this.#fields = new RowFields(batch.rows.buffer, batch.rows.byteOffset, batch.rowCount * rowBytes);
  }

  get device(): number {
    return this.#int(14);
  }

  get group(): number {
    return this.#short(36);
  }

  get server(): number | undefined {
    const number = this.#short(35);
    return number === none16 ? undefined : number;
  }

  get object(): string | undefined {
    const number = this.#int(15);
    return number === none32 ? undefined : this.#batch.objects[number];
  }

  get offsetBytes(): number | undefined {
    return this.#double(0);
  }

  get askedBytes(): number | undefined {
    return this.#double(1);
  }

  get receivedBytes(): number {
    return this.#double(2) ?? 0;
  }

  /** Undefined: no answer came. */
  get status(): number | undefined {
    const status = this.#short(34);
    return status === 0 ? undefined : status;
  }

  get clientPort(): number | undefined {
    const port = this.#int(16);
    return port === none32 ? undefined : port;
  }

  get intendedMs(): number | undefined {
    return this.#time(3);
  }

  get sentMs(): number | undefined {
    return this.#time(4);
  }

  get firstByteMs(): number | undefined {
    return this.#time(5);
  }

  get endMs(): number {
    return this.#time(6) ?? 0;
  }

  get isComplete(): boolean {
    return this.#fields.bytes[this.at * rowBytes + 75] === 1;
  }

  get outcome(): RangeOutcome {
    return rangeOutcomes[this.#fields.bytes[this.at * rowBytes + 74] ?? 0] ?? 'ok';
  }

  #double(field: number): number | undefined {
    const value = this.#fields.doubles[this.at * doublesPerRow + field];
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  #time(field: number): number | undefined {
    const value = this.#double(field);
    return value === undefined ? undefined : Math.round((value - this.#batch.startedAtMs) * 1000) / 1000;
  }

  #int(field: number): number {
    return this.#fields.ints[this.at * intsPerRow + field] ?? none32;
  }

  #short(field: number): number {
    return this.#fields.shorts[this.at * shortsPerRow + field] ?? none16;
  }
}
