import type { ImageFile } from '../imageFile.js';
import { FAST_BITS, type HuffmanTable } from './huffman.js';

/** Reads the bits of a scan, up to the marker that ends it. What lies beyond reads as 0, until `check` sees it. */
export class BitReader {
  /** Position of the next byte to take. */
  at: number;
  #bits = 0;
  /** How many low bits of `#bits` are still to be read. */
  #count = 0;
  /** How many of those stand for bytes that are not there. */
  #missing = 0;
  #ended = false;
  readonly #bytes: Uint8Array;

  constructor(
    readonly file: ImageFile,
    at: number,
  ) {
    this.#bytes = file.bytes;
    this.at = at;
  }

  /** The next symbol of a Huffman code. @throws DataError if the bits are no code word */
  symbol(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill();
    const entry = table.fast[(this.#bits >>> (this.#count - FAST_BITS)) & ((1 << FAST_BITS) - 1)];
    if (entry === 0) return this.#longSymbol(table);
    this.#count -= entry >> 8;
    return entry & 255;
  }

  #longSymbol(table: HuffmanTable): number {
    for (let length = FAST_BITS + 1; length <= 16; length++) {
      const code = (this.#bits >>> (this.#count - length)) & ((1 << length) - 1);
      if (code > table.lastCode[length]) continue;
      this.#count -= length;
      return table.symbols[code - table.lastCode[length] + table.lastIndex[length]];
    }
    throw this.damage('a code that its Huffman table lacks');
  }

  /** `length` bits, 0 … 16, as an unsigned number. */
  take(length: number): number {
    if (this.#count < length) this.#fill();
    this.#count -= length;
    return (this.#bits >>> this.#count) & ((1 << length) - 1);
  }

  /** A signed number of `length` bits, as JPEG writes differences and coefficients. */
  takeSigned(length: number): number {
    if (length === 0) return 0;
    const value = this.take(length);
    return value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
  }

  /** @throws DataError if more has been read than there was */
  check(): void {
    if (this.#count < this.#missing) throw this.#endsEarly();
  }

  /** Bits that make no sense; those after the end are no fault of theirs. */
  damage(reason: string): Error {
    return this.#missing > 0 ? this.#endsEarly() : this.file.corrupt(`${reason} before byte ${this.at}`);
  }

  #endsEarly(): Error {
    if (nextMarker(this.#bytes, this.at) >= this.#bytes.length) return this.file.truncated('it ends within a scan');
    return this.file.corrupt(`a scan ends too early, at byte ${this.at}`);
  }

  /** Goes on after the restart marker of this number. @throws DataError if another marker is next */
  restart(number: number): void {
    this.at = nextMarker(this.#bytes, this.at);
    if (this.at >= this.#bytes.length) throw this.file.truncated('it ends within a scan');
    const marker = this.#bytes[this.at + 1];
    if (marker !== 0xd0 + (number & 7)) throw this.file.corrupt(`no restart marker ${number & 7} at byte ${this.at}`);
    this.at += 2;
    this.#bits = 0;
    this.#count = 0;
    this.#missing = 0;
    this.#ended = false;
  }

  #fill(): void {
    while (this.#count <= 24) {
      this.#bits = (this.#bits << 8) | this.#nextByte();
      this.#count += 8;
    }
  }

  #nextByte(): number {
    if (!this.#ended) {
      const byte = this.#bytes[this.at];
      if (byte < 0xff) {
        this.at++;
        return byte;
      }
      if (byte === 0xff && this.#bytes[this.at + 1] === 0) {
        this.at += 2;
        return 0xff;
      }
      this.#ended = true;
    }
    this.#missing += 8;
    return 0;
  }
}

/** Where the first marker at or after `from` begins: 0xFF before something else than 0 or 0xFF; else the length. */
export function nextMarker(bytes: Uint8Array, from: number): number {
  for (let at = from; ; at++) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) return bytes.length;
    if (bytes[at + 1] !== 0 && bytes[at + 1] !== 0xff) return at;
  }
}
