import { add, matmul, reshape, transpose } from '../../autograd/ops.js';
import { asTensors } from '../../tensor/argument.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import { WeightedModule, type WeightedOptions } from './weighted.js';

/**
 * `y = x·wᵀ + bias`.
 *
 * @param x `[…, in]` @param weight `[out, in]` @param bias `[out]`
 * @returns `[…, out]`
 * @throws ShapeError if the features of `x` and `weight` differ, or the bias does not hold one number an output
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  asTensors('linear', 'operands', bias === null ? [x, weight] : [x, weight, bias]);
  if (weight.rank !== 2) throw new ShapeError('linear', 'weight must be [out, in]', [weight.shape]);
  const [outFeatures, inFeatures] = weight.shape;
  if (x.rank < 1 || x.shape[x.rank - 1] !== inFeatures) {
    const given = x.rank < 1 ? 'is a scalar' : `has ${x.shape[x.rank - 1]}`;
    throw new ShapeError('linear', `weight takes ${inFeatures} features, x ${given}`, [x.shape, weight.shape]);
  }
  if (bias && (bias.rank !== 1 || bias.shape[0] !== outFeatures)) {
    throw new ShapeError('linear', 'bias must hold one number an output', [bias.shape, weight.shape]);
  }
  const lead = x.shape.slice(0, -1);
  const rows = x.rank === 2 ? x : reshape(x, [x.size / inFeatures, inFeatures]);
  const product = matmul(rows, transpose(weight));
  const y = bias ? add(product, bias) : product;
  return x.rank === 2 ? y : reshape(y, [...lead, outFeatures]);
}

/**
 * A fully connected layer, `[…, inFeatures] → […, outFeatures]`.
 *
 * @example
 * const layer = new Linear(784, 10, { random: new Random(0) });
 * layer.forward(zeros([32, 784])).shape; // [32, 10]
 */
export class Linear extends WeightedModule {
  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: WeightedOptions,
  ) {
    super('Linear', [outFeatures, inFeatures], options);
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
