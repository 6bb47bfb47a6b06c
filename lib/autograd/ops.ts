import { asTensor, asTensors } from '../tensor/argument.js';
import { ShapeError } from '../tensor/errors.js';
import { broadcastShapes, inferShape, normalizeAxes, normalizeAxis, type Shape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { div, maximum, minimum, type TensorLike } from './rows/elementwise.js';
import { layoutRows } from './rows/layout.js';
import { linearRows } from './rows/linear.js';
import { reductionRows } from './rows/reduction.js';
import { apply } from './tape.js';

/** What users call: elementwise ones stand beside their rows; the rest take arguments in a more convenient form. */

export * from './rows/elementwise.js';

/** x limited to [low, high]; the gradient passes inside and at the ends, and is blocked outside. */
export function clip(x: Tensor, low: TensorLike, high: TensorLike): Tensor {
  return minimum(maximum(x, low), high);
}

/**
 * The same elements, row-major; one extent may be −1 and is worked out.
 * @throws ShapeError if the counts of elements differ, or an extent of 0 lets −1 be any number
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return apply(layoutRows.reshape, [x], { shape: inferShape('reshape', shape, asTensor('reshape', 'x', x).size) });
}

/** Axes in another order; without `axes`, reversed. */
export function permute(x: Tensor, axes?: readonly number[]): Tensor {
  const order = axes?.map((axis) => normalizeAxis('permute', axis, x.rank));
  return apply(layoutRows.permute, [x], { axes: order ?? x.shape.map((_, axis) => x.rank - 1 - axis) });
}

/** Swaps two axes, by default the last two. */
export function transpose(x: Tensor, a = -2, b = -1): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const [i, j] = [normalizeAxis('transpose', a, x.rank), normalizeAxis('transpose', b, x.rank)];
  [axes[i], axes[j]] = [axes[j], axes[i]];
  return apply(layoutRows.permute, [x], { axes });
}

/** Extents of 1 repeated to `shape`, without a copy; −1 keeps the extent of an axis of `x`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const own = asTensor('expand', 'x', x).shape;
  const kept = (extent: number, axis: number) =>
    extent === -1 ? (own[axis - shape.length + own.length] ?? -1) : extent;
  return apply(layoutRows.expand, [x], { shape: Array.isArray(shape) ? shape.map(kept) : shape });
}

/** Elements `start ≤ i < end` by `step` along `axis`; negative positions count from the end. */
export function slice(x: Tensor, axis: number, start: number, end?: number, step = 1): Tensor {
  const at = normalizeAxis('slice', axis, x.rank);
  const extent = x.shape[at];
  const from = (i: number) => (i < 0 ? i + extent : i);
  return apply(layoutRows.slice, [x], {
    axis: at,
    start: from(start),
    end: end === undefined ? extent : from(end),
    step,
  });
}

/** Tensors one after the other along `axis`. */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  if (asTensors('concat', 'xs', xs).length === 0) throw new ShapeError('concat', 'needs at least one tensor');
  return apply(layoutRows.concat, xs, { axis: normalizeAxis('concat', axis, xs[0].rank) });
}

/** How a reduction treats its axes: which (default all), and whether they stay as extents of 1. */
export interface ReduceOptions {
  readonly axes?: number | readonly number[];
  readonly keepDims?: boolean;
}

function reduce(name: 'sum' | 'max', x: Tensor, options: ReduceOptions): Tensor {
  const axes = normalizeAxes(name, options.axes, x.rank);
  const kept = axes.length === 0 ? x : apply(reductionRows[name], [x], { axes });
  return options.keepDims
    ? kept
    : reshape(
        kept,
        x.shape.filter((_, axis) => !axes.includes(axis)),
      );
}

export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce('sum', x, options);
}

/** Maximum; its gradient goes to the first maximum of each slice. */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce('max', x, options);
}

export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const total = sum(x, options);
  return div(total, x.size / Math.max(1, total.size));
}

/** The k-th smallest of all elements, 1-based, as a scalar; NaN is larger than all numbers. */
export function kthSmallest(x: Tensor, k: number): Tensor {
  return apply(reductionRows.kthSmallest, [x], { k });
}

/**
 * Matrix product: `[m, k]·[k, n]`, or batched `[…, m, k]·[…, k, n]` with broadcasting batch axes.
 * @throws ShapeError naming the inner dimensions that differ
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.rank < 2 || b.rank < 2) throw new ShapeError('matmul', 'operands need at least 2 axes', [a.shape, b.shape]);
  if (a.shape[a.rank - 1] !== b.shape[b.rank - 2]) {
    const [left, right] = [a.shape[a.rank - 1], b.shape[b.rank - 2]];
    throw new ShapeError('matmul', `inner dimensions differ (${left} and ${right})`, [a.shape, b.shape]);
  }
  const lead = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const flat = (x: Tensor): Tensor => {
    const matrix = x.shape.slice(-2);
    return reshape(expand(x, [...lead, ...matrix]), [sizeOf(lead), ...matrix]);
  };
  const product = apply(linearRows.matmul, [flat(a), flat(b)], {});
  return reshape(product, [...lead, a.shape[a.rank - 2], b.shape[b.rank - 1]]);
}
