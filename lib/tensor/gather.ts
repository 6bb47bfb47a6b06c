import { type Shape, sizeOf } from './shape.js';
import { hostArray, type TypedArray } from './storage.js';
import type { View } from './view.js';

/** Nested arrays of numbers, as deep as the tensor has axes. */
export type Nested = number | Nested[];

/** Row-major elements of a view, given its whole block in host memory. */
export function gatherView(view: View, block: TypedArray): TypedArray {
  const out = hostArray(view.storage.dtype, sizeOf(view.shape));
  const { shape, strides } = view;
  const index = new Array<number>(shape.length).fill(0);
  let position = view.offset;
  for (let i = 0; i < out.length; i++) {
    out[i] = block[position];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis];
      if (++index[axis] < shape[axis]) break;
      position -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

/** Row-major elements as nested arrays. */
export function nest(data: TypedArray, [extent, ...inner]: Shape, start = 0): Nested {
  if (extent === undefined) return data[start];
  const size = sizeOf(inner);
  return Array.from({ length: extent }, (_, i) => nest(data, inner, start + i * size));
}
