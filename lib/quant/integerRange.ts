import { asBoolean, asOptions } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import { MAX_FLOAT_INTEGER } from '../tensor/float32.js';

/** What a value looks like to the hardware: how many bits, and whether one of them is a sign. */
export interface IntegerFormat {
  /** Bits, sign included: M of weights, N of inputs, P of accumulators. */
  readonly bits: number;
  /** 1s of the papers: true is two's complement, false counts from 0. */
  readonly signed: boolean;
}

/** The integers of a format, `low … high`, both included. */
export interface IntegerRange extends IntegerFormat {
  /** Narrow range: signed loses its lowest value and becomes symmetric, unsigned loses its highest. */
  readonly narrow: boolean;
  /** n of a weight, c of an input. */
  readonly low: number;
  /** p of a weight, d of an input. */
  readonly high: number;
}

/** Widest format; its integers are exact in a Number and fit an int32 accumulator. */
export const MAX_BITS = 32;

/**
 * What the integer q of a bias is clipped to, either way: a float32 that is int32 still after the roundings of its step
 * s_x·s_w, of `q·s` and of its division by s, which move it by 128 each.
 */
export const MAX_INT32_BIAS = 2 ** 31 - 2 ** 9;

/**
 * The range of a format: signed `−2^(bits−1) … 2^(bits−1) − 1`, unsigned `0 … 2^bits − 1`; narrow takes one value away.
 *
 * @param bits 1 to 32; a narrow range needs 2, since one value is no range.
 * @throws QuantError if `bits` is not such an integer.
 * @example
 * const { low, high } = integerRange(4, { signed: true, narrow: true });
 * [low, high]; // [−7, 7]: weights of M = 4
 */
export function integerRange(bits: number, options: { signed: boolean; narrow?: boolean }): IntegerRange {
  const { signed, narrow = false } = asOptions('integerRange', options);
  asBoolean('integerRange', 'signed', signed);
  asBoolean('integerRange', 'narrow', narrow);
  checkBits('integerRange', narrow ? 'bits of a narrow range' : 'bits', bits, narrow ? 2 : 1);
  const lost = narrow ? 1 : 0;
  return signed
    ? { bits, signed, narrow, low: -(2 ** (bits - 1)) + lost, high: 2 ** (bits - 1) - 1 }
    : { bits, signed, narrow, low: 0, high: 2 ** bits - 1 - lost };
}

/** The signed narrow range of M-bit weights, `−Q … Q` with `Q = 2^(M−1) − 1`. @throws QuantError unless M is 2 … 32. */
export function weightRange(bits: number): IntegerRange {
  return integerRange(bits, { signed: true, narrow: true });
}

/** The full range `[c, d]` of N-bit inputs; always `d − c = 2^N − 1`. @throws QuantError unless N is 1 … 32. */
export function inputRange(input: IntegerFormat): IntegerRange {
  const { bits, signed } = asOptions('inputRange', input, 'the input format');
  return integerRange(bits, { signed });
}

/** The range of a P-bit two's complement accumulator. @throws QuantError unless P is 1 … 32. */
export function accumulatorRange(bits: number): IntegerRange {
  checkBits('accumulatorRange', 'accumulator bits P', bits);
  return integerRange(bits, { signed: true });
}

/**
 * The narrowest two's complement register: the least P with `low ≥ −2^(P−1)`, `high ≤ 2^(P−1) − 1`. May exceed 32.
 *
 * @throws QuantError unless `low ≤ high` are safe integers.
 */
export function bitsToHold(low: number, high: number): number {
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low > high)
    throw new QuantError('bitsToHold', `wants integers low ≤ high below 2^53; got ${low} and ${high}`);
  let bits = 1;
  while (low < -(2 ** (bits - 1)) || high > 2 ** (bits - 1) - 1) bits++;
  return bits;
}

/**
 * Refuses a format whose integers float32 cannot carry on a grid; a signed one needs 2 bits, to be more than a sign.
 * @throws QuantError naming `what` and the limits
 */
export function checkFloatBits(op: string, what: string, format: IntegerFormat): void {
  const { bits, signed } = asOptions(op, format, 'the format');
  asBoolean(op, 'signed', signed);
  const magnitudeBits = Math.log2(MAX_FLOAT_INTEGER);
  checkBits(op, what, bits, signed ? 2 : 1, signed ? magnitudeBits + 1 : magnitudeBits);
}

/** Refuses a bit width that is not an integer of `low … high`. @throws QuantError naming `what` and the limits. */
export function checkBits(op: string, what: string, bits: number, low = 1, high = MAX_BITS): void {
  if (!Number.isInteger(bits) || bits < low || bits > high)
    throw new QuantError(op, `${what} must be an integer from ${low} to ${high}; got ${bits}`);
}
