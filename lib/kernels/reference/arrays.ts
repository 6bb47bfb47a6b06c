import ndarray, { type NdArray } from 'ndarray';
import ops from 'ndarray-ops';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import { type DType, hostArray, type TypedArray } from '../../tensor/storage.js';
import type { View } from '../../tensor/view.js';

/** What the reference kernels compute with: shape and strides over a typed array, as in NumPy. */
export type HostArray = NdArray<TypedArray>;

/** A view as an `ndarray` over the same memory. Storages of the reference backend are typed arrays. */
export function arrayOf(view: View): HostArray {
  return ndarray(view.storage.handle as TypedArray, [...view.shape], [...view.strides], view.offset);
}

/** A zeroed array that belongs to no tensor. */
export function temporary(shape: Shape, dtype: DType): HostArray {
  return ndarray(hostArray(dtype, sizeOf(shape)), [...shape]);
}

/** A row-major copy. */
export function compact(x: HostArray): HostArray {
  const copy = temporary(x.shape, x.dtype as DType);
  ops.assign(copy, x);
  return copy;
}
