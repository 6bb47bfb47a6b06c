import { ShapeError } from './errors.js';

/** Extents of a tensor, outermost axis first; `[]` is a scalar. */
export type Shape = readonly number[];

/** The numbers, where no one can change them: what decides which memory is read must stay what was checked. */
export function fixed(numbers: readonly number[]): readonly number[] {
  return Object.isFrozen(numbers) ? numbers : Object.freeze([...numbers]);
}

/** Number of elements a shape holds: the product of its extents, 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** True if walking the axes row-major walks memory without gaps. Extents of one may have any stride. */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    if (strides[axis] !== expected) return shape.includes(0);
    expected *= shape[axis];
  }
  return true;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** Most elements of a tensor: 4 GiB of float32, as far as the 32-bit addresses of WebAssembly reach. */
const MOST_ELEMENTS = 2 ** 30;

/** @throws ShapeError unless `shape` is an array of extents, whole numbers from 0, of at most 2^30 elements in all */
export function checkShape(op: string, shape: Shape): void {
  if (!Array.isArray(shape)) {
    throw new ShapeError(op, `a shape is an array of extents, such as [2, 3]; got a ${typeof shape}`);
  }
  let size = 1;
  for (const extent of shape) {
    if (!Number.isInteger(extent) || extent < 0) {
      throw new ShapeError(op, 'every extent must be a non-negative integer', [shape]);
    }
    if (extent > MOST_ELEMENTS) size = Number.POSITIVE_INFINITY;
    size *= extent;
  }
  if (!(size <= MOST_ELEMENTS)) {
    throw new ShapeError(op, 'the extents ask for more elements than the 2^30 a tensor may have', [shape]);
  }
}

/**
 * A shape in which one extent may be −1, worked out so that `size` elements fill it.
 * @throws ShapeError if there are several, elements are left over, or an extent of 0 lets it be any number
 */
export function inferShape(op: string, shape: Shape, size: number): Shape {
  const open = Array.isArray(shape) ? shape.indexOf(-1) : -1;
  checkShape(op, open < 0 ? shape : shape.with(open, 1));
  if (open < 0) return shape;
  const rest = sizeOf(shape.with(open, 1));
  if (rest === 0) throw new ShapeError(op, 'the extent −1 beside an extent of 0 could be any number', [shape]);
  if (size % rest !== 0) throw new ShapeError(op, `no extent for −1 makes a shape of ${size} elements`, [shape]);
  return shape.with(open, size / rest);
}

/**
 * The shape two operands broadcast to, by NumPy's rule: align at the last axis, extents agree or one of them is 1.
 * @throws ShapeError naming the extents that disagree
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new ShapeError(op, `cannot broadcast extents ${left} and ${right} of axis ${i - rank}`, [a, b]);
    }
    out[i] = left === 1 ? right : left;
  }
  return out;
}

/** Strides that read a tensor of `shape` as if it had shape `to`: 0 along every stretched axis. */
export function broadcastStrides(op: string, shape: Shape, strides: readonly number[], to: Shape): number[] {
  const lead = to.length - shape.length;
  if (lead < 0) throw new ShapeError(op, 'cannot expand to fewer axes', [shape, to]);
  return to.map((extent, axis) => {
    if (axis < lead) return 0;
    const own = shape[axis - lead];
    if (own === extent) return strides[axis - lead];
    if (own === 1) return 0;
    throw new ShapeError(op, `cannot expand extent ${own} of axis ${axis - lead} to ${extent}`, [shape, to]);
  });
}

/** An axis counted from either end, as a non-negative number. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ShapeError(op, `axis ${axis} does not exist in a tensor of ${rank} axes`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Axes as an ascending list without duplicates; `undefined` means all of them. */
export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const given = typeof axes === 'number' ? [axes] : axes;
  if (!Array.isArray(given)) throw new ShapeError(op, `axes are a number or an array of numbers; got a ${typeof axes}`);
  const list = given.map((axis) => normalizeAxis(op, axis, rank));
  if (new Set(list).size !== list.length) throw new ShapeError(op, `axis given twice in [${list.join(', ')}]`);
  return list.sort((a, b) => a - b);
}

/** `shape` with each of `axes` collapsed to extent 1. */
export function reducedShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
}

/**
 * Strides for the same memory under another shape, merging and splitting runs; null if none exist and a copy is due.
 */
export function reshapeStrides(shape: Shape, strides: readonly number[], to: Shape): number[] | null {
  if (sizeOf(shape) === 0) return contiguousStrides(to);
  const runs: { extent: number; stride: number }[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = runs.at(-1);
    if (last && last.stride === shape[axis] * strides[axis]) {
      last.extent *= shape[axis];
      last.stride = strides[axis];
    } else {
      runs.push({ extent: shape[axis], stride: strides[axis] });
    }
  }
  const out = new Array<number>(to.length).fill(0);
  let run = runs.length - 1;
  let left = run >= 0 ? runs[run].extent : 1;
  let stride = run >= 0 ? runs[run].stride : 1;
  for (let axis = to.length - 1; axis >= 0; axis--) {
    if (to[axis] === 1) {
      out[axis] = stride;
      continue;
    }
    if (left === 1 && run > 0) {
      run--;
      left = runs[run].extent;
      stride = runs[run].stride;
    }
    if (left % to[axis] !== 0) return null;
    out[axis] = stride;
    stride *= to[axis];
    left /= to[axis];
  }
  return out;
}
