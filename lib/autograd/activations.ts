import type { Tensor } from '../tensor/tensor.js';
import { max, sum } from './ops.js';
import { exp, log, sub } from './rows/elementwise.js';

/** `log(softmax(x))` along an axis, without overflow. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const shifted = sub(x, max(x.detach(), { axes: axis, keepDims: true }));
  return sub(shifted, log(sum(exp(shifted), { axes: axis, keepDims: true })));
}
