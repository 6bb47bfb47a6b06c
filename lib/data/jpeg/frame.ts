import type { ImageFile } from '../imageFile.js';
import type { HuffmanTable } from './huffman.js';

/** A colour component of a picture. */
export interface Component {
  readonly id: number;
  /** Sampling factors: samples in each direction for the most finely sampled component's `maxH` and `maxV`. */
  readonly h: number;
  readonly v: number;
  /** Samples that count; blocks may reach beyond. */
  readonly width: number;
  readonly height: number;
  /** Blocks of 8×8 that cover those samples: [blocksHigh, blocksWide]. */
  readonly blocksWide: number;
  readonly blocksHigh: number;
  /** Blocks in a row of the store, which holds whole units of all components. */
  readonly stride: number;
  /** Which table of the file its coefficients are divided by; the table itself from its first scan on. */
  readonly quantIndex: number;
  quant: Int32Array | null;
  /** Block after block: samples; in progressive files coefficients first, undivided and in zigzag order. */
  readonly store: Uint8Array | Int16Array;
  /** Progressive files: zigzag index of each block's last coefficient that is not 0. */
  readonly last: Uint8Array;
  dcTable: HuffmanTable | null;
  acTable: HuffmanTable | null;
  /** The last DC value in this scan. */
  prediction: number;
}

export interface Frame {
  readonly progressive: boolean;
  readonly width: number;
  readonly height: number;
  readonly maxH: number;
  readonly maxV: number;
  readonly components: readonly Component[];
}

/** Compression methods by the number of their frame marker, 0xC0 + n. */
const METHODS: Readonly<Record<number, string>> = {
  3: 'lossless compression',
  5: 'a hierarchy of frames',
  6: 'a hierarchy of frames',
  7: 'a hierarchy of frames',
  9: 'arithmetic coding',
  10: 'arithmetic coding',
  11: 'arithmetic coding',
  13: 'arithmetic coding',
  14: 'arithmetic coding',
  15: 'arithmetic coding',
};

/** The least bits that a block takes: a code of one bit for its DC value, and in sequential files one for its end. */
const LEAST_BITS = { progressive: 1, sequential: 2 } as const;

/**
 * Reads a frame header.
 *
 * @param marker 0xC0 … 0xCF
 * @param segment its payload
 * @param room whether to make room for what it announces, which the file is long enough to hold
 * @throws DataError on what is corrupt, not supported, above a limit or more than the file can hold
 */
export function readFrame(file: ImageFile, marker: number, segment: Uint8Array, room: boolean): Frame {
  const method = METHODS[marker - 0xc0];
  if (method !== undefined) throw file.unsupported(method);
  if (segment.length < 6 || segment.length !== 6 + 3 * segment[5]) throw file.corrupt('a frame header of odd length');
  const [bits, , , , , count] = segment;
  if (bits !== 8) throw file.unsupported(`${bits} bits a sample`);
  const height = (segment[1] << 8) | segment[2];
  const width = (segment[3] << 8) | segment[4];
  if (height === 0) throw file.unsupported('its height after the picture (DNL)');
  file.checkSides(width, height);
  if (count !== 1 && count !== 3 && count !== 4) throw file.unsupported(`${count} colour components`);
  const factors = Array.from({ length: count }, (_, c) => segment[7 + 3 * c]);
  if (factors.some((hv) => hv >> 4 < 1 || hv >> 4 > 4 || (hv & 15) < 1 || (hv & 15) > 4)) {
    throw file.corrupt('sampling factors beyond 1 … 4');
  }
  const maxH = Math.max(...factors.map((hv) => hv >> 4));
  const maxV = Math.max(...factors.map((hv) => hv & 15));
  const progressive = marker === 0xc2;
  const plans = factors.map((hv) => planOf(width, height, hv >> 4, hv & 15, maxH, maxV));
  checkLength(file, progressive, plans);
  const components = plans.map((plan, c): Component => {
    const blocks = room ? plan.stride * plan.rows : 0;
    return {
      ...plan,
      id: segment[6 + 3 * c],
      quantIndex: segment[8 + 3 * c],
      quant: null,
      store: progressive ? new Int16Array(blocks * 64) : new Uint8Array(blocks * 64),
      last: new Uint8Array(progressive ? blocks : 0),
      dcTable: null,
      acTable: null,
      prediction: 0,
    };
  });
  return { progressive, width, height, maxH, maxV, components };
}

/** How the samples of a component lie in blocks. */
function planOf(width: number, height: number, h: number, v: number, maxH: number, maxV: number) {
  const own = { width: Math.ceil((width * h) / maxH), height: Math.ceil((height * v) / maxV) };
  const stride = Math.ceil(width / (8 * maxH)) * h;
  const rows = Math.ceil(height / (8 * maxV)) * v;
  return { h, v, ...own, blocksWide: Math.ceil(own.width / 8), blocksHigh: Math.ceil(own.height / 8), stride, rows };
}

function checkLength(
  file: ImageFile,
  progressive: boolean,
  plans: readonly { readonly blocksWide: number; readonly blocksHigh: number }[],
): void {
  const blocks = plans.reduce((sum, { blocksWide, blocksHigh }) => sum + blocksWide * blocksHigh, 0);
  const least = Math.ceil((blocks * LEAST_BITS[progressive ? 'progressive' : 'sequential']) / 8);
  if (file.bytes.length < least) throw file.truncated(`${blocks} blocks of pixels take ${least} bytes or more`);
}
