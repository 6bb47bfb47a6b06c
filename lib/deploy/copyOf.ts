import { backendOf } from '../kernels/value.js';
import { Tensor } from '../tensor/tensor.js';
import type { View } from '../tensor/view.js';

/** The same numbers in memory of their own, so that they may be freed, or kept when the original goes. */
export function copyOf(x: View): Tensor {
  return new Tensor(backendOf(x).copy(x));
}
