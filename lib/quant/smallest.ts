import { add, maximum, sub } from '../autograd/ops.js';
import { noGrad } from '../autograd/tape.js';
import type { Tensor } from '../tensor/tensor.js';

/** Scales, norms and thresholds below this are raised to it (as in Brevitas). */
export const SMALLEST = 1e-10;

/** max(x, 1e-10) forward, identity backward. */
export function atLeastSmallest(x: Tensor): Tensor {
  const lift = noGrad(() => sub(maximum(x, SMALLEST), x));
  return add(x, lift);
}
