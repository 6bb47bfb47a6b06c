import { ShapeError } from '../tensor/errors.js';
import type { Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { addBias } from './bias.js';
import { alike, type Conv1dOptions, type ConvOptions, convGeometry, lying } from './geometry.js';
import { checkOperands } from './operands.js';
import { pad, reshape } from './ops.js';
import { checkChannels, checkRanks, convolutionRows } from './rows/convolution.js';
import { apply } from './tape.js';

/**
 * Cross-correlation of `x [N, C, H, W]` with `w [O, C/groups, kh, kw]`, plus `bias [O]`, → `[N, O, oh, ow]`.
 *
 * @throws ShapeError if channels and groups do not fit, or the kernel exceeds the padded image
 * @example
 * conv2d(zeros([1, 3, 8, 8]), zeros([4, 3, 2, 2]), null, { padding: 'same' }).shape; // [1, 4, 8, 8]
 * conv2d(zeros([1, 3, 8, 8]), zeros([4, 3, 3, 3]), null, { padding: [[0, 2], [1, 1]] }).shape; // [1, 4, 8, 8]
 */
export function conv2d(x: Tensor, w: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  checkOperands('conv2d', [x, w]);
  checkRanks('conv2d', 4, x.shape, w.shape);
  checkTaps('conv2d', w.shape);
  const { geometry, beforehand } = convGeometry('conv2d', options, [w.shape[2], w.shape[3]]);
  const padded = beforehand === null ? x : pad(x, [alike(0), alike(0), ...beforehand]);
  return addBias('conv2d', apply(convolutionRows.conv2d, [padded, w], geometry), w, bias);
}

/**
 * Cross-correlation of `x [N, C, L]` with `w [O, C/groups, k]`, plus `bias [O]`, → `[N, O, l]`.
 *
 * @throws ShapeError if channels and groups do not fit, or the kernel exceeds the padded sequence
 * @example
 * const x = tensor([1, 2, 4, 8], [1, 1, 4]);
 * await conv1d(x, tensor([-1, 1], [1, 1, 2])).toArray(); // [[[1, 2, 4]]]
 */
export function conv1d(x: Tensor, w: Tensor, bias: Tensor | null = null, options: Conv1dOptions = {}): Tensor {
  checkOperands('conv1d', [x, w]);
  checkRanks('conv1d', 3, x.shape, w.shape);
  checkTaps('conv1d', w.shape);
  const [[n, c, length], [outputs, perGroup, taps]] = [x.shape, w.shape];
  const across = lying('conv1d', options);
  const { geometry, beforehand } = convGeometry('conv1d', across, [1, taps]);
  checkChannels('conv1d', x.shape, w.shape, geometry.groups);
  const [before, after] = beforehand?.[1] ?? alike(0);
  if (geometry.dilation[1] * (taps - 1) >= length + 2 * geometry.padding[1] + before + after) {
    throw new ShapeError('conv1d', 'the kernel is larger than the padded sequence', [x.shape, w.shape]);
  }
  const y = conv2d(reshape(x, [n, c, 1, length]), reshape(w, [outputs, perGroup, 1, taps]), null, across);
  return addBias('conv1d', reshape(y, [n, outputs, y.shape[3]]), w, bias);
}

/** @throws ShapeError for a kernel without extent along some axis: it would read nothing */
function checkTaps(op: string, shape: Shape): void {
  if (shape.slice(2).includes(0)) throw new ShapeError(op, 'the kernel must extend over at least one element', [shape]);
}
