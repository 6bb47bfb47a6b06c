import { asTensors } from '../tensor/argument.js';
import { BackendError, DTypeError, ShapeError } from '../tensor/errors.js';
import type { DType } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * The rule of dtypes, in one place: operands are tensors on one backend, of one dtype, and floats unless the operation
 * only moves numbers. `apply` checks it before anything runs.
 * @throws ArgumentError, BackendError or DTypeError naming the operation
 */
export function checkOperands(name: string, inputs: readonly Tensor<DType>[], moves = false): void {
  if (asTensors(name, 'operands', inputs).length === 0) throw new ShapeError(name, 'needs at least one tensor');
  const [first] = inputs;
  for (const x of inputs) {
    if (x.device !== first.device) {
      throw new BackendError(name, `operands live on different backends (${first.device.name} and ${x.device.name})`);
    }
    if (x.dtype !== first.dtype) throw new DTypeError(name, `operands differ in dtype (${first.dtype} and ${x.dtype})`);
  }
  if (first.dtype === 'int32' && !moves) {
    throw new DTypeError(name, "takes float32 tensors; got int32: convert with cast(x, 'float32')");
  }
}
