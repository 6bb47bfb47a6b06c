import { asNumbers, asOptions } from '../tensor/argument.js';
import { QuantError, ShapeError } from '../tensor/errors.js';
import { accumulatorRange, bitsToHold } from './integerRange.js';

/**
 * The exact test of integer weights: the only statement about overflow that counts as a proof.
 *
 * With α = Σ of the positive q and β = Σ of the negative q of a channel, the largest sum any inputs in [c, d] can reach
 * is `d·α + c·β`, the smallest `c·α + d·β`. As 0 ∈ [c, d], leaving terms out only moves a sum inward, so both bound
 * every partial sum in every order, and with that wrapping, saturating, pairwise, vectorised and tiled accumulation.
 */

/** The integer inputs `[c, d]` a channel may meet; holds 0, and fits int32. */
export interface InputBounds {
  /** c ≤ 0. */
  readonly low: number;
  /** d ≥ 0. */
  readonly high: number;
}

/** What the weights of one channel can do to an accumulator. */
export interface WorstCase {
  /** α, sum of the positive weights. */
  readonly alpha: number;
  /** β ≤ 0, sum of the negative weights. */
  readonly beta: number;
  /** ‖q‖₁ = α − β. */
  readonly l1: number;
  /** Largest partial sum over all inputs and orders. */
  readonly max: number;
  /** Smallest partial sum over all inputs and orders. */
  readonly min: number;
  /** Narrowest accumulator that never overflows; may exceed 32. */
  readonly safeBits: number;
}

/** A channel's worst case beside a P-bit accumulator. */
export interface ChannelTest extends WorstCase {
  /** Whether P ≥ safeBits. */
  readonly safe: boolean;
  /** The worst case's share of the accumulator: the larger of `max/(2^(P−1) − 1)` and `min/−2^(P−1)`; >1 overflows. */
  readonly utilisation: number;
}

/** The verdict on a layer: safe if every channel is. */
export interface LayerTest {
  readonly accumulatorBits: number;
  readonly input: InputBounds;
  readonly safe: boolean;
  /** Narrowest accumulator that is safe for all channels. */
  readonly safeBits: number;
  /** The fullest channel's. */
  readonly utilisation: number;
  readonly channels: readonly ChannelTest[];
}

/** Inputs that drive a channel to its extremes, `[K]` each. */
export interface Witness {
  readonly max: Int32Array;
  readonly min: Int32Array;
}

/**
 * The worst case of one channel: `max = d·α + c·β`, `min = c·α + d·β`.
 *
 * @param q `[K]` integer weights (any numeric array).
 * @param input [c, d], the integers the inputs can be.
 * @param bias integer counted as one more term, at any moment; 0 if a wider register adds it afterwards.
 * @throws QuantError if a weight or the bias is no integer, the range lacks 0 or exceeds int32, or the sums reach 2^53.
 */
export function worstCase(q: ArrayLike<number>, input: InputBounds, bias = 0): WorstCase {
  checkInput(input);
  asNumbers('worstCase', 'q', q);
  let alpha = 0;
  let beta = 0;
  for (let k = 0; k < q.length; k++) {
    const weight = q[k];
    if (!Number.isInteger(weight)) throw new QuantError('worstCase', `weight ${k} is no integer; got ${weight}`);
    if (weight > 0) alpha += weight;
    else beta += weight;
  }
  if (!Number.isInteger(bias)) throw new QuantError('worstCase', `bias must be an integer; got ${bias}`);

  const l1 = alpha - beta;
  // Rounding is monotone, so a float bound below 2^53 shows that no sum or product above or below was rounded.
  const magnitude = l1 * Math.max(-input.low, input.high) + Math.abs(bias);
  if (Math.max(l1, magnitude) >= Number.MAX_SAFE_INTEGER)
    throw new QuantError('worstCase', `sums reach ${magnitude}, beyond the 2^53 this test is exact for`);
  // `+ 0` turns −0 into 0.
  const max = input.high * alpha + input.low * beta + Math.max(bias, 0) + 0;
  const min = input.low * alpha + input.high * beta + Math.min(bias, 0) + 0;
  return { alpha, beta, l1, max, min, safeBits: bitsToHold(min, max) };
}

/**
 * The exact test of a layer: which channels a P-bit two's complement accumulator serves without overflow.
 *
 * @param q `[channels, K]` row-major integer weights.
 * @param channels number of rows; one row is one accumulator.
 * @param input [c, d]; `inputRange` gives that of a format.
 * @param accumulatorBits P, 1 to 32.
 * @param bias `[channels]`, if the accumulator holds it too; see `worstCase`.
 * @throws ShapeError if the rows are uneven or the biases miscounted; QuantError as `worstCase` and on a bad P.
 * @example
 * testAccumulator([1, -2, 3, 0], 2, { low: 0, high: 15 }, 7).channels[1].max; // 45
 */
export function testAccumulator(
  q: ArrayLike<number>,
  channels: number,
  input: InputBounds,
  accumulatorBits: number,
  bias?: ArrayLike<number>,
): LayerTest {
  const length = asNumbers('testAccumulator', 'q', q).length / channels;
  if (!Number.isInteger(channels) || channels < 1 || !Number.isInteger(length))
    throw new ShapeError('testAccumulator', `${q.length} weights do not make ${channels} equal rows`);
  if (bias !== undefined && bias.length !== channels)
    throw new ShapeError('testAccumulator', `wants one bias per channel; got ${bias.length} for ${channels}`);

  const register = accumulatorRange(accumulatorBits);
  const rows = new Float64Array(q);
  const tests = Array.from({ length: channels }, (_, channel): ChannelTest => {
    const worst = worstCase(rows.subarray(channel * length, (channel + 1) * length), input, bias?.[channel]);
    const utilisation = Math.max(share(worst.max, register.high), share(worst.min, register.low));
    return { ...worst, safe: worst.safeBits <= accumulatorBits, utilisation };
  });
  return {
    accumulatorBits,
    input: { low: input.low, high: input.high },
    safe: tests.every((test) => test.safe),
    safeBits: tests.reduce((most, test) => Math.max(most, test.safeBits), 1),
    utilisation: tests.reduce((most, test) => Math.max(most, test.utilisation), 0),
    channels: tests,
  };
}

/**
 * The inputs that reach a channel's extremes: for `max`, d where q > 0, c where q < 0; for `min` the reverse; else 0.
 *
 * @param q `[K]` integer weights.
 * @throws QuantError if the range lacks 0 or exceeds int32.
 */
export function witness(q: ArrayLike<number>, input: InputBounds): Witness {
  checkInput(input);
  asNumbers('witness', 'q', q);
  const pick = (positive: number, negative: number) =>
    Int32Array.from(q, (weight) => (weight > 0 ? positive : weight < 0 ? negative : 0));
  return { max: pick(input.high, input.low), min: pick(input.low, input.high) };
}

/** `value / limit`, with nothing of nothing being nothing (a 1-bit register has no positive side). */
function share(value: number, limit: number): number {
  return value === 0 ? 0 : value / limit;
}

function checkInput(input: InputBounds): void {
  const { low, high } = asOptions('accumulator', input, 'the range of inputs');
  if (!Number.isInteger(low) || !Number.isInteger(high) || low > 0 || high < 0 || low < -(2 ** 31) || high >= 2 ** 31)
    throw new QuantError('accumulator', `input range must hold 0 and fit int32; got ${low} … ${high}`);
}
