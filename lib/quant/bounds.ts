import { asBoolean, asChoice, asOptions } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import { checkBits, type IntegerFormat } from './integerRange.js';

/**
 * The bounds of A2Q (arXiv 2308.13504, eq. 15) and A2Q+ (arXiv 2401.10432, eq. 10) in the integer domain: how large
 * ‖q‖₁ of one output channel may be so that no N-bit input overflows a signed P-bit accumulator, and the same question
 * turned around. Widths are answered by exact integer arithmetic, never by logarithms of floats.
 */

/** `a2q` bounds any weights; `a2q+` bounds weights whose float values were centred to mean zero before truncation. */
export type BoundKind = 'a2q' | 'a2q+';

export const BOUND_KINDS: readonly BoundKind[] = ['a2q', 'a2q+'];

/**
 * The cap T on ‖q‖₁ of one channel: A2Q `(2^(P−1) − 1) / 2^(N−1s)`, A2Q+ `(2^P − 2) / (2^N − 1)`.
 *
 * Below 1 the channel can hold no weight: `checkedL1Budget` refuses that. In float units the cap is `s·T`. A float64
 * holds A2Q's T exactly; A2Q+'s, and both in float32, may be rounded up: `fitAccumulator` takes off what exceeds P.
 * @throws QuantError if P or N is not an integer of 1 … 32; ArgumentError for another kind.
 * @example
 * l1Budget('a2q', 16, { bits: 4, signed: false }); // 2047.9375
 * l1Budget('a2q+', 16, { bits: 4, signed: false }); // 4368.93…
 */
export function l1Budget(kind: BoundKind, accumulatorBits: number, input: IntegerFormat): number {
  checkKind('l1Budget', kind);
  checkBits('l1Budget', 'accumulator bits P', accumulatorBits);
  checkInput('l1Budget', input);
  return kind === 'a2q'
    ? (2 ** (accumulatorBits - 1) - 1) / 2 ** magnitudeBits(input)
    : (2 ** accumulatorBits - 2) / (2 ** input.bits - 1);
}

/**
 * `l1Budget` for training: refuses an accumulator that can hold no nonzero weight at all.
 *
 * A2Q+ splits T₊ between the signs and needs T₊ ≥ 2; T₊ is below 1 at P = N, 2 at N + 1: `T < 1` tests both kinds.
 * @throws QuantError if T < 1, with the smallest P that would do.
 */
export function checkedL1Budget(op: string, kind: BoundKind, accumulatorBits: number, input: IntegerFormat): number {
  const budget = l1Budget(kind, accumulatorBits, input);
  if (budget >= 1) return budget;
  throw new QuantError(
    op,
    `an accumulator of ${accumulatorBits} bits cannot hold any weight under ${kind} with ${formatName(input)} inputs ` +
      `(l1 budget ${Number(budget.toPrecision(3))} < 1); use P ≥ ${smallestAccumulatorBits(kind, input)}`,
  );
}

/** How much larger A2Q+'s budget is: `T₊ / T = 2^(N+1−1s) / (2^N − 1)`, whatever P. @throws QuantError on bad N. */
export function budgetGain(input: IntegerFormat): number {
  checkInput('budgetGain', input);
  return 2 ** (magnitudeBits(input) + 1) / (2 ** input.bits - 1);
}

/**
 * Least P (may exceed 32) for ‖q‖₁ = l1: A2Q `2^(P−1) − 1 ≥ l1·2^(N−1s)`, A2Q+ `2^P − 2 ≥ l1·(2^N − 1)`; 1 for 0.
 *
 * @param l1 norm of one channel's integer weights, a non-negative integer.
 * @throws QuantError if `l1` is not such an integer, or on bad N.
 */
export function minAccumulatorBits(kind: BoundKind, l1: number | bigint, input: IntegerFormat): number {
  checkKind('minAccumulatorBits', kind);
  if (typeof l1 === 'number' || l1 < 0n) checkCount('minAccumulatorBits', 'l1 norm of integer weights', Number(l1), 0);
  checkInput('minAccumulatorBits', input);
  return exactBits(kind, BigInt(l1), input);
}

/** The smallest P that admits a weight of ±1: N + 2 − 1s for A2Q, N + 1 for A2Q+. @throws QuantError on bad N. */
export function smallestAccumulatorBits(kind: BoundKind, input: IntegerFormat): number {
  return minAccumulatorBits(kind, 1, input);
}

/**
 * The data-type bound, which knows only K, M and N: `P* = ⌈a + log2(1 + 2^−a) + 1⌉`, `a = log2 K + N + M − 1 − 1s`
 * (A2Q, eq. 9). It is A2Q's answer for K weights of magnitude 2^(M−1); no training is needed at P ≥ P*.
 *
 * @param length K, terms of one dot product.
 * @param weightBits M.
 * @throws QuantError if K is not a positive integer, M or N not an integer of 1 … 32.
 * @example
 * dataTypeAccumulatorBits(4608, 3, { bits: 3, signed: false }); // 19: ResNet18, W3A3
 */
export function dataTypeAccumulatorBits(length: number, weightBits: number, input: IntegerFormat): number {
  checkCount('dataTypeAccumulatorBits', 'dot product length K', length, 1);
  checkBits('dataTypeAccumulatorBits', 'weight bits M', weightBits);
  checkInput('dataTypeAccumulatorBits', input);
  return exactBits('a2q', BigInt(length) << BigInt(weightBits - 1), input);
}

/** The smallest P with `2^(P−1) > l1·2^(N−1s)` (A2Q) or `2^P > l1·(2^N − 1) + 1` (A2Q+). */
function exactBits(kind: BoundKind, l1: bigint, input: IntegerFormat): number {
  return kind === 'a2q'
    ? 1 + bitLength(l1 << BigInt(magnitudeBits(input)))
    : bitLength(l1 * ((1n << BigInt(input.bits)) - 1n) + 1n);
}

/** The smallest b with `2^b > n`, for n ≥ 0. */
function bitLength(n: bigint): number {
  return n === 0n ? 0 : n.toString(2).length;
}

/** N − 1s: `2^(N−1s)` bounds the magnitude of an input. */
function magnitudeBits(input: IntegerFormat): number {
  return input.bits - (input.signed ? 1 : 0);
}

function formatName(format: IntegerFormat): string {
  return `${format.signed ? 'signed' : 'unsigned'} ${format.bits}-bit`;
}

function checkKind(op: string, kind: BoundKind): void {
  asChoice(op, 'the kind of bound', kind, BOUND_KINDS);
}

function checkInput(op: string, input: IntegerFormat): void {
  const { bits, signed } = asOptions(op, input, 'the input format');
  checkBits(op, 'input bits N', bits);
  asBoolean(op, 'signed of the input', signed);
}

function checkCount(op: string, what: string, value: number, low: number): void {
  if (!Number.isSafeInteger(value) || value < low)
    throw new QuantError(op, `${what} must be an integer of at least ${low}; got ${value}`);
}
