import type { InputBounds } from '../../quant/accumulator.js';
import { accumulatorRange } from '../../quant/integerRange.js';
import { l1BallThreshold } from '../../quant/projection.js';

/**
 * Integer weights that a register of P bits holds, near those that it does not: the positive and the negative ones of a
 * channel are each projected onto the l1 ball that P leaves them, and rounded by largest remainders, so that the budget
 * is spent to the last unit. A channel that fits stays as it is.
 * @param q `[O, K]` row-major @returns the same shape
 */
export function clipToBits(q: ArrayLike<number>, channels: number, input: InputBounds, bits: number): Int32Array {
  const out = Int32Array.from(q);
  const length = out.length / channels;
  for (let row = 0; row < channels; row++) {
    const own = out.subarray(row * length, (row + 1) * length);
    const [alpha, beta] = [1, -1].map((sign) => own.reduce((sum, w) => sum + Math.max(sign * w, 0), 0));
    const caps = capsOf(alpha, beta, input, bits);
    for (const [i, sign] of [1, -1].entries()) {
      const magnitudes = apportion(
        Float64Array.from(own, (w) => Math.max(sign * w, 0)),
        caps[i],
      );
      for (const [k, magnitude] of magnitudes.entries()) if (Math.sign(own[k]) === sign) own[k] = sign * magnitude;
    }
  }
  return out;
}

/** How far α and |β| may go: `d·α + |c|·|β|` and `|c|·α + d·|β|` are what the register sums at worst. */
function capsOf(alpha: number, beta: number, { low, high }: InputBounds, bits: number): [number, number] {
  const register = accumulatorRange(bits);
  const [above, below] = [register.high, -register.low];
  // Only one of the two inequalities holds each sum, unless inputs have both signs.
  if (low === 0) return [above / high, below / high];
  if (high === 0) return [below / -low, above / -low];
  const share = Math.min(above / (high * alpha - low * beta), below / (high * beta - low * alpha), 1);
  return share === 1 ? [alpha, beta] : [share * alpha, share * beta];
}

/** Magnitudes of at most `cap` together: projected, rounded down, then up where most was lost. */
function apportion(magnitudes: Float64Array, cap: number): Float64Array {
  const most = Math.floor(cap);
  if (magnitudes.reduce((sum, w) => sum + w, 0) <= most) return magnitudes;
  const theta = l1BallThreshold(magnitudes, most);
  const wanted = magnitudes.map((w) => Math.max(w - theta, 0));
  const rounded = wanted.map(Math.floor);
  let left = most - rounded.reduce((sum, w) => sum + w, 0);
  const order = [...wanted.keys()].sort((a, b) => wanted[b] - rounded[b] - (wanted[a] - rounded[a]) || a - b);
  for (const k of order) {
    if (left <= 0 || wanted[k] === rounded[k]) break;
    rounded[k] += 1;
    left -= 1;
  }
  return rounded;
}
