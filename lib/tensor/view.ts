import { ArgumentError, BackendError, DTypeError } from './errors.js';
import { broadcastStrides, contiguousStrides, isContiguous, reshapeStrides, type Shape, sizeOf } from './shape.js';
import { Storage } from './storage.js';

/** How to read a tensor out of a storage. Kernels see views only; element `i` is at `offset + Σ i·strides`. */
export interface View {
  readonly storage: Storage;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** @throws ArgumentError unless `value` reads a storage, as tensors do */
export function asView(op: string, value: View): View {
  if (value?.storage instanceof Storage) return value;
  throw new ArgumentError(op, 'wants a tensor or a view');
}

/** Where and how numbers are held; a storage says both. */
export type Home = Pick<Storage, 'dtype' | 'device'>;

/** @throws DTypeError or BackendError unless `x` has the dtype and the backend of `like` */
export function checkAlike(op: string, x: Home, like: Home): void {
  if (x.dtype !== like.dtype) throw new DTypeError(op, `takes ${like.dtype}; got ${x.dtype}`);
  if (x.device === like.device) return;
  throw new BackendError(op, `takes what is on backend ${like.device.name}; got what is on ${x.device.name}`);
}

/** The view of a whole, freshly written storage. */
export function contiguousView(storage: Storage, shape: Shape): View {
  return { storage, shape, strides: contiguousStrides(shape), offset: 0 };
}

/** True if the view covers its elements row-major without gaps (it may start anywhere in its storage). */
export function isContiguousView(view: View): boolean {
  return isContiguous(view.shape, view.strides);
}

export function viewSize(view: View): number {
  return sizeOf(view.shape);
}

/** The same elements, row-major, under another shape of equal size; null where no strides express it without a copy. */
export function viewReshape(view: View, shape: Shape): View | null {
  const strides = reshapeStrides(view.shape, view.strides, shape);
  return strides && { storage: view.storage, shape, strides, offset: view.offset };
}

/** Axes in another order: axis i of the result is axis `axes[i]` of the view. */
export function viewTranspose(view: View, axes: readonly number[]): View {
  return {
    storage: view.storage,
    shape: axes.map((axis) => view.shape[axis]),
    strides: axes.map((axis) => view.strides[axis]),
    offset: view.offset,
  };
}

/** Extents of 1 and missing axes repeated to `shape`, with stride 0. @throws ShapeError if they cannot broadcast */
export function viewExpand(view: View, shape: Shape): View {
  const strides = broadcastStrides('expand', view.shape, view.strides, shape);
  return { storage: view.storage, shape, strides, offset: view.offset };
}

/** Elements `start ≤ i < end` by `step` (at least 1) along one axis. */
export function viewSlice(view: View, axis: number, start: number, end: number, step = 1): View {
  const replaced = (values: readonly number[], value: number) => values.map((old, i) => (i === axis ? value : old));
  return {
    storage: view.storage,
    shape: replaced(view.shape, Math.ceil((end - start) / step)),
    strides: replaced(view.strides, view.strides[axis] * step),
    offset: view.offset + start * view.strides[axis],
  };
}
