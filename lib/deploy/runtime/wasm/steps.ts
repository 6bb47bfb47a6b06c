import type { FixedPointNode, IntegerTensor, RequantizeNode, ThresholdNode } from '../../graph/graph.js';
import { multiplyAndShift } from '../../graph/requantize.js';

/** A channel's requantization: `base + sign · #{a ≥ threshold}` for the sums `low … high` that can be reached. */
export interface Steps {
  readonly low: number;
  readonly high: number;
  readonly base: number;
  readonly sign: number;
  /** Ascending, each above `low` and at most `high`. */
  readonly thresholds: readonly number[];
}

type Tensors = ReadonlyMap<string, IntegerTensor>;

/** More steps than this are left to the reference. */
const MOST_STEPS = 1023;

/** The steps of a channel; null if they are too many. */
export function stepsOf(
  node: RequantizeNode,
  tensors: Tensors,
  channel: number,
  low: number,
  high: number,
): Steps | null {
  return node.mode === 'thresholds'
    ? given(node, tensors, channel, low, high)
    : found(node, tensors, channel, low, high);
}

const dataOf = (tensors: Tensors, name: string) => (tensors.get(name) as IntegerTensor).data;

function given(node: ThresholdNode, tensors: Tensors, channel: number, low: number, high: number): Steps | null {
  const { shape, data } = tensors.get(node.thresholds) as IntegerTensor;
  const [rows, count] = shape;
  const row = rows === 1 ? 0 : channel;
  const all = Array.from(data.subarray(row * count, (row + 1) * count));
  const passed = all.filter((threshold) => threshold <= low).length;
  const sign = dataOf(tensors, node.sign)[row];
  const base = dataOf(tensors, node.base)[row] + sign * passed;
  const thresholds = all.slice(passed).filter((threshold) => threshold <= high);
  return thresholds.length > MOST_STEPS ? null : { low, high, base, sign, thresholds };
}

/** A line rises or falls, so its steps are where bisection finds them. */
function found(node: FixedPointNode, tensors: Tensors, channel: number, low: number, high: number): Steps | null {
  const offsets = dataOf(tensors, node.offset);
  const row = offsets.length === 1 ? 0 : channel;
  const [multiplier, shift] = [node.multiplier, node.shift].map((name) => dataOf(tensors, name));
  const numbers = { multiplier, offset: offsets, shift, lift: node.lift };
  const result = (a: number) => Math.min(node.high, Math.max(node.low, multiplyAndShift(numbers, row, a)));
  const [base, last] = [result(low), result(high)];
  const sign = last < base ? -1 : 1;
  if (Math.abs(last - base) > MOST_STEPS) return null;
  const thresholds: number[] = [];
  for (let step = 1; step <= Math.abs(last - base); step++) {
    let below = thresholds[thresholds.length - 1] ?? low;
    if (sign * (result(below) - base) < step) {
      let above = high;
      while (above - below > 1) {
        const middle = Math.floor((below + above) / 2);
        if (sign * (result(middle) - base) >= step) above = middle;
        else below = middle;
      }
      below = above;
    }
    thresholds.push(below);
  }
  return { low, high, base, sign, thresholds };
}

/** `clip((a·factor + constant) >> shift, low, high)`. */
export interface Line {
  readonly factor: number;
  readonly constant: number;
  readonly shift: number;
  readonly low: number;
  readonly high: number;
}

/** Largest integer that sums with a constant may reach. */
const MOST = 2 ** 31 - 1;

/**
 * A line that gives the steps exactly, tried on every threshold t and t − 1: with S = 2^shift, `factor·t + constant ≥
 * k·S` and `factor·(t − 1) + constant < k·S` for the k-th. Uniform grids nearly always have one.
 * @param mostFactor largest factor @returns null if none was found
 */
export function lineOf({ low, high, base, sign, thresholds }: Steps, mostFactor: number): Line | null {
  const count = thresholds.length;
  if (count === 0) return { factor: 0, constant: base, shift: 0, low: base, high: base };
  const ends = sign > 0 ? { low: base, high: base + count } : { low: base - count, high: base };
  const slopes = [slopeBetween(thresholds), null];
  for (const first of slopes) {
    const slope = first ?? widestSlope(thresholds);
    for (let shift = 30; shift >= 0; shift--) {
      const factor = Math.round(slope * 2 ** shift);
      if (factor > mostFactor || factor < 1) continue;
      const constant = constantOf(thresholds, factor, 2 ** shift);
      if (constant === null) continue;
      const unit = 2 ** shift;
      const line = sign > 0 ? [factor, constant + base * unit] : [-factor, unit - 1 - constant + base * unit];
      const reached = [low, high].map((a) => Math.abs(a * line[0]) + Math.abs(line[1]));
      if (Math.max(...reached) <= MOST) return { factor: line[0], constant: line[1], shift, ...ends };
    }
  }
  return null;
}

/** Any constant that keeps every threshold; null if there is none. */
function constantOf(thresholds: readonly number[], factor: number, unit: number): number | null {
  let least = Number.NEGATIVE_INFINITY;
  let most = Number.POSITIVE_INFINITY;
  for (const [i, threshold] of thresholds.entries()) {
    const level = (i + 1) * unit;
    least = Math.max(least, level - factor * threshold);
    most = Math.min(most, level - 1 - factor * (threshold - 1));
  }
  return least <= most ? Math.floor((least + most) / 2) : null;
}

/** From the first threshold to the last. */
function slopeBetween(thresholds: readonly number[]): number {
  const count = thresholds.length;
  const span = thresholds[count - 1] - thresholds[0];
  return span > 0 ? (count - 1) / span : count;
}

/** Where the room for a constant, concave in the slope, is largest. */
function widestSlope(thresholds: readonly number[]): number {
  const room = (slope: number) => {
    let least = Number.NEGATIVE_INFINITY;
    let most = Number.POSITIVE_INFINITY;
    for (const [i, threshold] of thresholds.entries()) {
      least = Math.max(least, i + 1 - slope * threshold);
      most = Math.min(most, i + 1 - slope * (threshold - 1));
    }
    return most - least;
  };
  let low = 0;
  let high = thresholds.length + 1;
  for (let i = 0; i < 90; i++) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    if (room(left) < room(right)) low = left;
    else high = right;
  }
  return (low + high) / 2;
}

/** `clip(⌊a·factor + constant⌋, low, high)`, each operation rounded to float64. */
export type WideLine = Omit<Line, 'shift'>;

/** As `lineOf`, for sums too large for it. Rounding is monotone, so that thresholds t and t − 1 tell all. */
export function wideLineOf({ base, sign, thresholds }: Steps): WideLine | null {
  const count = thresholds.length;
  if (count === 0) return { factor: 0, constant: base, low: base, high: base };
  const ends = sign > 0 ? { low: base, high: base + count } : { low: base - count, high: base };
  for (const slope of [slopeBetween(thresholds), widestSlope(thresholds)]) {
    let least = Number.NEGATIVE_INFINITY;
    let most = Number.POSITIVE_INFINITY;
    for (const [i, threshold] of thresholds.entries()) {
      least = Math.max(least, i + 1 - slope * threshold);
      most = Math.min(most, i + 1 - slope * (threshold - 1));
    }
    const constant = (least + most) / 2;
    // Falling: base − ⌊v⌋ = ⌊base + 1 − v⌋ where v is no integer.
    const line = { ...ends, factor: sign * slope, constant: sign > 0 ? base + constant : base + 1 - constant };
    const at = (a: number) => Math.min(line.high, Math.max(line.low, Math.floor(a * line.factor + line.constant)));
    const isRight = thresholds.every((threshold, i) => {
      const before = (at(threshold - 1) - base) * sign;
      return before <= i && (at(threshold) - base) * sign >= i + 1;
    });
    if (isRight) return line;
  }
  return null;
}
