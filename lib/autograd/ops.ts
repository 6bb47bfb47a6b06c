import { asList, asOptions, asTensor, asTensors, kindOf } from '../tensor/argument.js';
import { ArgumentError, DTypeError, ShapeError } from '../tensor/errors.js';
import {
  broadcastShapes,
  inferShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
} from '../tensor/shape.js';
import type { DType } from '../tensor/storage.js';
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
export function reshape<D extends DType>(x: Tensor<D>, shape: Shape): Tensor<D> {
  return apply(layoutRows.reshape, [x], { shape: inferShape('reshape', shape, asTensor('reshape', 'x', x).size) });
}

/** Axes in another order; without `axes`, reversed. */
export function permute<D extends DType>(x: Tensor<D>, axes?: readonly number[]): Tensor<D> {
  asTensor('permute', 'x', x);
  const order =
    axes === undefined ? axes : asList('permute', 'axes', axes).map((axis) => normalizeAxis('permute', axis, x.rank));
  return apply(layoutRows.permute, [x], { axes: order ?? x.shape.map((_, axis) => x.rank - 1 - axis) });
}

/** Swaps two axes, by default the last two. */
export function transpose<D extends DType>(x: Tensor<D>, a = -2, b = -1): Tensor<D> {
  const axes = asTensor('transpose', 'x', x).shape.map((_, axis) => axis);
  const [i, j] = [normalizeAxis('transpose', a, x.rank), normalizeAxis('transpose', b, x.rank)];
  [axes[i], axes[j]] = [axes[j], axes[i]];
  return apply(layoutRows.permute, [x], { axes });
}

/** Extents of 1 repeated to `shape`, without a copy; −1 keeps the extent of an axis of `x`. */
export function expand<D extends DType>(x: Tensor<D>, shape: Shape): Tensor<D> {
  const own = asTensor('expand', 'x', x).shape;
  const kept = (extent: number, axis: number) =>
    extent === -1 ? (own[axis - shape.length + own.length] ?? -1) : extent;
  return apply(layoutRows.expand, [x], { shape: Array.isArray(shape) ? shape.map(kept) : shape });
}

/** Elements `start ≤ i < end` by `step` along `axis`; negative positions count from the end. */
export function slice<D extends DType>(x: Tensor<D>, axis: number, start: number, end?: number, step = 1): Tensor<D> {
  const at = normalizeAxis('slice', axis, asTensor('slice', 'x', x).rank);
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
export function concat<D extends DType>(xs: readonly Tensor<D>[], axis = 0): Tensor<D> {
  if (asTensors('concat', 'xs', xs).length === 0) throw new ShapeError('concat', 'needs at least one tensor');
  return apply(layoutRows.concat, xs, { axis: normalizeAxis('concat', axis, xs[0].rank) });
}

/**
 * Tensors of one shape side by side along a new axis.
 *
 * @param axis where the new axis stands in the result
 * @throws ShapeError if the shapes differ, or there is no tensor
 * @example
 * stack([zeros([2, 3]), ones([2, 3])], -1).shape; // [2, 3, 2]
 */
export function stack<D extends DType>(xs: readonly Tensor<D>[], axis = 0): Tensor<D> {
  if (asTensors('stack', 'xs', xs).length === 0) throw new ShapeError('stack', 'needs at least one tensor');
  const [{ shape }] = xs;
  if (!xs.every((x) => sameShape(x.shape, shape))) {
    throw new ShapeError(
      'stack',
      'all tensors must have one shape',
      xs.map((x) => x.shape),
    );
  }
  const at = normalizeAxis('stack', axis, shape.length + 1);
  const slices = xs.map((x) => reshape(x, [...shape.slice(0, at), 1, ...shape.slice(at)]));
  return apply(layoutRows.concat, slices, { axis: at });
}

/**
 * The pieces of a tensor along `axis`: as many equal ones as a number says (as in NumPy; PyTorch's number is the size
 * of a piece), or of the sizes that a list gives.
 *
 * @throws ShapeError if the axis cannot be divided so
 * @example
 * split(zeros([6, 2]), 3).map(({ shape }) => shape); // [[2, 2], [2, 2], [2, 2]]
 * split(zeros([6, 2]), [1, 5]).map(({ shape }) => shape); // [[1, 2], [5, 2]]
 */
export function split<D extends DType>(x: Tensor<D>, parts: number | readonly number[], axis = 0): Tensor<D>[] {
  const at = normalizeAxis('split', axis, asTensor('split', 'x', x).rank);
  const extent = x.shape[at];
  const sizes = typeof parts === 'number' ? equalParts(x, at, parts) : asList('split', 'parts', parts);
  if (sizes.some((size) => !Number.isInteger(size) || size < 0) || sizes.reduce((a, b) => a + b, 0) !== extent) {
    throw new ShapeError('split', `sizes [${sizes.join(', ')}] do not add up to the ${extent} of axis ${at}`, [
      x.shape,
    ]);
  }
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return slice(x, at, end - size, end);
  });
}

function equalParts({ shape }: Tensor<DType>, axis: number, parts: number): number[] {
  if (!Number.isInteger(parts) || parts < 1 || shape[axis] % parts !== 0) {
    throw new ShapeError('split', `the ${shape[axis]} of axis ${axis} cannot be divided into ${parts} equal parts`, [
      shape,
    ]);
  }
  return new Array<number>(parts).fill(shape[axis] / parts);
}

/**
 * The elements with others of one value around them.
 *
 * @param padding for each axis how many come before and after; to take away is for {@link slice}
 * @throws ShapeError unless there is a pair of integers of at least 0 for each axis
 * @example
 * await pad(tensor([[1, 2]]), [[0, 1], [2, 0]], 9).toArray(); // [[9, 9, 1, 2], [9, 9, 9, 9]]
 */
export function pad<D extends DType>(
  x: Tensor<D>,
  padding: readonly (readonly [number, number])[],
  value = 0,
): Tensor<D> {
  if (asTensor('pad', 'x', x).dtype === 'int32' && !(Number.isInteger(value) && value === (value | 0))) {
    throw new DTypeError('pad', `an int32 tensor cannot hold ${value}`);
  }
  if (typeof value !== 'number') throw new ArgumentError('pad', `value must be a number; got ${kindOf(value)}`);
  return apply(layoutRows.pad, [x], { padding, value });
}

/** How a reduction treats its axes: which (default all), and whether they stay as extents of 1. */
export interface ReduceOptions {
  readonly axes?: number | readonly number[];
  readonly keepDims?: boolean;
}

function reduce(name: 'sum' | 'max' | 'argmax', x: Tensor, options: ReduceOptions): Tensor {
  const axes = normalizeAxes(name, asOptions(name, options).axes, asTensor(name, 'x', x).rank);
  const kept = axes.length === 0 && name !== 'argmax' ? x : apply(reductionRows[name], [x], { axes });
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

/**
 * Position of the first maximum along an axis, or over several axes or all, counted row-major; a number of the dtype of
 * `x`, without gradient. NaN counts as the largest.
 *
 * @param options an axis, or as for {@link max}
 * @throws ShapeError if there are no elements
 * @example
 * await argmax(tensor([[1, 3, 2], [5, 4, 5]]), 1).toArray(); // [1, 0]
 */
export function argmax(x: Tensor, options: number | ReduceOptions = {}): Tensor {
  return reduce('argmax', asTensor('argmax', 'x', x), typeof options === 'number' ? { axes: options } : options);
}

/** The k-th smallest of all elements, 1-based, as a scalar; NaN is larger than all numbers. */
export function kthSmallest(x: Tensor, k: number): Tensor {
  return apply(reductionRows.kthSmallest, [x], { k });
}

/**
 * Matrix product: `[m, k]·[k, n]`, or batched `[…, m, k]·[…, k, n]` with broadcasting batch axes. A vector on the left
 * is a row, one on the right a column, and the result is without that axis.
 *
 * @throws ShapeError naming the inner dimensions that differ
 * @example
 * matmul(zeros([5, 2, 3]), zeros([3])).shape; // [5, 2]
 * await matmul(tensor([1, 2]), tensor([3, 4])).item(); // 11
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const shapes = [asTensor('matmul', 'a', a).shape, asTensor('matmul', 'b', b).shape];
  if (a.rank < 1 || b.rank < 1) throw new ShapeError('matmul', 'operands need at least 1 axis', shapes);
  const [left, right] = [a.shape[a.rank - 1], b.shape[Math.max(0, b.rank - 2)]];
  if (left !== right) throw new ShapeError('matmul', `inner dimensions differ (${left} and ${right})`, shapes);
  if (a.rank >= 2 && b.rank >= 2) return multiplied(a, b);
  const product = multiplied(a.rank === 1 ? reshape(a, [1, left]) : a, b.rank === 1 ? reshape(b, [right, 1]) : b);
  const shape = product.shape.slice(0, -2);
  return reshape(product, [...shape, ...a.shape.slice(-2, -1), ...(b.rank === 1 ? [] : b.shape.slice(-1))]);
}

/** The product of matrices that fit. */
function multiplied(a: Tensor, b: Tensor): Tensor {
  const lead = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const flat = (x: Tensor): Tensor => {
    const matrix = x.shape.slice(-2);
    return reshape(expand(x, [...lead, ...matrix]), [sizeOf(lead), ...matrix]);
  };
  const product = apply(linearRows.matmul, [flat(a), flat(b)], {});
  return reshape(product, [...lead, a.shape[a.rank - 2], b.shape[b.rank - 1]]);
}
