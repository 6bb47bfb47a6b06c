import type { QuantGrid } from '../kernels/fast.js';
import { asOptions, asTensor } from '../tensor/argument.js';
import { ShapeError } from '../tensor/errors.js';
import { type Shape, sameShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkEpsilon, layerShape } from './checks.js';
import { checkOperands } from './operands.js';
import { add, div, mean, mul, sqrt, square, sub } from './ops.js';
import { normalizationRows } from './rows/normalization.js';
import { applyAll } from './tape.js';

/** What batch norm in training returns: the result, and the statistics for the running averages. */
export interface BatchNormResult {
  readonly y: Tensor;
  /** `[C]`, without history. */
  readonly mean: Tensor;
  /** Biased, `[C]`, without history. */
  readonly variance: Tensor;
}

/** What may follow a batch norm in the same pass over memory: a ReLU, or quantization by one scale. */
export type NormFollower = 'none' | 'relu' | { readonly scale: Tensor; readonly grid: QuantGrid };

/**
 * Batch norm with the batch's statistics over all axes but 1 (Ioffe and Szegedy 2015); the gradient passes them too.
 *
 * @param x `[N, C, …]` @param weight γ `[C]` @param bias β `[C]`
 * @param follower what is applied at once: the same numbers as `relu(y)` or `fakeQuantize(y, scale, grid)`
 */
export function batchNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  epsilon = 1e-5,
  follower: NormFollower = 'none',
): BatchNormResult {
  for (const [name, operand] of Object.entries({ x, weight, bias })) asTensor('batchNorm', name, operand);
  if (follower !== 'none' && follower !== 'relu') asOptions('batchNorm', follower, "follower (or 'relu', 'none')");
  if (x.rank < 2) throw new ShapeError('batchNorm', 'x must be [N, C, …]', [x.shape]);
  if (x.size / Math.max(1, x.shape[1]) < 2) {
    throw new ShapeError('batchNorm', 'training needs more than one value a channel', [x.shape]);
  }
  const [y, mean, variance] =
    typeof follower === 'string'
      ? applyAll(normalizationRows.batchNorm, [x, weight, bias], { epsilon, activation: follower })
      : applyAll(normalizationRows.batchNormQuantize, [x, weight, bias, follower.scale], {
          epsilon,
          grid: follower.grid,
        });
  return { y, mean, variance };
}

/**
 * `γ·(x − mean)/√(variance + ε) + β` over the last axes (Ba et al. 2016), the gradient through both statistics.
 *
 * @param normalizedShape extents of the last axes, or the extent of the last one @param weight γ of that shape, or null
 * @param bias β of that shape, or null
 * @throws ShapeError if the last axes, γ or β do not have that shape; A2QError for a negative ε
 * @example
 * await layerNorm(tensor([[1, 3], [-5, 5]]), 2, null, null, 0).toArray(); // [[-1, 1], [-1, 1]]
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: number | Shape,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  epsilon = 1e-5,
): Tensor {
  const shape = layerShape('layerNorm', normalizedShape);
  checkEpsilon('layerNorm', epsilon);
  checkOperands('layerNorm', [x]);
  const lead = x.rank - shape.length;
  if (lead < 0 || !sameShape(x.shape.slice(lead), shape)) {
    throw new ShapeError('layerNorm', 'x must end with the normalized axes', [x.shape, shape]);
  }
  for (const given of [weight, bias]) {
    if (given === null || sameShape(asTensor('layerNorm', 'weight or bias', given).shape, shape)) continue;
    throw new ShapeError('layerNorm', 'weight and bias must have the normalized shape', [given.shape, shape]);
  }
  const last = { axes: shape.map((_, axis) => lead + axis), keepDims: true };
  const centred = sub(x, mean(x, last));
  const y = div(centred, sqrt(add(mean(square(centred), last), epsilon)));
  const scaled = weight === null ? y : mul(y, weight);
  return bias === null ? scaled : add(scaled, bias);
}
