import type { QuantGrid } from '../kernels/fast.js';
import { ShapeError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
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
