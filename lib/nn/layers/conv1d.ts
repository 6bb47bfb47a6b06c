import { conv1d } from '../../autograd/convolution.js';
import { type Conv1dOptions, convGeometry, lying } from '../../autograd/geometry.js';
import { asInteger, asOptions } from '../../tensor/argument.js';
import type { Tensor } from '../../tensor/tensor.js';
import { weightShape } from './conv.js';
import { WeightedModule, type WeightedOptions } from './weighted.js';

/** Settings of a convolution along one axis: geometry (PyTorch's names and defaults), bias and the drawn weights. */
export interface Conv1dLayerOptions extends WeightedOptions, Conv1dOptions {}

/**
 * A convolution along sequences, `[N, inChannels, L] → [N, outChannels, l]`.
 *
 * @example
 * const layer = new Conv1d(3, 8, 5, { padding: 'same', random: new Random(0) });
 * layer.forward(zeros([2, 3, 20])).shape; // [2, 8, 20]
 */
export class Conv1d extends WeightedModule {
  /** Stride, padding, dilation and groups. */
  readonly options: Conv1dOptions;

  /** @throws ShapeError for channels, groups or a geometry that do not fit together */
  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernel: number,
    options: Conv1dLayerOptions,
  ) {
    const { stride = 1, padding = 0, dilation = 1, groups = 1, ...weighted } = asOptions('Conv1d', options);
    asInteger('Conv1d', 'kernel', kernel, 1);
    super('Conv1d', weightShape('Conv1d', inChannels, outChannels, kernel, groups).slice(0, 3), weighted);
    this.options = { stride, padding, dilation, groups };
    convGeometry('Conv1d', lying('Conv1d', this.options), [1, kernel]);
  }

  override forward(x: Tensor): Tensor {
    return conv1d(x, this.weight, this.bias, this.options);
  }
}
