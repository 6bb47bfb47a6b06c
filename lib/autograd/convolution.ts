import type { ConvGeometry } from '../kernels/geometry.js';
import { ShapeError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { add, reshape } from './ops.js';
import { convolutionRows } from './rows/convolution.js';
import { apply } from './tape.js';

/** One number for both directions, or `[vertical, horizontal]`. */
export type Pair = number | readonly [number, number];

/** Geometry of a convolution; PyTorch's names and defaults. */
export interface ConvOptions {
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
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

/** `y [N, O, oh, ow] + bias [O]`, y made with `w [O, …]`. @throws ShapeError unless there is one bias a channel */
export function addBias(op: string, y: Tensor, w: Tensor, bias: Tensor | null): Tensor {
  if (bias === null) return y;
  if (bias.rank !== 1 || bias.shape[0] !== w.shape[0]) {
    throw new ShapeError(op, 'bias must hold one number an output channel', [bias.shape, w.shape]);
  }
  return add(y, reshape(bias, [1, bias.shape[0], 1, 1]));
}
