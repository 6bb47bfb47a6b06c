import type { QuantGrid } from '../kernels/fast.js';
import { asNumber, asOptions } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import { MAX_FLOAT_INTEGER } from '../tensor/float32.js';
import type { Tensor } from '../tensor/tensor.js';
import { add, maximum, sub } from './ops.js';
import { quantizationRows, SMALLEST } from './rows/quantization.js';
import { apply, noGrad } from './tape.js';

export { SMALLEST } from './rows/quantization.js';

/**
 * `clip(roundHalfEven(x/s), low, high)·s` with one scale, straight through (see the row of this name).
 * @throws QuantError if the grid is not a pair of ascending integers that float32 carries on every grid, up to 2^23
 */
export function fakeQuantize(x: Tensor, scale: Tensor, grid: QuantGrid): Tensor {
  asOptions('fakeQuantize', grid, 'the grid');
  if (!Number.isInteger(grid.low) || !Number.isInteger(grid.high) || grid.low >= grid.high) {
    throw new QuantError('fakeQuantize', `the grid ${grid.low} … ${grid.high} is not an ascending pair of integers`);
  }
  if (Math.max(-grid.low, grid.high) > MAX_FLOAT_INTEGER) {
    throw new QuantError('fakeQuantize', `the grid ${grid.low} … ${grid.high} exceeds ±2^23, what float32 carries`);
  }
  return apply(quantizationRows.fakeQuantize, [x, scale], grid);
}

/** `max(2^x, 1e-10) / divisor`: scales from learned logarithms; shape of `x`, the floor passes the gradient on. */
export function powerScale(x: Tensor, divisor: number): Tensor {
  return apply(quantizationRows.powerScale, [x], { divisor: asNumber('powerScale', 'divisor', divisor) });
}

/**
 * `q·s`: integers `q [O, …]`, of at most `most` in magnitude, on the grid of their channel's scale `[O]`.
 * @throws ShapeError unless there is one scale an output channel
 */
export function dequantize(q: Tensor, scale: Tensor, most: number): Tensor {
  return apply(quantizationRows.dequantize, [q, scale], { most });
}

/** `max(x, 1e-10)` forward, identity backward. */
export function atLeastSmallest(x: Tensor): Tensor {
  const lift = noGrad(() => sub(maximum(x, SMALLEST), x));
  return add(x, lift);
}
