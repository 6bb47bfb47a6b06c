import { straightThrough } from '../autograd/define.js';
import { ceil, div, exp2, less, log2, mul, roundHalfEven, where } from '../autograd/ops.js';
import { asTensor } from '../tensor/argument.js';
import type { Tensor } from '../tensor/tensor.js';

const roundUp = straightThrough({
  name: 'powerOfTwoScale',
  forward: (s: Tensor) => {
    // The nearest power of two is found whatever the last bits of log2 are; it is s or one step below or above it.
    const near = exp2(roundHalfEven(log2(s)));
    return where(less(near, s), mul(near, 2), near);
  },
  surrogate: (s: Tensor) => mul(s, div(powerOfTwoScale(s.detach()), s.detach())),
});

/**
 * Scales as powers of two: `2^⌈log2 s⌉`, the least power that is at least s, so that nothing more is clipped.
 * Requantization is then a shift wherever nothing but scales stands between accumulator and next grid. Straight
 * through: the rounding has slope 1 on the logarithm, as in Brevitas.
 *
 * @param s positive scales, any shape @returns the same shape
 * @example
 * const s = powerOfTwoScale(tensor([0.3, 0.5, 5]));
 * await s.toArray(); // [0.5, 0.5, 8]
 */
export function powerOfTwoScale(s: Tensor): Tensor {
  return roundUp(asTensor('powerOfTwoScale', 's', s));
}

/** The same of learned logarithms: `⌈d⌉`, straight through. */
export const powerOfTwoLog = straightThrough({ name: 'powerOfTwoLog', forward: (d: Tensor) => ceil(d) });
