/**
 * Inflates zlib streams (RFC 1950 and 1951) piece by piece, so that what a stream unpacks to is never held as a whole
 * and may be refused as soon as it is more than was announced.
 */

/** Bytes handed on at a time, and the longest distance that a stream may refer back to. */
const PIECE = 32768;
const MASK = 2 * PIECE - 1;

/** Codes of up to so many bits are found in one step. */
const FAST_BITS = 10;

/** A Huffman code of deflate; code words come least significant bit first. */
interface Code {
  /** By the next `FAST_BITS` bits: length << 9 | symbol, or 0 where the code is longer. */
  readonly fast: Uint16Array;
  /** Code words of each length. */
  readonly counts: Uint16Array;
  /** In the order of their code words. */
  readonly symbols: Uint16Array;
}

/** @returns null if the lengths make no code: too many words, or too few unless there is one at most */
function makeCode(lengths: Uint8Array): Code | null {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]++;
  const used = lengths.length - counts[0];
  counts[0] = 0;
  const starts = new Uint16Array(17);
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - counts[length];
    if (left < 0) return null;
    starts[length + 1] = starts[length] + counts[length];
  }
  if (left > 0 && used > 1) return null;
  const symbols = new Uint16Array(used);
  for (const [symbol, length] of lengths.entries()) if (length > 0) symbols[starts[length]++] = symbol;
  return { fast: fastTable(counts, symbols), counts, symbols };
}

function fastTable(counts: Uint16Array, symbols: Uint16Array): Uint16Array {
  const fast = new Uint16Array(1 << FAST_BITS);
  for (let length = 1, word = 0, index = 0; length <= FAST_BITS; length++, word <<= 1) {
    for (let i = 0; i < counts[length]; i++, word++, index++) {
      let reversed = 0;
      for (let bit = 0; bit < length; bit++) reversed |= ((word >> bit) & 1) << (length - 1 - bit);
      for (let at = reversed; at < fast.length; at += 1 << length) fast[at] = (length << 9) | symbols[index];
    }
  }
  return fast;
}

const fixedLengths = Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
const FIXED = {
  lengths: makeCode(fixedLengths) as Code,
  distances: makeCode(new Uint8Array(32).fill(5)) as Code,
};

/** Where lengths and distances begin, and how many bits follow their symbols. */
const LENGTH_BITS = Uint8Array.from({ length: 29 }, (_, i) => (i < 8 || i === 28 ? 0 : (i >> 2) - 1));
const LENGTH_BASE = bases(LENGTH_BITS, 3);
LENGTH_BASE[28] = 258;
const DISTANCE_BITS = Uint8Array.from({ length: 30 }, (_, i) => (i < 4 ? 0 : (i >> 1) - 1));
const DISTANCE_BASE = bases(DISTANCE_BITS, 1);

function bases(bits: Uint8Array, first: number): Uint16Array {
  const base = new Uint16Array(bits.length);
  for (let i = 0, at = first; i < bits.length; at += 1 << bits[i], i++) base[i] = at;
  return base;
}

/** The order in which the lengths of code-length codes are written. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * @param bytes a whole zlib stream; what lies beyond its end is left alone
 * @param sink takes what it unpacks to, piece by piece; a piece is overwritten after the call
 * @param fail makes the error that is thrown if the stream is damaged
 */
export function inflate(bytes: Uint8Array, sink: (piece: Uint8Array) => void, fail: (reason: string) => Error): void {
  new Inflater(bytes, sink, fail).run();
}

class Inflater {
  #at = 2;
  #bits = 0;
  #count = 0;
  readonly #window = new Uint8Array(2 * PIECE);
  /** Bytes written in all. */
  #written = 0;
  #sumA = 1;
  #sumB = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly sink: (piece: Uint8Array) => void,
    readonly fail: (reason: string) => Error,
  ) {}

  run(): void {
    const [method, flags] = this.bytes;
    if (!((method & 15) === 8 && method >> 4 <= 7 && ((method << 8) | flags) % 31 === 0 && (flags & 32) === 0)) {
      throw this.fail('no zlib header');
    }
    for (let last = false; !last; ) {
      last = this.#take(1) === 1;
      const kind = this.#take(2);
      if (kind === 0) this.#stored();
      else if (kind === 1) this.#compressed(FIXED.lengths, FIXED.distances);
      else if (kind === 2) this.#dynamic();
      else throw this.fail('a block of no known kind');
    }
    this.#flush(this.#written % PIECE);
    this.#checkSum();
  }

  /** `length` bits, 0 … 16. @throws the error if there are fewer */
  #take(length: number): number {
    this.#need(length);
    if (this.#count < length) throw this.fail('its image data ends too early');
    return this.#drop(length);
  }

  #need(length: number): void {
    while (this.#count < length && this.#at < this.bytes.length) {
      this.#bits |= this.bytes[this.#at++] << this.#count;
      this.#count += 8;
    }
  }

  #drop(length: number): number {
    const value = this.#bits & ((1 << length) - 1);
    this.#bits >>>= length;
    this.#count -= length;
    return value;
  }

  #symbol(code: Code): number {
    this.#need(15);
    const entry = code.fast[this.#bits & ((1 << FAST_BITS) - 1)];
    if (entry !== 0 && entry >> 9 <= this.#count) {
      this.#drop(entry >> 9);
      return entry & 511;
    }
    let [word, first, index] = [0, 0, 0];
    for (let length = 1; length <= this.#count && length <= 15; length++) {
      word |= (this.#bits >>> (length - 1)) & 1;
      const count = code.counts[length];
      if (word - count < first) {
        this.#drop(length);
        return code.symbols[index + word - first];
      }
      index += count;
      first = (first + count) << 1;
      word <<= 1;
    }
    throw this.fail(this.#count < 15 ? 'its image data ends too early' : 'a code that its Huffman table lacks');
  }

  #stored(): void {
    this.#drop(this.#count & 7);
    const length = this.#take(16);
    if (this.#take(16) !== (length ^ 0xffff)) throw this.fail('a stored block of odd length');
    for (let i = 0; i < length; i++) this.#write(this.#take(8));
  }

  #dynamic(): void {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const ordered = this.#take(4) + 4;
    const lengths = new Uint8Array(19);
    for (const symbol of LENGTH_ORDER.slice(0, ordered)) lengths[symbol] = this.#take(3);
    const all = this.#codeLengths(this.#code(lengths), literals + distances);
    if (all[256] === 0) throw this.fail('a block that cannot end');
    this.#compressed(this.#code(all.subarray(0, literals)), this.#code(all.subarray(literals)));
  }

  #code(lengths: Uint8Array): Code {
    const code = makeCode(lengths);
    if (code === null) throw this.fail('a Huffman table that makes no code');
    return code;
  }

  /** Lengths of code words, themselves coded with repetitions. */
  #codeLengths(code: Code, total: number): Uint8Array {
    const lengths = new Uint8Array(total);
    for (let at = 0; at < total; ) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) throw this.fail('a repetition of nothing');
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (at + times > total) throw this.fail('more code lengths than codes');
      lengths.fill(symbol === 16 ? lengths[at - 1] : 0, at, at + times);
      at += times;
    }
    return lengths;
  }

  #compressed(lengths: Code, distances: Code): void {
    for (;;) {
      const symbol = this.#symbol(lengths);
      if (symbol < 256) this.#write(symbol);
      else if (symbol === 256) return;
      else this.#repeat(symbol - 257, distances);
    }
  }

  #repeat(lengthSymbol: number, distances: Code): void {
    if (lengthSymbol >= LENGTH_BASE.length) throw this.fail('a length that does not exist');
    const length = LENGTH_BASE[lengthSymbol] + this.#take(LENGTH_BITS[lengthSymbol]);
    const symbol = this.#symbol(distances);
    if (symbol >= DISTANCE_BASE.length) throw this.fail('a distance that does not exist');
    const distance = DISTANCE_BASE[symbol] + this.#take(DISTANCE_BITS[symbol]);
    if (distance > this.#written) throw this.fail('a distance to before the beginning');
    this.#copy(length, distance);
  }

  /** Writes again what was written `distance` bytes before; where that is less than `length`, it repeats itself. */
  #copy(length: number, distance: number): void {
    const at = this.#written & MASK;
    const from = (this.#written - distance) & MASK;
    const room = PIECE - (this.#written % PIECE);
    if (length >= room || from > at) {
      for (let i = 0; i < length; i++) this.#write(this.#window[(this.#written - distance) & MASK]);
      return;
    }
    const window = this.#window;
    for (let i = 0; i < length; i++) window[at + i] = window[from + i];
    this.#written += length;
  }

  #write(byte: number): void {
    this.#window[this.#written & MASK] = byte;
    this.#written++;
    if (this.#written % PIECE === 0) this.#flush(PIECE);
  }

  /** Hands on the last `length` bytes. */
  #flush(length: number): void {
    const end = ((this.#written - 1) & MASK) + 1;
    const piece = this.#window.subarray(end - length, end);
    this.#addToSums(piece);
    if (length > 0) this.sink(piece);
  }

  /** Adler-32: sums modulo 65521, which stay below 2^31 over 4096 bytes. */
  #addToSums(piece: Uint8Array): void {
    let [a, b] = [this.#sumA, this.#sumB];
    for (let from = 0; from < piece.length; from += 4096) {
      const end = Math.min(from + 4096, piece.length);
      for (let i = from; i < end; i++) {
        a += piece[i];
        b += a;
      }
      a %= 65521;
      b %= 65521;
    }
    [this.#sumA, this.#sumB] = [a, b];
  }

  #checkSum(): void {
    this.#drop(this.#count & 7);
    const written = [this.#take(8), this.#take(8), this.#take(8), this.#take(8)];
    const sum = [this.#sumB >> 8, this.#sumB & 255, this.#sumA >> 8, this.#sumA & 255];
    if (sum.some((byte, i) => byte !== written[i])) throw this.fail('the checksum of its image data is wrong');
  }
}
