/**
 * Image resizing that gives PIL's bytes.
 *
 * PIL (`Image.resize`) widens its filter by the scale when it shrinks, so every source pixel counts ("antialias"),
 * filters rows first and columns second, and rounds to bytes after each pass. Its 8-bit path uses weights in fixed
 * point with 22 fractional bits; the same integers are used here, so that the results are equal to the bit.
 */
import { DataError } from '../tensor/errors.js';
import { asImage, type Pixels, pixels } from './pixels.js';

/** `bicubic` is Keys' cubic with a = −1/2, as in PIL. */
export type ResizeFilter = 'nearest' | 'bilinear' | 'bicubic';

/** Fractional bits of a weight: 32 minus 8 of the pixel minus 2 of head-room for overshoot. */
const WEIGHT_BITS = 22;
const HALF = 1 << (WEIGHT_BITS - 1);

interface Kernel {
  /** Half width in source pixels when not shrinking. */
  readonly support: number;
  weight(x: number): number;
}

const KERNELS: Record<Exclude<ResizeFilter, 'nearest'>, Kernel> = {
  bilinear: { support: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) },
  bicubic: { support: 2, weight: keysCubic },
};

function keysCubic(x: number): number {
  const a = -0.5;
  const r = Math.abs(x);
  if (r < 1) return ((a + 2) * r - (a + 3)) * r * r + 1;
  if (r < 2) return (((r - 5) * r + 8) * r - 4) * a;
  return 0;
}

/**
 * Resizes as PIL's `image.resize((width, height), filter)` does, bit for bit.
 *
 * @param image [height, width, channels], any sides
 * @returns [height', width', channels]
 * @throws DataError if the new sides are not positive integers
 *
 * @example
 * resize(pixels(2, 1, 1, Uint8Array.of(0, 100)), 4, 1, 'bilinear').data; // [0, 25, 75, 100]
 */
export function resize(image: Pixels, width: number, height: number, filter: ResizeFilter): Pixels {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new DataError('resize', `new sides must be positive integers; got ${width}x${height}`);
  }
  asImage('resize', image);
  if (filter === 'nearest') return resizeNearest(image, width, height);
  if (!Object.hasOwn(KERNELS, filter)) throw new DataError('resize', `there is no filter ${filter}`);
  const kernel = KERNELS[filter];
  // PIL skips a pass that would not change the size.
  const narrow = width === image.width ? image : resizeRows(image, width, kernel);
  return height === image.height ? narrow : resizeColumns(narrow, height, kernel);
}

/** For every output position the first source position, the number of taps and their fixed-point weights. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [outputs, stride] */
  readonly weights: Int32Array;
  readonly stride: number;
}

function tapsFor(from: number, to: number, kernel: Kernel): Taps {
  const scale = from / to;
  const widening = Math.max(scale, 1);
  const support = kernel.support * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let o = 0; o < to; o++) {
    const centre = (o + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const n = Math.min(Math.trunc(centre + support + 0.5), from) - start;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      exact[i] = kernel.weight((i + start - centre + 0.5) * (1 / widening));
      sum += exact[i];
    }
    first[o] = start;
    count[o] = n;
    for (let i = 0; i < n; i++) {
      const fixed = (exact[i] / sum) * (1 << WEIGHT_BITS);
      weights[o * stride + i] = Math.trunc(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
  }
  return { first, count, weights, stride };
}

function toByte(sum: number): number {
  const value = sum >> WEIGHT_BITS;
  return Math.min(Math.max(value, 0), 255);
}

function resizeRows(image: Pixels, width: number, kernel: Kernel): Pixels {
  const { height, channels, data } = image;
  const { first, count, weights, stride } = tapsFor(image.width, width, kernel);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * image.width;
    for (let x = 0; x < width; x++) {
      const n = count[x];
      const at = (row + first[x]) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        for (let i = 0, w = x * stride, p = at + c; i < n; i++, w++, p += channels) {
          sum = (sum + Math.imul(data[p], weights[w])) | 0;
        }
        out[to++] = toByte(sum);
      }
    }
  }
  return pixels(width, height, channels, out);
}

function resizeColumns(image: Pixels, height: number, kernel: Kernel): Pixels {
  const { width, channels, data } = image;
  const { first, count, weights, stride } = tapsFor(image.height, height, kernel);
  const row = width * channels;
  const out = new Uint8Array(row * height);
  const sums = new Int32Array(row);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let i = 0; i < count[y]; i++) {
      const weight = weights[y * stride + i];
      for (let x = 0, p = (first[y] + i) * row; x < row; x++, p++) sums[x] += Math.imul(data[p], weight);
    }
    for (let x = 0; x < row; x++) out[y * row + x] = toByte(sums[x]);
  }
  return pixels(width, height, channels, out);
}

function resizeNearest(image: Pixels, width: number, height: number): Pixels {
  const { channels, data } = image;
  const columns = nearestPositions(image.width, width);
  const rows = nearestPositions(image.height, height);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (rows[y] * image.width + columns[x]) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[at + c];
    }
  }
  return pixels(width, height, channels, out);
}

function nearestPositions(from: number, to: number): Int32Array {
  const scale = from / to;
  const positions = new Int32Array(to);
  // A running sum, as in PIL: o·scale would round differently now and then.
  for (let o = 0, at = scale * 0.5; o < to; o++, at += scale) positions[o] = Math.min(Math.trunc(at), from - 1);
  return positions;
}
