import { paddedShape, type Window } from '../kernels/geometry.js';
import { asOptions } from '../tensor/argument.js';
import { full, tensor } from '../tensor/create.js';
import { ShapeError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { conv2d } from './convolution.js';
import { type Pair, pair } from './geometry.js';
import { checkOperands } from './operands.js';
import { div, mean, pad } from './ops.js';
import { checkImage, checkPadding, imageRows } from './rows/images.js';
import { apply } from './tape.js';

/** Geometry of a pooling window; PyTorch's names and defaults. */
export interface PoolOptions {
  readonly kernel: Pair;
  /** Default: the kernel. */
  readonly stride?: Pair;
  /** At most half the kernel. Default 0. */
  readonly padding?: Pair;
  /** Distance of the pixels of a window. Default 1. */
  readonly dilation?: Pair;
  /** Whether a last window that begins inside may reach beyond the padded image. Default false. */
  readonly ceilMode?: boolean;
}

/** Settings of a mean over windows. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether the zeros of the padding count as numbers. Default true. */
  readonly countIncludePad?: boolean;
}

/** A window, and by how much the last ones reach beyond the padded image at the bottom and at the right. */
interface Reach {
  readonly window: Window;
  readonly beyond: readonly [number, number];
}

function reachOf(op: string, x: Tensor, options: PoolOptions): Reach {
  checkOperands(op, [x]);
  checkImage(op, x.shape);
  const kernel = pair(op, 'kernel', asOptions(op, options).kernel, 1);
  const window: Window = {
    kernel,
    stride: pair(op, 'stride', options.stride ?? kernel, 1),
    padding: pair(op, 'padding', options.padding ?? 0, 0),
    dilation: pair(op, 'dilation', options.dilation ?? 1, 1),
  };
  checkPadding(op, window, x.shape);
  const beyond = (axis: 0 | 1) => (options.ceilMode ? ceilReach(window, x.shape[2 + axis], axis) : 0);
  return { window, beyond: [beyond(0), beyond(1)] };
}

/** How far the last of ⌈…⌉ windows reaches; one that would begin beyond the image and its first padding is left out. */
function ceilReach({ kernel, stride, padding, dilation }: Window, extent: number, axis: 0 | 1): number {
  const [step, before] = [stride[axis], padding[axis]];
  const span = dilation[axis] * (kernel[axis] - 1) + 1;
  const padded = extent + 2 * before;
  const steps = Math.ceil((padded - span) / step);
  const last = steps * step >= extent + before ? steps - 1 : steps;
  return Math.max(0, last * step + span - padded);
}

/** More rows at the bottom and columns at the right of an image. */
function extended(x: Tensor, [rows, columns]: Reach['beyond'], value: number): Tensor {
  if (rows === 0 && columns === 0) return x;
  const padding = [0, 0, rows, columns].map((after) => [0, after] as const);
  return pad(x, padding, value);
}

/**
 * Maximum over windows of `x [N, C, H, W]`; padding never wins, the gradient goes to the first maximum.
 * @throws ShapeError for a geometry out of range, or a window larger than the padded image
 */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  const { window, beyond } = reachOf('maxPool2d', x, options);
  return apply(imageRows.maxPool2d, [extended(x, beyond, Number.NEGATIVE_INFINITY)], window);
}

/**
 * Mean over windows of `x [N, C, H, W]`; zeros of the padding count, as PyTorch's default has it.
 *
 * @throws ShapeError for a geometry out of range, or a window larger than the padded image
 * @example
 * const x = tensor([1, 2, 3, 4, 5], [1, 1, 1, 5]);
 * await avgPool2d(x, { kernel: [1, 2], ceilMode: true }).toArray(); // [[[[1.5, 3.5, 5]]]]
 */
export function avgPool2d(x: Tensor, options: AvgPoolOptions): Tensor {
  const { window, beyond } = reachOf('avgPool2d', x, options);
  const [kh, kw] = window.kernel;
  const channels = x.shape[1];
  const { kernel, ...geometry } = window;
  const image = extended(x, beyond, 0);
  const [, , height, width] = paddedShape(window, image.shape);
  if (window.dilation[0] * (kh - 1) >= height || window.dilation[1] * (kw - 1) >= width) {
    throw new ShapeError('avgPool2d', 'the window is larger than the padded image', [x.shape]);
  }
  const uniform = beyond[0] + beyond[1] === 0 && (options.countIncludePad ?? true);
  const weight = full([channels, 1, kh, kw], uniform ? 1 / (kh * kw) : 1, { dtype: x.dtype, device: x.device });
  const sums = conv2d(image, weight, null, { ...geometry, groups: channels });
  return uniform ? sums : div(sums, counts(x, sums, window, options.countIncludePad ?? true));
}

/** How many numbers each window has, `[1, 1, oh, ow]`: pixels of the image, and of the padding where that counts. */
function counts(x: Tensor, y: Tensor, window: Window, padding: boolean): Tensor {
  const [rows, columns] = ([0, 1] as const).map((axis) =>
    Array.from({ length: y.shape[2 + axis] }, (_, i) => {
      const around = padding ? window.padding[axis] : 0;
      const first = i * window.stride[axis] - window.padding[axis];
      const positions = Array.from({ length: window.kernel[axis] }, (_, tap) => first + tap * window.dilation[axis]);
      return positions.filter((at) => at >= -around && at < x.shape[2 + axis] + around).length;
    }),
  );
  const products = rows.flatMap((row) => columns.map((column) => Math.max(1, row * column)));
  return tensor(products, [1, 1, rows.length, columns.length], { dtype: x.dtype, device: x.device });
}

/** `[N, C, H, W] → [N, C, 1, 1]`, the mean of each plane. */
export function globalAvgPool2d(x: Tensor): Tensor {
  checkOperands('globalAvgPool2d', [x]);
  checkImage('globalAvgPool2d', x.shape);
  return mean(x, { axes: [2, 3], keepDims: true });
}
