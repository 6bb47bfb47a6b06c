import type { AccumulatorBound } from '../kernels/backend.js';
import type { Tensor } from '../tensor/tensor.js';
import { apply } from './tape.js';

/**
 * `max(2^x, 1e-10) / divisor`: scales from their learned logarithms; shape of `x`, the floor passes the gradient on.
 */
export function powerScale(x: Tensor, divisor: number): Tensor {
  return apply('powerScale', [x], { divisor });
}

/**
 * Accumulator-aware weights, straight through (see the row of this name). The definition, in elementary operations, is
 * the kernel's default.
 *
 * @param w `[O, …]` @param d log2 of the scales s, `[O]` @param t log2 of the norms g, `[O]`
 * @returns the weights on their grid, dequantized, shape of `w`
 * @throws ShapeError if d or t do not hold one number an output channel
 */
export function a2qWeights(w: Tensor, d: Tensor, t: Tensor, bound: AccumulatorBound): Tensor {
  return apply('a2qWeights', [w, d, t], bound);
}

/**
 * `Σ max(g − T·s, 0)` over the channels: what pulls norms back below their cap.
 * @param d `[O]` @param t `[O]` @param budget T @returns a scalar
 * @throws ShapeError if d and t are not vectors of one length
 */
export function a2qPenalty(d: Tensor, t: Tensor, budget: number): Tensor {
  return apply('a2qPenalty', [d, t], { budget });
}
