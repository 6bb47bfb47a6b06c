import { type Pair, pair } from '../../autograd/convolution.js';
import { avgPool2d, globalAvgPool2d, maxPool2d, type PoolOptions } from '../../autograd/pooling.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

/** Stride (default: the kernel) and zero padding (default 0) of a pooling layer. */
export type PoolLayerOptions = Omit<PoolOptions, 'kernel'>;

abstract class Pool2d extends Module {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];

  constructor(op: string, kernel: Pair, { stride = kernel, padding = 0 }: PoolLayerOptions) {
    super();
    this.kernel = pair(op, 'kernel', kernel, 1);
    this.stride = pair(op, 'stride', stride, 1);
    this.padding = pair(op, 'padding', padding, 0);
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

/** The mean of each window, zeros of the padding included, `[N, C, H, W] → [N, C, oh, ow]`. */
export class AvgPool2d extends Pool2d {
  constructor(kernel: Pair, options: PoolLayerOptions = {}) {
    super('AvgPool2d', kernel, options);
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
