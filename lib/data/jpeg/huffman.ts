/** Codes of up to so many bits are found in one step. */
export const FAST_BITS = 9;

/** A Huffman code of JPEG: code words of each length count up, and follow those of the length before. */
export interface HuffmanTable {
  readonly symbols: Uint8Array;
  /** By the next `FAST_BITS` bits: length << 8 | symbol, or 0 where the code is longer. */
  readonly fast: Uint16Array;
  /** The largest code word of each length, −1 without any. */
  readonly lastCode: Int32Array;
  /** Index of its symbol. */
  readonly lastIndex: Int32Array;
}

/**
 * @param counts of code words of 1 … 16 bits
 * @param symbols in the order of their code words
 * @returns null if there are more code words than fit
 */
export function huffmanTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable | null {
  const fast = new Uint16Array(1 << FAST_BITS);
  const lastCode = new Int32Array(17).fill(-1);
  const lastIndex = new Int32Array(17);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    for (let i = 0; i < counts[length - 1]; i++, code++, index++) {
      if (length > FAST_BITS) continue;
      const spare = FAST_BITS - length;
      fast.fill((length << 8) | symbols[index], code << spare, (code + 1) << spare);
    }
    if (code > 1 << length) return null;
    if (counts[length - 1] > 0) {
      lastCode[length] = code - 1;
      lastIndex[length] = index - 1;
    }
    code <<= 1;
  }
  return { symbols, fast, lastCode, lastIndex };
}
