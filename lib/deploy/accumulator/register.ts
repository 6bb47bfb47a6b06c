import { accumulatorRange } from '../../quant/integerRange.js';
import { QuantError } from '../../tensor/errors.js';

/**
 * What a register does with a partial sum it cannot hold: `wrap` keeps the low P bits (two's complement, what plain
 * hardware does), `saturate` stays at the nearest end, `exact` is a register without limits that only reports.
 */
export type Overflow = 'exact' | 'wrap' | 'saturate';

/** A P-bit two's complement accumulator and its way to overflow. */
export interface Register {
  /** P, 1 to 32. */
  readonly bits: number;
  readonly overflow: Overflow;
  /** −2^(P−1). */
  readonly low: number;
  /** 2^(P−1) − 1. */
  readonly high: number;
}

const OVERFLOWS: readonly string[] = ['exact', 'wrap', 'saturate'] satisfies Overflow[];

/** The register of a width. @throws QuantError if P is not an integer of 1 … 32 or the mode is none of the three. */
export function makeRegister(bits: number, overflow: Overflow): Register {
  if (!OVERFLOWS.includes(overflow))
    throw new QuantError('accumulate', `overflow must be one of ${OVERFLOWS.join(', ')}; got ${String(overflow)}`);
  const { low, high } = accumulatorRange(bits);
  return { bits, overflow, low, high };
}

/** What the register holds after being given `sum`, an integer below 2^53 in magnitude. */
export function settle(register: Register, sum: number): number {
  const { low, high, bits, overflow } = register;
  if ((sum >= low && sum <= high) || overflow === 'exact') return sum;
  if (overflow === 'saturate') return sum < low ? low : high;
  const modulus = 2 ** bits;
  return sum - modulus * Math.floor((sum - low) / modulus);
}
