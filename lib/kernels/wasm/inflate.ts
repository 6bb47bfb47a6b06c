/**
 * Raw deflate (RFC 1951), undone in one call: the kernels are shipped compressed, and engines inflate only
 * asynchronously. Trusts its input, which the build made.
 */

/** Base and extra bits of the lengths of codes 257 …, and of distances. */
const LENGTHS = ladder(3, 29, 4);
const DISTANCES = ladder(1, 30, 2);
LENGTHS.base[28] = 258;
LENGTHS.extra[28] = 0;

/** The order in which the lengths of code lengths come. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Codes whose ranges double every `step` codes, after 2·`step` of one value each. */
function ladder(first: number, count: number, step: number): { readonly base: number[]; readonly extra: number[] } {
  const extra = Array.from({ length: count }, (_, code) => Math.max(0, Math.floor(code / step) - 1));
  const base: number[] = [];
  for (let code = 0, value = first; code < count; value += 1 << extra[code++]) base.push(value);
  return { base, extra };
}

/** A canonical code: how many symbols have each length, and the symbols in order. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function codeOf(lengths: ArrayLike<number>): Code {
  const counts = new Uint16Array(16);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]]++;
  counts[0] = 0;
  const next = new Uint16Array(16);
  for (let length = 1; length < 15; length++) next[length + 1] = next[length] + counts[length];
  const symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) if (lengths[i] > 0) symbols[next[lengths[i]]++] = i;
  return { counts, symbols };
}

class Bits {
  #at = 0;
  #held = 0;
  #count = 0;

  constructor(readonly bytes: Uint8Array) {}

  take(count: number): number {
    while (this.#count < count) {
      this.#held |= this.bytes[this.#at++] << this.#count;
      this.#count += 8;
    }
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#count -= count;
    return value;
  }

  /** The bytes of a stored block, which begin at a whole byte with their count, given twice. */
  stored(): Uint8Array {
    this.take(this.#count % 8);
    const length = this.take(16);
    this.take(16);
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  /** The next symbol; codes of one length are consecutive numbers. */
  symbol({ counts, symbols }: Code): number {
    for (let length = 1, code = 0, first = 0, index = 0; length < 16; length++) {
      code |= this.take(1);
      const count = counts[length];
      if (code < first + count) return symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return 256;
  }
}

function dynamicCodes(bits: Bits): readonly [Code, Code] {
  const literals = bits.take(5) + 257;
  const distances = bits.take(5) + 1;
  const lengthLengths = new Uint8Array(19);
  for (let i = 0, count = bits.take(4) + 4; i < count; i++) lengthLengths[LENGTH_ORDER[i]] = bits.take(3);
  const lengthCode = codeOf(lengthLengths);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length; ) {
    const symbol = bits.symbol(lengthCode);
    if (symbol < 16) lengths[i++] = symbol;
    else {
      const repeat = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
      lengths.fill(symbol === 16 ? lengths[i - 1] : 0, i, i + repeat);
      i += repeat;
    }
  }
  return [codeOf(lengths.subarray(0, literals)), codeOf(lengths.subarray(literals))];
}

/** The codes of blocks that bring none. */
function fixedCodes(): readonly [Code, Code] {
  const lengths = Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
  return [codeOf(lengths), codeOf(new Uint8Array(30).fill(5))];
}

/** The bytes that were compressed. @param length how many there are */
export function inflate(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  const bits = new Bits(bytes);
  for (let at = 0, last = 0; last === 0; ) {
    last = bits.take(1);
    const kind = bits.take(2);
    if (kind === 0) {
      const stored = bits.stored();
      out.set(stored, at);
      at += stored.length;
      continue;
    }
    const [literals, distances] = kind === 1 ? fixedCodes() : dynamicCodes(bits);
    for (let symbol = bits.symbol(literals); symbol !== 256; symbol = bits.symbol(literals)) {
      if (symbol < 256) out[at++] = symbol;
      else {
        const count = LENGTHS.base[symbol - 257] + bits.take(LENGTHS.extra[symbol - 257]);
        const code = bits.symbol(distances);
        const distance = DISTANCES.base[code] + bits.take(DISTANCES.extra[code]);
        for (let i = 0; i < count; i++, at++) out[at] = out[at - distance];
      }
    }
  }
  return out;
}
