/** Widest two's complement number that is told apart: sums are exact below 2^52. */
const MOST_BITS = 54;

/** A bar of a histogram: the integers `low … high`, all of which need registers of `bits` bits and no fewer. */
export interface SumBar {
  readonly low: number;
  readonly high: number;
  readonly bits: number;
  readonly count: number;
}

/**
 * Counts partial sums by sign and by the bits of two's complement that they need: so the share that any register cannot
 * hold, `|low| > 2^(P−1)` or `high ≥ 2^(P−1)`, is read off exactly.
 */
export class SumHistogram {
  /** Of negative sums, widest first, then of others, narrowest first. */
  readonly #counts = new Float64Array(2 * MOST_BITS);

  /** Counts a sum, as the adder gives it to the register. @param sum an integer below 2^53 in magnitude */
  add(sum: number): void {
    const magnitude = sum < 0 ? -sum - 1 : sum;
    const bits = magnitude < 2 ** 32 ? 33 - Math.clz32(magnitude) : 65 - Math.clz32(Math.floor(magnitude / 2 ** 32));
    this.#counts[sum < 0 ? MOST_BITS - bits : MOST_BITS + bits - 1] += 1;
  }

  /** Sums counted. */
  get total(): number {
    return this.#counts.reduce((total, count) => total + count, 0);
  }

  /** How many did not fit a register of `bits` bits. */
  beyond(bits: number): number {
    return this.bars().reduce((total, bar) => (bar.bits > bits ? total + bar.count : total), 0);
  }

  /** All bars between the first and the last that holds something, ascending. */
  bars(): SumBar[] {
    const all = Array.from(this.#counts, (count, i): SumBar => {
      const bits = i < MOST_BITS ? MOST_BITS - i : i - MOST_BITS + 1;
      const least = bits === 1 ? 0 : 2 ** (bits - 2);
      const most = 2 ** (bits - 1) - 1;
      return i < MOST_BITS
        ? { low: -most - 1, high: -least - 1, bits, count }
        : { low: least, high: most, bits, count };
    });
    const filled = all.map(({ count }) => count > 0);
    return all.slice(Math.max(0, filled.indexOf(true)), filled.lastIndexOf(true) + 1);
  }
}
