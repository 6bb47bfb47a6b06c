/** What a requantization does to one accumulator: the two formulas of graph.ts, for all who compute them. */

/** How many of the ascending thresholds `from … to − 1` an accumulator reaches. */
export function countReached(ascending: ArrayLike<number>, a: number, from = 0, to = ascending.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (a >= ascending[middle]) low = middle + 1;
    else high = middle;
  }
  return low - from;
}

/** The numbers of a fixed-point requantization, a row each. */
export interface FixedPoint {
  readonly multiplier: ArrayLike<number>;
  readonly offset: ArrayLike<number>;
  readonly shift: ArrayLike<number>;
  readonly lift: number;
}

/** `(a·multiplier + offset·2^lift + 2^(shift−1)) >> shift` of a row, before it is clipped; exact in 53 bits. */
export function multiplyAndShift({ multiplier, offset, shift, lift }: FixedPoint, row: number, a: number): number {
  const half = shift[row] === 0 ? 0 : 2 ** (shift[row] - 1);
  return Math.floor((a * multiplier[row] + offset[row] * 2 ** lift + half) / 2 ** shift[row]);
}
