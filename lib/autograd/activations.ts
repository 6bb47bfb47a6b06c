import { asInstance } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { ShapeError } from '../tensor/errors.js';
import { Random } from '../tensor/random.js';
import { normalizeAxis } from '../tensor/shape.js';
import { hostArray } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkApproximation, checkProbability, type GeluApproximation } from './checks.js';
import { checkOperands } from './operands.js';
import { max, sum } from './ops.js';
import { add, div, erf, exp, log, mul, sigmoid, square, sub, tanh } from './rows/elementwise.js';

export type { GeluApproximation } from './checks.js';

/** x without its maximum along an axis, so that exponentials cannot overflow; the gradient is that of x. */
function shifted(op: string, x: Tensor, axis: number): Tensor {
  checkOperands(op, [x]);
  const at = normalizeAxis(op, axis, x.rank);
  if (x.shape[at] === 0) throw new ShapeError(op, `axis ${axis} has no elements`, [x.shape]);
  return sub(x, max(x.detach(), { axes: at, keepDims: true }));
}

/**
 * `eˣ / Σ eˣ` along an axis, without overflow: −∞ becomes 0, and where all are −∞ the result is NaN, as in PyTorch.
 *
 * @throws ShapeError for an axis that is not there or has no elements
 * @example
 * await softmax(tensor([0, 0, Number.NEGATIVE_INFINITY])).toArray(); // [0.5, 0.5, 0]
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  const powers = exp(shifted('softmax', x, axis));
  return div(powers, sum(powers, { axes: axis, keepDims: true }));
}

/** `log(softmax(x))` along an axis, without overflow. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const y = shifted('logSoftmax', x, axis);
  return sub(y, log(sum(exp(y), { axes: axis, keepDims: true })));
}

/** `x·sigmoid(x)` (Elfwing et al. 2018), also called swish. */
export function silu(x: Tensor): Tensor {
  checkOperands('silu', [x]);
  return mul(x, sigmoid(x));
}

/**
 * `x·Φ(x)` with the normal distribution Φ (Hendrycks and Gimpel 2016).
 *
 * @param approximate `tanh`: `½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, at most 5e-4 from it
 * @throws A2QError for another approximation
 * @example
 * await gelu(tensor(1)).item(); // 0.8413…
 */
export function gelu(x: Tensor, approximate: GeluApproximation = 'none'): Tensor {
  checkOperands('gelu', [x]);
  checkApproximation('gelu', approximate);
  if (approximate === 'none') return mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
  const inner = mul(x, add(mul(square(x), 0.044715), 1));
  return mul(mul(x, 0.5), add(tanh(mul(inner, Math.sqrt(2 / Math.PI))), 1));
}

/**
 * Each element 0 with probability p, else divided by `1 − p` (Srivastava et al. 2014): what training does. Draws one
 * number an element, the same on every backend.
 *
 * @throws A2QError unless p is 0 … 1
 * @example
 * await dropout(ones([4]), 0.5, new Random(1)).toArray(); // [0, 2, 0, 2]
 */
export function dropout(x: Tensor, p: number, random: Random): Tensor {
  checkOperands('dropout', [x]);
  asInstance('dropout', 'random', random, Random);
  checkProbability('dropout', p);
  if (p === 0) return x;
  const mask = hostArray(x.dtype, x.size);
  for (let i = 0; i < mask.length; i++) mask[i] = random.uniform() < p ? 0 : 1 / (1 - p);
  return mul(x, tensor(mask, x.shape, { device: x.device }));
}
