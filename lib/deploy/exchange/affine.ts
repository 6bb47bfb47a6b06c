import { roundHalfEven } from '../../tensor/float32.js';
import type { Staircase } from './staircase.js';

/** `out = clip(roundHalfEven(slope·a + intercept))`, of each row. */
export interface Affine {
  /** `[rows]`, float32; negative where results fall. */
  readonly slope: Float32Array;
  /** `[rows]`, float32. */
  readonly intercept: Float32Array;
}

/** How runtimes compute the real number that is rounded, from `sign·a`. */
type Real = (a: number) => number;

/**
 * A staircase as scale and bias in float32, found as the line with the most room between its thresholds: what they were
 * made from is not needed. Product and sum are rounded one after the other, as runtimes do, and every step is tried.
 * @returns null if a row is no such line
 */
export function affineOf(stairs: Staircase): Affine | null {
  const lines = rowsOf(stairs).map((row) => {
    const slope = Math.fround(widest(row));
    const [least, most] = room(row, slope);
    const intercept = Math.fround((least + most) / 2);
    return isExact(row, (a) => Math.fround(Math.fround(slope * a) + intercept)) ? { slope, intercept } : null;
  });
  if (!lines.every((line) => line !== null)) return null;
  return {
    slope: Float32Array.from(lines, ({ slope }, row) => stairs.sign[row] * slope),
    intercept: Float32Array.from(lines, ({ intercept }) => intercept),
  };
}

/** `out = clip(roundHalfEven(slope·(a + bias)))`, of each row: what runtimes fuse into one operator. */
export interface Fused {
  /** `[rows]`, float32, above 0; `sign` says where results fall. */
  readonly slope: Float32Array;
  /** `[rows]`, integers. */
  readonly bias: Int32Array;
  /** Whether it gives the staircase, with room for float32 sums. */
  readonly exact: boolean;
}

/** Room that rounding in sums of float32 needs, in steps of the result. */
const ROOM = 1e-5;

/**
 * The staircase with its biases as whole accumulators, the nearest ones; null if a row is no line at all, or one whose
 * results are the same throughout.
 */
export function fusedOf(stairs: Staircase, affine: Affine): Fused | null {
  const slope = affine.slope.map(Math.abs);
  const bias = Array.from(affine.intercept, (intercept, row) => Math.round(intercept / slope[row]));
  if (!bias.every((value, row) => slope[row] > 0 && Math.abs(value) < 2 ** 31)) return null;
  const exact = rowsOf(stairs).every((row, r) =>
    [-ROOM, ROOM].every((shift) => isExact(row, (a) => Math.fround(slope[r] * (a + bias[r])) + shift)),
  );
  return { slope, bias: Int32Array.from(bias), exact };
}

/** One row: `sign·a` of `from … to` reaches more than `low + k` from `cuts[k]` on. */
interface Row {
  readonly low: number;
  readonly high: number;
  readonly from: number;
  readonly to: number;
  readonly cuts: Int32Array;
}

function rowsOf({ rows, steps, low, high, thresholds, reach }: Staircase): readonly Row[] {
  return Array.from({ length: rows }, (_, row) => ({
    ...{ low, high, from: reach.low[row], to: reach.high[row] },
    cuts: thresholds.subarray(row * steps, (row + 1) * steps),
  }));
}

/** The intercepts that a slope allows: from the first number to the second, which is less where none is. */
function room({ low, from, to, cuts }: Row, slope: number): readonly [number, number] {
  let least = Number.NEGATIVE_INFINITY;
  let most = Number.POSITIVE_INFINITY;
  for (let k = 0; k < cuts.length; k++) {
    const cut = cuts[k];
    const half = low + k + 0.5;
    if (cut <= to) least = Math.max(least, half - slope * cut);
    if (cut > from) most = Math.min(most, half - slope * (cut - 1));
  }
  if (least === Number.NEGATIVE_INFINITY) return [most - 1, most];
  return most === Number.POSITIVE_INFINITY ? [least, least + 1] : [least, most];
}

/** The slope with the most room: that is concave in the slope, so thirds of its range go one after the other. */
function widest(row: Row): number {
  const width = (slope: number) => {
    const [least, most] = room(row, slope);
    return most - least;
  };
  let [left, right] = [0, row.cuts.length + 1];
  while (right - left > right * 2 ** -50) {
    const third = (right - left) / 3;
    if (width(left + third) < width(right - third)) left += third;
    else right -= third;
    if (right < 1e-30) return 0;
  }
  return (left + right) / 2;
}

/** Whether rounding gives each step at its threshold, and not one before. */
function isExact({ low, high, from, to, cuts }: Row, real: Real): boolean {
  const out = (a: number) => Math.min(high, Math.max(low, roundHalfEven(real(a))));
  return cuts.every((cut, k) => (cut > to || out(cut) > low + k) && (cut <= from || out(cut - 1) <= low + k));
}
