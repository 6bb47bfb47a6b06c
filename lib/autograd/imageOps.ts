import type { QuantGrid } from '../kernels/fast.js';
import type { ConvGeometry, Window } from '../kernels/geometry.js';
import { full } from '../tensor/create.js';
import { ShapeError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { add, mean, reshape } from './ops.js';
import { convolutionRows } from './rows/convolution.js';
import { checkImage, imageRows } from './rows/images.js';
import { normalizationRows } from './rows/normalization.js';
import { apply, applyAll } from './tape.js';

/** One number for both directions, or `[vertical, horizontal]`. */
export type Pair = number | readonly [number, number];

/** Geometry of a convolution; PyTorch's names and defaults. */
export interface ConvOptions {
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
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

/** All of a convolution's geometry. @throws ShapeError if a number is out of range */
export function convGeometry(op: string, options: ConvOptions): ConvGeometry {
  const { groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ShapeError(op, `groups must be a positive integer; it is ${groups}`);
  }
  return {
    stride: pair(op, 'stride', options.stride ?? 1, 1),
    padding: pair(op, 'padding', options.padding ?? 0, 0),
    dilation: pair(op, 'dilation', options.dilation ?? 1, 1),
    groups,
  };
}

/**
 * Cross-correlation of `x [N, C, H, W]` with `w [O, C/groups, kh, kw]`, plus `bias [O]`, → `[N, O, oh, ow]`.
 * @throws ShapeError if channels and groups do not fit, or the kernel exceeds the padded image
 */
export function conv2d(x: Tensor, w: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  return addBias('conv2d', apply(convolutionRows.conv2d, [x, w], convGeometry('conv2d', options)), w, bias);
}

/**
 * `y [N, O, oh, ow] + bias [O]`, y made with `w [O, …]`.
 * @throws ShapeError unless the bias has one number a channel
 */
export function addBias(op: string, y: Tensor, w: Tensor, bias: Tensor | null): Tensor {
  if (bias === null) return y;
  if (bias.rank !== 1 || bias.shape[0] !== w.shape[0]) {
    throw new ShapeError(op, 'bias must hold one number an output channel', [bias.shape, w.shape]);
  }
  return add(y, reshape(bias, [1, bias.shape[0], 1, 1]));
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
  return apply(imageRows.maxPool2d, [x], poolWindow('maxPool2d', options));
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
