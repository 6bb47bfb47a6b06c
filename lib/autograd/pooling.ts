import { paddedShape, type Window } from '../kernels/geometry.js';
import { full } from '../tensor/create.js';
import { ShapeError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { conv2d, type Pair, pair } from './convolution.js';
import { checkOperands } from './operands.js';
import { mean } from './ops.js';
import { checkImage, imageRows } from './rows/images.js';
import { apply } from './tape.js';

/** Geometry of a pooling window; the stride defaults to the kernel. */
export interface PoolOptions {
  readonly kernel: Pair;
  readonly stride?: Pair;
  readonly padding?: Pair;
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
  checkOperands('avgPool2d', [x]);
  checkImage('avgPool2d', x.shape);
  const window = poolWindow('avgPool2d', options);
  const [kh, kw] = window.kernel;
  const [, , height, width] = paddedShape(window, x.shape);
  if (kh > height || kw > width)
    throw new ShapeError('avgPool2d', 'the window is larger than the padded image', [x.shape]);
  const channels = x.shape[1];
  const weight = full([channels, 1, kh, kw], 1 / (kh * kw), { dtype: x.dtype, device: x.device });
  return conv2d(x, weight, null, { stride: window.stride, padding: window.padding, groups: channels });
}

/** `[N, C, H, W] → [N, C, 1, 1]`, the mean of each plane. */
export function globalAvgPool2d(x: Tensor): Tensor {
  checkImage('globalAvgPool2d', x.shape);
  return mean(x, { axes: [2, 3], keepDims: true });
}
