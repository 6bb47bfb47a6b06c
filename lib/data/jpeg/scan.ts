import type { ImageFile } from '../imageFile.js';
import { BitReader } from './bitReader.js';
import type { Component, Frame } from './frame.js';
import type { HuffmanTable } from './huffman.js';
import { inverseDct, inverseDctFlat } from './inverseDct.js';

/** Where the coefficients of a block lie, [8, 8], in the order in which files hold them. */
export const ZIGZAG = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48],
  ...[41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23],
  ...[30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63],
);

/** What a scan holds: components, and in progressive files which coefficients and which of their bits. */
export interface ScanHeader {
  readonly components: readonly Component[];
  /** First and last coefficient, in zigzag order. */
  readonly first: number;
  readonly last: number;
  /** How many bits of the coefficients were dropped before, 0 if this is their first scan, and how many now. */
  readonly high: number;
  readonly low: number;
}

/**
 * Decodes a scan into the stores of its components.
 *
 * @param at where its bits begin
 * @param interval units between restart markers; 0 without any
 * @returns where the next marker is to be looked for
 * @throws DataError if the scan ends early, or breaks a rule
 */
export function decodeScan(file: ImageFile, frame: Frame, header: ScanHeader, at: number, interval: number): number {
  const scan = new Scan(new BitReader(file, at), header);
  const { reader } = scan;
  const decode = blockDecoder(scan, frame.progressive);
  const { components } = header;
  const [only] = components;
  const unitsWide = components.length === 1 ? only.blocksWide : Math.ceil(frame.width / (8 * frame.maxH));
  const unitsHigh = components.length === 1 ? only.blocksHigh : Math.ceil(frame.height / (8 * frame.maxV));
  for (let row = 0, unit = 0; row < unitsHigh; row++) {
    for (let column = 0; column < unitsWide; column++, unit++) {
      if (interval > 0 && unit > 0 && unit % interval === 0) scan.restart(unit / interval - 1);
      if (components.length === 1) decode(only, row * only.stride + column);
      else {
        for (const component of components) {
          const { h, v, stride } = component;
          for (let y = row * v; y < (row + 1) * v; y++) {
            for (let x = column * h; x < (column + 1) * h; x++) decode(component, y * stride + x);
          }
        }
      }
      reader.check();
    }
  }
  return reader.at;
}

type DecodeBlock = (component: Component, block: number) => void;

function blockDecoder(scan: Scan, progressive: boolean): DecodeBlock {
  const { first, high } = scan.header;
  if (!progressive) return (component, block) => scan.sequential(component, block);
  if (first === 0) {
    return high === 0
      ? (component, block) => scan.dcFirst(component, block)
      : (component, block) => scan.dcMore(component, block);
  }
  return high === 0
    ? (component, block) => scan.acFirst(component, block)
    : (component, block) => scan.acMore(component, block);
}

/** A scan under way. Names as in the standard: run and size of a coefficient, end-of-band runs. */
class Scan {
  /** Blocks to come without further coefficients in this band. */
  #endOfBandRun = 0;
  readonly #block = new Int32Array(64);

  constructor(
    readonly reader: BitReader,
    readonly header: ScanHeader,
  ) {
    for (const component of header.components) component.prediction = 0;
  }

  restart(number: number): void {
    this.reader.restart(number);
    this.#endOfBandRun = 0;
    for (const component of this.header.components) component.prediction = 0;
  }

  /** All coefficients of a block, and its samples. */
  sequential(component: Component, index: number): void {
    const { reader } = this;
    const [block, quant] = [this.#block, component.quant as Int32Array];
    const table = component.acTable as HuffmanTable;
    const dc = Math.imul(this.#nextDc(component), quant[0]);
    let flat = true;
    for (let k = 1; k < 64; k++) {
      const runSize = reader.symbol(table);
      const size = runSize & 15;
      k += runSize >> 4;
      if (size === 0) {
        if (runSize !== 0xf0) break;
        continue;
      }
      if (k > 63) throw this.#tooLong();
      block[ZIGZAG[k]] = Math.imul(reader.takeSigned(size), quant[k]);
      flat = false;
    }
    if (flat) {
      inverseDctFlat(dc, component.store, index * 64);
      return;
    }
    block[0] = dc;
    inverseDct(block, component.store, index * 64);
    block.fill(0);
  }

  /** The DC value of the next block: the one before and a difference. */
  #nextDc(component: Component): number {
    const size = this.reader.symbol(component.dcTable as HuffmanTable);
    if (size > 15) throw this.reader.damage(`a DC difference of ${size} bits`);
    component.prediction += this.reader.takeSigned(size);
    return component.prediction;
  }

  #tooLong(): Error {
    return this.reader.damage('more than 64 coefficients in a block');
  }

  dcFirst(component: Component, block: number): void {
    component.store[block * 64] = this.#nextDc(component) << this.header.low;
  }

  dcMore(component: Component, block: number): void {
    if (this.reader.take(1) === 1) component.store[block * 64] |= 1 << this.header.low;
  }

  acFirst(component: Component, block: number): void {
    if (this.#endOfBandRun > 0) {
      this.#endOfBandRun--;
      return;
    }
    const { reader } = this;
    const { first, last, low } = this.header;
    const { store } = component;
    for (let k = first; k <= last; k++) {
      const runSize = reader.symbol(component.acTable as HuffmanTable);
      const [run, size] = [runSize >> 4, runSize & 15];
      if (size === 0) {
        if (run < 15) {
          this.#endOfBandRun = (1 << run) - 1 + reader.take(run);
          return;
        }
        k += 15;
        continue;
      }
      k += run;
      if (k > last) throw this.#tooLong();
      store[block * 64 + k] = reader.takeSigned(size) << low;
      if (k > component.last[block]) component.last[block] = k;
    }
  }

  /** One more bit of each coefficient that is not 0, and new ones of that bit between them. */
  acMore(component: Component, block: number): void {
    const { reader } = this;
    const { first, last, low } = this.header;
    const { store } = component;
    let k = first;
    if (this.#endOfBandRun === 0) {
      for (; k <= last; k++) {
        const runSize = reader.symbol(component.acTable as HuffmanTable);
        const [run, size] = [runSize >> 4, runSize & 15];
        if (size === 0 && run < 15) {
          this.#endOfBandRun = (1 << run) + reader.take(run);
          break;
        }
        if (size > 1) throw reader.damage(`a refinement of ${size} bits`);
        const value = size === 0 ? 0 : reader.take(1) === 1 ? 1 << low : -1 << low;
        k = this.#refine(component, block, k, run);
        if (value === 0) continue;
        if (k > last) throw this.#tooLong();
        store[block * 64 + k] = value;
        if (k > component.last[block]) component.last[block] = k;
      }
    }
    if (this.#endOfBandRun > 0) {
      this.#endOfBandRun--;
      this.#refine(component, block, k, 64);
    }
  }

  /** Refines coefficients from `k` on, past `zeros` of those that are 0. @returns where the next 0 is, or `last` + 1 */
  #refine(component: Component, block: number, k: number, zeros: number): number {
    const { last, low } = this.header;
    const { store } = component;
    // Beyond a block's last coefficient there is nothing to refine.
    const end = Math.min(last, component.last[block]);
    let left = zeros;
    for (; k <= end; k++) {
      const at = block * 64 + k;
      const value = store[at];
      if (value === 0) {
        if (left === 0) return k;
        left--;
      } else if (this.reader.take(1) === 1) {
        store[at] = value + (value > 0 ? 1 << low : -1 << low);
      }
    }
    return Math.min(k + left, last + 1);
  }
}

/** The samples of a progressive picture, in the place of its coefficients. */
export function transformStored({ store, last, quant }: Component): void {
  const block = new Int32Array(64);
  const divisors = quant as Int32Array;
  for (let index = 0; index < last.length; index++) {
    const at = index * 64;
    const dc = Math.imul(store[at], divisors[0]);
    if (last[index] === 0) {
      inverseDctFlat(dc, store, at);
      continue;
    }
    block.fill(0);
    block[0] = dc;
    for (let k = 1; k <= last[index]; k++) block[ZIGZAG[k]] = Math.imul(store[at + k], divisors[k]);
    inverseDct(block, store, at);
  }
}
