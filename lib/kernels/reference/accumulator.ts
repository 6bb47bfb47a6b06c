import type { Accumulator } from '../fast.js';
import type { HostArray } from './arrays.js';

/**
 * Walks along each row of `q [O, K]` with what is left of the register above and below the worst sums of the weights
 * so far: `2^(P−1) − 1 − (d·α − c·b)` and `2^(P−1) − (d·b − c·α)`, α and b the sums of positive and of |negative|
 * weights. A weight that would need more is reduced to what is left. So a row that fits stays as it is, any other loses
 * no more than it must, from its end. All numbers are integers below 2^53.
 */
export function fitAccumulator(out: HostArray, q: HostArray, { bits, low, high }: Accumulator): void {
  const [rows, length] = q.shape;
  for (let row = 0; row < rows; row++) {
    let above = 2 ** (bits - 1) - 1;
    let below = 2 ** (bits - 1);
    for (let k = 0; k < length; k++) {
      const weight = q.get(row, k);
      const [up, down] = weight > 0 ? [high, -low] : [-low, high];
      const kept = Math.min(Math.abs(weight), most(above, up), most(below, down));
      out.set(row, k, Math.sign(weight) * kept);
      if (Number.isNaN(weight)) continue;
      above -= up * kept;
      below -= down * kept;
    }
  }
}

/** How many units of `cost` are left. */
function most(left: number, cost: number): number {
  return cost === 0 ? Number.POSITIVE_INFINITY : Math.floor(left / cost);
}
