import ops from 'ndarray-ops';
import { reducedShape, type Shape, sizeOf } from '../../tensor/shape.js';
import { type Device, type DType, hostArray, Storage, type TypedArray } from '../../tensor/storage.js';
import { contiguousView, type View } from '../../tensor/view.js';
import type { Backend, BinaryOp, ReduceOp, UnaryOp } from '../backend.js';
import type { IntegerBound } from '../fast.js';
import { type Window, windowExtents } from '../geometry.js';
import { fitAccumulator } from './accumulator.js';
import { arrayOf, compact, type HostArray } from './arrays.js';
import { BINARY, UNARY } from './elementwise.js';
import { matmul } from './matmul.js';
import { reduce } from './reduce.js';
import { col2im, im2col } from './windows.js';

/**
 * The definition of every required kernel: slow, plain, on host memory, on the packages `ndarray` and `ndarray-ops`.
 *
 * Results keep the dtype of the operands; int32 is only stored and moved. Sums and products of sums accumulate in
 * float64 and are rounded once, when stored. NaN in gives NaN out, except in comparisons, which it fails.
 */
class ReferenceBackend implements Backend, Device<TypedArray> {
  readonly name = 'reference';
  readonly dtypes = ['float32', 'float64', 'int32'] as const;

  alloc(length: number, dtype: DType): TypedArray {
    return hostArray(dtype, length);
  }

  upload(block: TypedArray, data: TypedArray): void {
    block.set(data);
  }

  async read(block: TypedArray): Promise<TypedArray> {
    return block.slice();
  }

  /** The garbage collector does it. */
  free(): void {}

  host(block: TypedArray): TypedArray {
    return block;
  }

  adopt(data: TypedArray): TypedArray {
    return data;
  }

  fill(shape: Shape, value: number, dtype: DType): View {
    return this.#result(shape, dtype, (out) => ops.assigns(out, value));
  }

  copy(x: View): View {
    return this.#result(x.shape, x.storage.dtype, (out) => ops.assign(out, arrayOf(x)));
  }

  copyInto(x: View, into: View): void {
    ops.assign(arrayOf(into), arrayOf(x));
  }

  unary(op: UnaryOp, x: View): View {
    return this.#result(x.shape, x.storage.dtype, (out) => UNARY[op](out, arrayOf(x)));
  }

  binary(op: BinaryOp, a: View, b: View): View {
    return this.#result(a.shape, a.storage.dtype, (out) => BINARY[op](out, arrayOf(a), arrayOf(b)));
  }

  where(condition: View, a: View, b: View): View {
    return this.#result(a.shape, a.storage.dtype, (out) => {
      const chosen = compact(arrayOf(condition)).data;
      const otherwise = compact(arrayOf(b)).data;
      ops.assign(out, arrayOf(a));
      for (let i = 0; i < chosen.length; i++) if (chosen[i] === 0) out.data[i] = otherwise[i];
    });
  }

  reduce(op: ReduceOp, x: View, axes: readonly number[]): View {
    return this.#result(reducedShape(x.shape, axes), x.storage.dtype, (out) => reduce(op, out, arrayOf(x), axes));
  }

  matmul(a: View, b: View): View {
    const shape = [a.shape[0], a.shape[1], b.shape[2]];
    return this.#result(shape, a.storage.dtype, (out) => matmul(out, arrayOf(a), arrayOf(b)));
  }

  im2col(x: View, window: Window): View {
    const [n, c, height, width] = x.shape;
    const [oh, ow] = windowExtents(window, height, width);
    const shape = [n, c, window.kernel[0] * window.kernel[1], oh * ow];
    return this.#result(shape, x.storage.dtype, (out) => im2col(out, arrayOf(x), window));
  }

  col2im(columns: View, shape: Shape, window: Window): View {
    return this.#result(shape, columns.storage.dtype, (out) => col2im(out, compact(arrayOf(columns)), window));
  }

  fitAccumulator(q: View, { accumulator }: IntegerBound): View {
    return this.#result(q.shape, q.storage.dtype, (out) => fitAccumulator(out, arrayOf(q), accumulator));
  }

  /** A fresh contiguous view, filled by `write`. */
  #result(shape: Shape, dtype: DType, write: (out: HostArray) => void): View {
    const view = contiguousView(Storage.alloc(this, sizeOf(shape), dtype), shape);
    write(arrayOf(view));
    return view;
  }
}

/** A fresh reference backend, with memory accounts of its own. */
export function createReferenceBackend(): Backend {
  return new ReferenceBackend();
}
