import { DataError } from '../../../tensor/errors.js';
import { sizeOf } from '../../../tensor/shape.js';
import type { IntegerTensor } from '../../graph/graph.js';
import type { Extremes } from '../../graph/ranges.js';
import type { IntegerValue } from '../reference.js';

/**
 * Several sums of integers in one float32: `Σᵢ sumᵢ · baseⁱ`. The sums of neighbouring channels are formed at once, by
 * weights packed the same way, and taken apart afterwards. Exact where the certified range of every sum makes the
 * whole, and with it every partial sum in any order, stay within ±2^24.
 */
export interface Packing {
  /** Sums in one number; 1 packs nothing. */
  readonly count: number;
  /** A power of two, at least as many as there are integers from `low` to `high`. */
  readonly base: number;
  /** Of every sum: `low … high` holds 0. */
  readonly low: number;
  readonly high: number;
}

/** Whole numbers up to here are all float32. */
const EXACT = 2 ** 24;

/** Most sums in one number. */
const MOST = 8;

/**
 * As many sums in one number as their range proves to be exact: two of 12 bits, three of 8.
 * @param most no more than so many @returns null if not even one is exact
 */
export function packingFor({ low, high }: Extremes, most = MOST): Packing | null {
  const base = 2 ** Math.ceil(Math.log2(high - low + 1));
  const furthest = Math.max(-low, high);
  for (let count = Math.min(MOST, most); count > 0; count--) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += furthest * base ** i;
    if (sum <= EXACT) return { count, base, low, high };
  }
  return null;
}

/** How output channels share numbers: in each group, channel `j + i · perGroup` is digit `i` of number `j`. */
export interface Dealt {
  readonly groups: number;
  /** Output channels of a group. */
  readonly channels: number;
  /** Numbers of a group. */
  readonly perGroup: number;
}

/** Output channels `[O]` of `groups`, so many in a number. */
export function dealt(outputs: number, groups: number, count: number): Dealt {
  const channels = outputs / groups;
  return { groups, channels, perGroup: Math.ceil(channels / count) };
}

/** Weights `[O, …]` as float32 `[groups · perGroup, …]`. */
export function packWeights({ shape, data }: IntegerTensor, packing: Packing, deal: Dealt): Float32Array {
  const length = sizeOf(shape.slice(1));
  const packed = new Float32Array(deal.groups * deal.perGroup * length);
  eachDigit(packing, deal, (number, channel, place) => {
    for (let k = 0; k < length; k++) packed[number * length + k] += data[channel * length + k] * place;
  });
  return packed;
}

/**
 * Sums `[N, groups · perGroup, area]` taken apart, to `[N, O, area]`.
 * @throws DataError if a number is none that packed sums give
 */
export function unpackSums(sums: Float32Array, shape: readonly number[], packing: Packing, deal: Dealt): IntegerValue {
  const [images, outputs, ...rest] = shape;
  const area = sizeOf(rest);
  const numbers = deal.groups * deal.perGroup;
  const data = new Int32Array(images * outputs * area);
  const { base, low, high } = packing;
  let beyond = 0;
  for (let image = 0; image < images; image++) {
    eachDigit(packing, deal, (number, channel, place) => {
      const from = (image * numbers + number) * area;
      const to = (image * outputs + channel) * area;
      for (let i = 0; i < area; i++) {
        // Lower digits first: what is left after them is a multiple of the place.
        const whole = sums[from + i] / place;
        const sum = whole - Math.floor((whole - low) / base) * base;
        data[to + i] = sum;
        if (sum > high) beyond++;
        sums[from + i] -= sum * place;
      }
    });
  }
  if (beyond === 0) return { shape, data };
  throw new DataError(
    'gpu',
    `${beyond} sums are beyond ${low} … ${high}, which was proved: the device computes wrongly`,
  );
}

/** Visits every channel, the digits of a number in ascending order, with its number and what its digit is worth. */
function eachDigit(
  { count, base }: Packing,
  { groups, channels, perGroup }: Dealt,
  visit: (number: number, channel: number, place: number) => void,
): void {
  for (let group = 0; group < groups; group++) {
    for (let digit = 0; digit < count; digit++) {
      for (let j = 0; j < perGroup && j + digit * perGroup < channels; j++) {
        visit(group * perGroup + j, group * channels + j + digit * perGroup, base ** digit);
      }
    }
  }
}
