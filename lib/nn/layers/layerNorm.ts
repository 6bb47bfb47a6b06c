import { checkEpsilon, layerShape } from '../../autograd/checks.js';
import { layerNorm } from '../../autograd/normalization.js';
import { asOptions } from '../../tensor/argument.js';
import { ones, type TensorOptions, zeros } from '../../tensor/create.js';
import type { Shape } from '../../tensor/shape.js';
import { scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';
import { Parameter } from '../parameter.js';

/** Settings of a layer norm; PyTorch's defaults. */
export interface LayerNormOptions extends TensorOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether γ and β are learned; without them the result is only normalised. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Whether β is learned along with γ. Default true. */
  readonly bias?: boolean;
}

/**
 * Layer normalisation over the last axes (Ba et al. 2016), `[…, ...normalizedShape]` to the same shape.
 *
 * @example
 * new LayerNorm(8).forward(zeros([2, 5, 8])).shape; // [2, 5, 8]
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly epsilon: number;
  /** γ of the normalized shape, 1 at the start; null without. */
  readonly weight: Parameter | null;
  /** β of the normalized shape, 0 at the start; null without. */
  readonly bias: Parameter | null;

  /** @throws ShapeError for a shape that is not of positive integers; A2QError for a negative epsilon */
  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    const { epsilon = 1e-5, elementwiseAffine = true, bias = true, ...where } = asOptions('LayerNorm', options);
    checkEpsilon('LayerNorm', epsilon);
    const shape = layerShape('LayerNorm', normalizedShape);
    this.normalizedShape = shape;
    this.epsilon = epsilon;
    this.weight = elementwiseAffine ? scope(() => new Parameter(ones(shape, where))) : null;
    this.bias = elementwiseAffine && bias ? scope(() => new Parameter(zeros(shape, where))) : null;
  }

  override forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.weight, this.bias, this.epsilon);
  }
}
