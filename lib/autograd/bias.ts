import { asTensor } from '../tensor/argument.js';
import { ShapeError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { add, reshape } from './ops.js';

/** `y [N, O, …] + bias [O]`, y made with `w [O, …]`. @throws ShapeError unless there is one bias a channel */
export function addBias(op: string, y: Tensor, w: Tensor, bias: Tensor | null): Tensor {
  if (bias === null) return y;
  if (asTensor(op, 'bias', bias).rank !== 1 || bias.shape[0] !== w.shape[0]) {
    throw new ShapeError(op, 'bias must hold one number an output channel', [bias.shape, w.shape]);
  }
  return add(y, reshape(bias, [1, bias.shape[0], ...y.shape.slice(2).map(() => 1)]));
}
