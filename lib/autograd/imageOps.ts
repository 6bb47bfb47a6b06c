import type { ChannelStats, QuantGrid, Window } from '../kernels/backend.js';
import { backendOf } from '../kernels/value.js';
import { full } from '../tensor/create.js';
import { QuantError, ShapeError } from '../tensor/errors.js';
import { Tensor } from '../tensor/tensor.js';
import type { View } from '../tensor/view.js';
import { mean, reshape } from './ops.js';
import { pixelShuffle, subPixelKernel } from './resample.js';
import { checkImage } from './rows/images.js';
import { apply } from './tape.js';

/** One number for both directions, or `[vertical, horizontal]`. */
export type Pair = number | readonly [number, number];

/** Geometry of a convolution; PyTorch's names and defaults. */
export interface ConvOptions {
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
  /**
   * Repeats each pixel of the input r × r times before the window slides ("resize convolution", Odena et al. 2016).
   * Wants stride, dilation and groups 1, an odd kernel and the padding that keeps the size. Default 1.
   */
  readonly resize?: number;
}

/** Geometry of a pooling window; the stride defaults to the kernel. */
export interface PoolOptions {
  readonly kernel: Pair;
  readonly stride?: Pair;
  readonly padding?: Pair;
}

/** A pair of integers, each at least `least`. @throws ShapeError */
export function pair(op: string, name: string, value: Pair, least: number): readonly [number, number] {
  const both: readonly [number, number] = typeof value === 'number' ? [value, value] : value;
  if (both.length !== 2 || both.some((x) => !Number.isInteger(x) || x < least)) {
    throw new ShapeError(op, `${name} must be integers of at least ${least}; got [${both.join(', ')}]`);
  }
  return both;
}

/**
 * All of a convolution's geometry. @throws ShapeError if a number is out of range, or `resize` does not go with the
 * rest
 */
export function convGeometry(op: string, kernel: readonly [number, number], options: ConvOptions) {
  const { groups = 1, resize = 1 } = options;
  const geometry = {
    stride: pair(op, 'stride', options.stride ?? 1, 1),
    padding: pair(op, 'padding', options.padding ?? 0, 0),
    dilation: pair(op, 'dilation', options.dilation ?? 1, 1),
    groups,
    resize,
  };
  for (const [name, value] of Object.entries({ groups, resize })) {
    if (!Number.isInteger(value) || value < 1) throw new ShapeError(op, `${name} must be at least 1; it is ${value}`);
  }
  if (resize === 1) return geometry;
  const { stride, padding, dilation } = geometry;
  if ([...stride, ...dilation, groups].some((each) => each !== 1)) {
    throw new ShapeError(op, 'resize wants stride, dilation and groups to be 1');
  }
  if (kernel.some((extent, axis) => extent !== 2 * padding[axis] + 1)) {
    throw new ShapeError(op, `resize wants a kernel of 2·padding + 1; they are [${kernel}] and [${padding}]`);
  }
  return geometry;
}

/**
 * Cross-correlation of `x [N, C, H, W]` with `w [O, C/groups, kh, kw]`, plus `bias [O]`, → `[N, O, oh, ow]`.
 * @throws ShapeError if channels, groups and `resize` do not fit, or the kernel exceeds the padded image
 */
export function conv2d(x: Tensor, w: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  const { resize, ...geometry } = convGeometry('conv2d', [w.shape[2], w.shape[3]], options);
  const y = resize === 1 ? apply('conv2d', [x, w], geometry) : resizeConv2d(x, w, resize);
  if (bias === null) return y;
  if (bias.rank !== 1 || bias.shape[0] !== w.shape[0]) {
    throw new ShapeError('conv2d', 'bias must hold one number an output channel', [bias.shape, w.shape]);
  }
  return apply('add', [y, reshape(bias, [1, bias.shape[0], 1, 1])], {});
}

/**
 * A resize convolution without the resized image: a convolution at the small resolution whose r²·O outputs are the
 * sub-pixels of the large one. Shi et al. 2016 (arXiv 1609.07009) show the two to be the same map.
 */
function resizeConv2d(x: Tensor, w: Tensor, factor: number): Tensor {
  const { kernel, padding } = subPixelKernel(w, factor);
  return pixelShuffle(apply('conv2d', [x, kernel], { stride: [1, 1], padding, dilation: [1, 1], groups: 1 }), factor);
}

function poolWindow(op: string, options: PoolOptions): Window {
  const kernel = pair(op, 'kernel', options.kernel, 1);
  return {
    kernel,
    stride: pair(op, 'stride', options.stride ?? kernel, 1),
    padding: pair(op, 'padding', options.padding ?? 0, 0),
    dilation: [1, 1],
  };
}

/** Maximum over windows of `x [N, C, H, W]`; padding never wins, the gradient goes to the first maximum. */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  return apply('maxPool2d', [x], poolWindow('maxPool2d', options));
}

/** Mean over windows of `x [N, C, H, W]`; zeros of the padding count, as PyTorch's default has it. */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  checkImage('avgPool2d', x.shape);
  const window = poolWindow('avgPool2d', options);
  const [kh, kw] = window.kernel;
  const channels = x.shape[1];
  const weight = full([channels, 1, kh, kw], 1 / (kh * kw), { dtype: x.dtype, device: x.device });
  return conv2d(x, weight, null, { stride: window.stride, padding: window.padding, groups: channels });
}

/** `[N, C, H, W] → [N, C, 1, 1]`, the mean of each plane. */
export function globalAvgPool2d(x: Tensor): Tensor {
  checkImage('globalAvgPool2d', x.shape);
  return mean(x, { axes: [2, 3], keepDims: true });
}

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
 * Batch norm with the batch's own statistics over all axes but 1 (Ioffe and Szegedy 2015); the gradient goes through
 * them.
 *
 * @param x `[N, C, …]` @param weight γ `[C]` @param bias β `[C]`
 * @param follower what is applied to the result at once: the same numbers as `relu(y)` or
 *   `fakeQuantize(y, scale, grid)`
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
  const stats = emptyStats(x);
  const y =
    typeof follower === 'string'
      ? apply('batchNorm', [x, weight, bias], { epsilon, activation: follower, stats })
      : apply('batchNormQuantize', [x, weight, bias, follower.scale], { epsilon, grid: follower.grid, stats });
  return { y, mean: new Tensor(stats.mean), variance: new Tensor(stats.variance) };
}

/** Room for the statistics of the channels of `x`. */
export function emptyStats(x: View): ChannelStats {
  const both = backendOf(x).fill([2, x.shape[1]], 0, x.storage.dtype);
  const row = (i: number) => ({ storage: both.storage, shape: [x.shape[1]], strides: [1], offset: i * x.shape[1] });
  return { mean: row(0), variance: row(1) };
}

/**
 * `clip(roundHalfEven(x/s), low, high)·s` with one scale, straight through (see the row of this name).
 * @throws QuantError if the grid is not a pair of ascending integers
 */
export function fakeQuantize(x: Tensor, scale: Tensor, grid: QuantGrid): Tensor {
  if (!Number.isInteger(grid.low) || !Number.isInteger(grid.high) || grid.low >= grid.high) {
    throw new QuantError('fakeQuantize', `the grid ${grid.low} … ${grid.high} is not an ascending pair of integers`);
  }
  return apply('fakeQuantize', [x, scale], grid);
}
