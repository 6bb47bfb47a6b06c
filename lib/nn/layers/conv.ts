import { type ConvOptions, conv2d, convGeometry, type Pair, pair } from '../../autograd/imageOps.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { WeightedModule, type WeightedOptions } from './weighted.js';

/** Settings of a convolutional layer: geometry (PyTorch's names and defaults), bias and where the weights come from. */
export interface Conv2dOptions extends WeightedOptions, ConvOptions {}

/** `[out, in/groups, kh, kw]`. @throws ShapeError if the groups do not divide both channel counts */
function weightShape(inChannels: number, outChannels: number, kernel: Pair, groups: number): Shape {
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ShapeError('Conv2d', `groups must be a positive integer; it is ${groups}`);
  }
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ShapeError('Conv2d', `${inChannels} → ${outChannels} channels are not divisible by groups = ${groups}`);
  }
  return [outChannels, inChannels / groups, ...pair('Conv2d', 'kernel', kernel, 1)];
}

/**
 * A convolution, `[N, inChannels, H, W] → [N, outChannels, oh, ow]`; depthwise with `groups` equal to both.
 *
 * @example
 * const layer = new Conv2d(3, 64, 5, { padding: 2, bias: false, random: new Random(0) });
 * layer.forward(zeros([8, 3, 32, 32])).shape; // [8, 64, 32, 32]
 */
export class Conv2d extends WeightedModule {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly resize: number;

  /** @throws ShapeError for channels, groups or a geometry that do not fit together */
  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernel: Pair,
    options: Conv2dOptions,
  ) {
    const { stride, padding, dilation, groups, resize, ...weighted } = options;
    super('Conv2d', weightShape(inChannels, outChannels, kernel, groups ?? 1), weighted);
    this.kernel = pair('Conv2d', 'kernel', kernel, 1);
    const geometry = convGeometry('Conv2d', this.kernel, options);
    this.stride = geometry.stride;
    this.padding = geometry.padding;
    this.dilation = geometry.dilation;
    this.groups = geometry.groups;
    this.resize = geometry.resize;
  }

  override forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this);
  }
}
