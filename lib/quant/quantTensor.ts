import { add, div, mul, roundHalfEven, sub } from '../autograd/ops.js';
import { noGrad } from '../autograd/tape.js';
import { asOptions } from '../tensor/argument.js';
import type { Tensor } from '../tensor/tensor.js';
import type { IntegerFormat } from './integerRange.js';

/** A tensor on an integer grid: `value = scale · q` with integers `q` of a known format. */
export interface QuantTensor extends IntegerFormat {
  /** Dequantized; the tensor training computes with. */
  readonly value: Tensor;
  /** Step of the grid, differentiable: one number, or `[O, 1, …]` per output channel; may be computed at each look. */
  readonly scale: Tensor;
  /** Symmetric range without the lowest value. */
  readonly narrow: boolean;
}

/** The integers `q = value / scale`, as an int-valued float tensor without history. Shape of `value`. */
export function integers(x: QuantTensor): Tensor {
  const { value, scale } = asOptions('integers', x, 'x');
  return noGrad(() => {
    const q = roundHalfEven(div(value, scale));
    // Beyond 22 bits the quotient itself may be rounded to a half: a second look at what is left takes that back.
    // The sum with 0 makes 0 of −0.
    return add(sub(q, roundHalfEven(div(sub(mul(q, scale), value), scale))), 0);
  });
}
