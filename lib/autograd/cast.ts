import { asTensor } from '../tensor/argument.js';
import { BackendError, DTypeError } from '../tensor/errors.js';
import { gatherView } from '../tensor/gather.js';
import { type DType, hostArray, Storage, type TypedArray } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { contiguousView, type View, viewSize } from '../tensor/view.js';
import { row } from './row.js';
import { apply } from './tape.js';

/**
 * The same numbers in another dtype, on the same backend: the way from int32, which is stored and moved, to floats,
 * which are computed with, and back. Toward int32 fractions are cut off, as PyTorch does; between floats the gradient
 * passes, integers have none.
 *
 * @throws DTypeError if the backend does not hold the dtype, or int32 cannot hold a number (NaN, 2^31)
 * @throws BackendError where memory cannot be read at once (GPUs, which hold float32 alone)
 * @example
 * const labels = tensor(Int32Array.of(3, 1));
 * await mul(cast(labels, 'float32'), 0.5).toArray(); // [1.5, 0.5]
 */
export function cast(x: Tensor<DType>, dtype: 'int32'): Tensor<'int32'>;
export function cast(x: Tensor<DType>, dtype: DType): Tensor;
export function cast(x: Tensor<DType>, dtype: DType): Tensor<DType> {
  const from = asTensor('cast', 'x', x).dtype;
  if (from === dtype) return x;
  if (from === 'int32' || dtype === 'int32') return new Tensor(castView(x, dtype));
  const own = row<null>({
    name: 'cast',
    shape: ([shape]) => shape,
    value: ([view]) => castView(view, dtype),
    vjp: [(g) => castView(g, from)],
  });
  return apply(own, [x], null);
}

function castView(x: View, dtype: DType): View {
  const { device, length, dtype: from, handle } = x.storage;
  const storage = Storage.alloc(device, viewSize(x), dtype);
  if (!device.host) throw new BackendError('cast', `backend ${device.name} cannot read its memory at once`);
  storage.write(convert(gatherView(x, device.host(handle, length, from)), dtype));
  return contiguousView(storage, x.shape);
}

function convert(numbers: TypedArray, dtype: DType): TypedArray {
  const out = hostArray(dtype, numbers.length);
  out.set(numbers);
  if (dtype !== 'int32') return out;
  const lost = numbers.findIndex((value: number, i: number) => Math.trunc(value) !== out[i]);
  if (lost >= 0) throw new DTypeError('cast', `int32 cannot hold ${numbers[lost]}`);
  return out;
}
