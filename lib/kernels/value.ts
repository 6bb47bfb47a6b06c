import { DTypeError } from '../tensor/errors.js';
import { broadcastShapes, reducedShape, type Shape, sizeOf } from '../tensor/shape.js';
import { scope } from '../tensor/storage.js';
import { checkAlike, type View, viewExpand, viewReshape, viewTranspose } from '../tensor/view.js';
import type { Backend, BinaryOp, UnaryOp } from './backend.js';
import type { IntegerBound } from './fast.js';

/** Arithmetic on views, off the tape, as rows are written: broadcasting, numbers as operands, copies only if needed. */

/** A view, or a number that stands for a scalar of the other operand's dtype. */
export type Operand = View | number;

/** The backend a view lives on. */
export function backendOf(x: View): Backend {
  return x.storage.device as Backend;
}

function lift(x: Operand, like: Operand): View {
  if (typeof x !== 'number') return x;
  if (typeof like === 'number') throw new DTypeError('value', 'two plain numbers need no kernel');
  return backendOf(like).fill([], x, like.storage.dtype);
}

/** @throws DTypeError for int32, which no kernel computes with */
function floats(op: string, x: View): View {
  if (x.storage.dtype !== 'int32') return x;
  throw new DTypeError(op, "takes float32 views; got int32: convert with cast(x, 'float32')");
}

function binary(op: BinaryOp, a: Operand, b: Operand): View {
  const left = floats(op, lift(a, b));
  const right = lift(b, a);
  checkAlike(op, right.storage, left.storage);
  const shape = broadcastShapes(op, left.shape, right.shape);
  return backendOf(left).binary(op, viewExpand(left, shape), viewExpand(right, shape));
}

export const add = (a: Operand, b: Operand): View => binary('add', a, b);
export const sub = (a: Operand, b: Operand): View => binary('sub', a, b);
export const mul = (a: Operand, b: Operand): View => binary('mul', a, b);
export const div = (a: Operand, b: Operand): View => binary('div', a, b);
export const pow = (a: Operand, b: Operand): View => binary('pow', a, b);
export const minimum = (a: Operand, b: Operand): View => binary('minimum', a, b);
export const maximum = (a: Operand, b: Operand): View => binary('maximum', a, b);
export const equal = (a: Operand, b: Operand): View => binary('equal', a, b);
export const greater = (a: Operand, b: Operand): View => binary('greater', a, b);
export const lessEqual = (a: Operand, b: Operand): View => binary('lessEqual', a, b);
export const greaterEqual = (a: Operand, b: Operand): View => binary('greaterEqual', a, b);

export const unary = (op: UnaryOp, x: View): View => backendOf(x).unary(op, floats(op, x));

/** `condition ≠ 0 ? a : b`, broadcast to the condition's shape. */
export function where(condition: View, a: Operand, b: Operand): View {
  const left = viewExpand(lift(a, condition), condition.shape);
  const right = viewExpand(lift(b, condition), condition.shape);
  return backendOf(condition).where(condition, left, right);
}

/** 1 where there is no number. */
export const noNumber = (x: View): View => sub(1, equal(x, x));

/** 1 where two views hold the same, NaN included. */
export const same = (a: View, b: View): View => add(equal(a, b), mul(noNumber(a), noNumber(b)));

/** Sum over `axes`, kept as extent 1. */
export function sum(x: View, axes: readonly number[]): View {
  return axes.length === 0 ? x : backendOf(x).reduce('sum', floats('sum', x), axes);
}

/** Maximum over `axes`, kept as extent 1. */
export function max(x: View, axes: readonly number[]): View {
  return axes.length === 0 ? x : backendOf(x).reduce('max', floats('max', x), axes);
}

/** The same elements in row-major order under another shape; copies only if strides cannot express it. */
export function reshape(x: View, shape: Shape): View {
  const view = viewReshape(x, shape);
  if (view) return view;
  const copy = backendOf(x).copy(x);
  return { ...copy, shape, strides: (viewReshape(copy, shape) as View).strides };
}

/** Rows of integers as the accumulator of a bound holds them (see `RequiredKernels`); `q` itself if it holds any. */
export function fitAccumulator(q: View, bound: IntegerBound): View {
  return canOverflow(q.shape[1], bound) ? backendOf(q).fitAccumulator(q, bound) : q;
}

/** Whether K weights of −limit … limit could overflow at all: the data-type bound says not always. */
function canOverflow(length: number, { limit, accumulator: { bits, low, high } }: IntegerBound): boolean {
  return length * limit * Math.max(-low, high) >= 2 ** (bits - 1);
}

/** Swaps the last two axes. */
export function transposeLast(x: View): View {
  const axes = x.shape.map((_, axis) => axis);
  [axes[axes.length - 2], axes[axes.length - 1]] = [axes[axes.length - 1], axes[axes.length - 2]];
  return viewTranspose(x, axes);
}

/** Undoes broadcasting: sums `g` down to `shape`. The one place where a gradient meets it. */
export function sumTo(g: View, shape: Shape): View {
  const lead = g.shape.length - shape.length;
  const axes = g.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || (shape[axis - lead] === 1 && g.shape[axis] !== 1));
  return axes.length === 0 ? g : reshape(sum(g, axes), shape);
}

/** `0, 1, …, n−1` along the given axes taken row-major, shaped to broadcast against `shape`. */
export function iota(like: View, axes: readonly number[]): View {
  const k = backendOf(like);
  const { shape } = like;
  let out = k.fill([], 0, like.storage.dtype);
  let step = 1;
  for (const axis of [...axes].sort((a, b) => b - a)) {
    const n = shape[axis];
    const column = k.fill([n], 0, like.storage.dtype);
    const one = shape.map((_, i) => (i === axis ? n : 1));
    const block = new (like.storage.dtype === 'float64' ? Float64Array : Float32Array)(n).map((_, i) => i * step);
    column.storage.write(block);
    out = add(out, reshape(column, one));
    step *= n;
  }
  return out;
}

/** Marks, with 1, the first element along `axes` where `mask` is 1; at most one in each slice. */
export function firstOf(mask: View, axes: readonly number[]): View {
  const order = viewExpand(mul(iota(mask, axes), -1), mask.shape);
  const candidates = where(mask, order, Number.NEGATIVE_INFINITY);
  const first = max(candidates, axes);
  return mul(mask, equal(order, viewExpand(first, mask.shape)));
}

/** Number of elements that collapse into one when `axes` are reduced. */
export function reductionSize(shape: Shape, axes: readonly number[]): number {
  return sizeOf(shape) / Math.max(1, sizeOf(reducedShape(shape, axes)));
}

/** A function of views that frees whatever it makes and does not return. */
export function compose<Arguments extends unknown[], Result>(
  work: (...args: Arguments) => Result,
): (...args: Arguments) => Result {
  return (...args) => scope(() => work(...args));
}

/** A vector `[C]` shaped to broadcast along axis 1 of `like`. */
export function perChannel(vector: View, like: View): View {
  return reshape(
    vector,
    like.shape.map((extent, axis) => (axis === 1 ? extent : 1)),
  );
}

/** All axes of `x` but axis 1. */
export function axesButChannel(x: View): number[] {
  return x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}
