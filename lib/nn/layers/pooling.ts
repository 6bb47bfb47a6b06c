import { type Pair, pair } from '../../autograd/geometry.js';
import {
  type AvgPoolOptions,
  avgPool2d,
  globalAvgPool2d,
  maxPool2d,
  type PoolOptions,
} from '../../autograd/pooling.js';
import { asOptions } from '../../tensor/argument.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

/** Geometry of a pooling layer besides its kernel; PyTorch's names and defaults. */
export type PoolLayerOptions = Omit<PoolOptions, 'kernel'>;

/** Of a mean. */
export type AvgPoolLayerOptions = Omit<AvgPoolOptions, 'kernel'>;

abstract class Pool2d extends Module {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;

  constructor(op: string, kernel: Pair, options: PoolLayerOptions) {
    super();
    const { stride = kernel, padding = 0, dilation = 1, ceilMode = false } = asOptions(op, options);
    this.kernel = pair(op, 'kernel', kernel, 1);
    this.stride = pair(op, 'stride', stride, 1);
    this.padding = pair(op, 'padding', padding, 0);
    this.dilation = pair(op, 'dilation', dilation, 1);
    this.ceilMode = ceilMode;
  }
}

/** The largest value of each window, `[N, C, H, W] → [N, C, oh, ow]`. */
export class MaxPool2d extends Pool2d {
  constructor(kernel: Pair, options: PoolLayerOptions = {}) {
    super('MaxPool2d', kernel, options);
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this);
  }
}

/** The mean of each window, zeros of the padding included by default, `[N, C, H, W] → [N, C, oh, ow]`. */
export class AvgPool2d extends Pool2d {
  readonly countIncludePad: boolean;

  constructor(kernel: Pair, options: AvgPoolLayerOptions = {}) {
    super('AvgPool2d', kernel, options);
    this.countIncludePad = options.countIncludePad ?? true;
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this);
  }
}

/** The mean of each plane, `[N, C, H, W] → [N, C, 1, 1]`. */
export class GlobalAvgPool2d extends Module {
  override forward(x: Tensor): Tensor {
    return globalAvgPool2d(x);
  }
}
