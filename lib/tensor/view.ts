import { contiguousStrides, isContiguous, type Shape, sizeOf } from './shape.js';
import type { DType, Storage } from './storage.js';

/** How to read a tensor out of a storage. Kernels see views only; element `i` is at `offset + Σ i·strides`. */
export interface View {
  readonly storage: Storage;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** The view of a whole, freshly written storage. */
export function contiguousView(storage: Storage, shape: Shape): View {
  return { storage, shape, strides: contiguousStrides(shape), offset: 0 };
}

/** True if the view covers its elements row-major without gaps (it may start anywhere in its storage). */
export function isContiguousView(view: View): boolean {
  return isContiguous(view.shape, view.strides);
}

export function viewDType(view: View): DType {
  return view.storage.dtype;
}

export function viewSize(view: View): number {
  return sizeOf(view.shape);
}
