import { conv2d } from '../../autograd/convolution.js';
import { type ConvOptions, convGeometry, type Pair, pair, type Sides } from '../../autograd/geometry.js';
import { resizeConv2d } from '../../autograd/resample.js';
import { asOptions } from '../../tensor/argument.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { WeightedModule, type WeightedOptions } from './weighted.js';

/** Settings of a convolutional layer: geometry (PyTorch's names and defaults), bias and where the weights come from. */
export interface Conv2dOptions extends WeightedOptions, ConvOptions {}

/** `[out, in/groups, kh, kw]`. @throws ShapeError if the groups do not divide both channel counts */
export function weightShape(op: string, inChannels: number, outChannels: number, kernel: Pair, groups = 1): Shape {
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ShapeError(op, `groups must be a positive integer; it is ${groups}`);
  }
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ShapeError(op, `${inChannels} → ${outChannels} channels are not divisible by groups = ${groups}`);
  }
  return [outChannels, inChannels / groups, ...pair(op, 'kernel', kernel, 1)];
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
  /** `[vertical, horizontal]`, or `[[top, bottom], [left, right]]` where opposite sides differ. */
  readonly padding: readonly [number, number] | Sides;
  readonly dilation: readonly [number, number];
  readonly groups: number;

  /** @throws ShapeError for channels, groups or a geometry that do not fit together */
  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernel: Pair,
    options: Conv2dOptions,
  ) {
    const { stride, padding, dilation, groups, ...weighted } = asOptions('Conv2d', options);
    super('Conv2d', weightShape('Conv2d', inChannels, outChannels, kernel, groups), weighted);
    this.kernel = pair('Conv2d', 'kernel', kernel, 1);
    const { geometry, beforehand } = convGeometry('Conv2d', options, this.kernel);
    this.stride = geometry.stride;
    this.padding = beforehand === null ? geometry.padding : plus(beforehand, geometry.padding);
    this.dilation = geometry.dilation;
    this.groups = geometry.groups;
  }

  override forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this);
  }
}

/**
 * Nearest up-sampling by `factor`, then a convolution that keeps the size, `[N, in, H, W] → [N, out, factor·H,
 * factor·W]` (Odena et al. 2016); computed at the small resolution, see `resizeConv2d`.
 *
 * @example
 * new ResizeConv2d(32, 3, 3, 2, { random: new Random(0) }).forward(zeros([1, 32, 5, 5])).shape; // [1, 3, 10, 10]
 */
export class ResizeConv2d extends WeightedModule {
  /** @param kernel side of the square kernel, odd @throws ShapeError for an even kernel or a factor below 1 */
  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernel: number,
    readonly factor: number,
    options: WeightedOptions,
  ) {
    super('ResizeConv2d', resizeWeightShape('ResizeConv2d', inChannels, outChannels, kernel, factor), options);
  }

  override forward(x: Tensor): Tensor {
    return resizeConv2d(x, this.weight, this.bias, this.factor);
  }
}

/** `[out, in, kernel, kernel]`. @throws ShapeError for an even kernel or a factor that is no positive integer */
export function resizeWeightShape(
  op: string,
  inChannels: number,
  outChannels: number,
  kernel: number,
  factor: number,
): Shape {
  if (!Number.isInteger(kernel) || kernel < 1 || kernel % 2 === 0) {
    throw new ShapeError(op, `the kernel must be odd; it is ${kernel}`);
  }
  if (!Number.isInteger(factor) || factor < 1) {
    throw new ShapeError(op, `factor must be a positive integer; it is ${factor}`);
  }
  return [outChannels, inChannels, kernel, kernel];
}

/** As much more on both sides. */
function plus([vertical, horizontal]: Sides, [y, x]: readonly [number, number]): Sides {
  return [
    [vertical[0] + y, vertical[1] + y],
    [horizontal[0] + x, horizontal[1] + x],
  ];
}
