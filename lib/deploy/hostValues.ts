import { BackendError } from '../tensor/errors.js';
import { gatherView } from '../tensor/gather.js';
import { isContiguous } from '../tensor/shape.js';
import type { TypedArray } from '../tensor/storage.js';
import { type View, viewSize } from '../tensor/view.js';

/**
 * The elements in row-major order, without waiting; perhaps a view of the tensor's own memory.
 * @throws BackendError on a GPU
 */
export function hostValues(op: string, x: View): TypedArray {
  const { device, handle, length, dtype } = x.storage;
  if (device.host === undefined) {
    throw new BackendError(op, `the memory of backend ${device.name} cannot be read in place; use wasm or reference`);
  }
  const block = device.host(handle, length, dtype);
  return isContiguous(x.shape, x.strides) ? block.subarray(x.offset, x.offset + viewSize(x)) : gatherView(x, block);
}
