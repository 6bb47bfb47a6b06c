import { count } from '../../oracle.js';

/** Where the elements of a shape lie in a block of `length` numbers. */
export interface Placement {
  readonly length: number;
  readonly strides: readonly number[];
  readonly offset: number;
}

export type Layout = (shape: readonly number[]) => Placement;

/** Ways in which the same numbers can lie in memory. */
export const LAYOUTS = {
  contiguous: (shape) => ({ length: count(shape), strides: rowMajor(shape), offset: 0 }),
  /** Contiguous, but neither at the start nor at the end of the block. */
  inset: (shape) => ({ length: count(shape) + 5, strides: rowMajor(shape), offset: 3 }),
  /** The first axis runs fastest. */
  transposed: (shape) => ({ length: count(shape), strides: rowMajor([...shape].reverse()).reverse(), offset: 0 }),
  /** Every second element along every axis of a larger array. */
  sliced: (shape) => {
    const whole = shape.map((extent) => 2 * extent + 1);
    const strides = rowMajor(whole);
    const offset = strides.reduce((sum, stride) => sum + stride, 0);
    return { length: count(whole) + 1, strides: strides.map((stride) => 2 * stride), offset };
  },
  /** Backwards along every axis. */
  reversed: (shape) => ({
    length: count(shape),
    strides: rowMajor(shape).map((stride) => -stride),
    offset: Math.max(0, count(shape) - 1),
  }),
} as const satisfies Record<string, Layout>;

export const LAYOUT_NAMES = Object.keys(LAYOUTS) as (keyof typeof LAYOUTS)[];

/** Extents at which loops over 4, 8 or 16 numbers have a remainder, none, or nothing to do. */
export const LENGTHS = [0, 1, 3, 4, 5, 15, 16, 17] as const;

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => count(shape.slice(axis + 1)));
}
