import ndarray from 'ndarray';
import ops from 'ndarray-ops';
import type { ReduceOp } from '../backend.js';
import { type HostArray, temporary } from './arrays.js';

/**
 * Collapses `axes` of `x` into `out`, whose extents there are 1. The accumulator is float64 and is read with stride 0
 * along the collapsed axes, so that each element of `x` meets its own sum; it is rounded once, at the end.
 */
export function reduce(op: ReduceOp, out: HostArray, x: HostArray, axes: readonly number[]): void {
  const accumulator = temporary(out.shape, 'float64');
  const strides = accumulator.stride.map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const expanded = ndarray(accumulator.data, x.shape, strides);
  if (op === 'sum') {
    ops.addeq(expanded, x);
  } else {
    ops.assigns(accumulator, Number.NEGATIVE_INFINITY);
    ops.maxeq(expanded, x);
  }
  ops.assign(out, accumulator);
}
