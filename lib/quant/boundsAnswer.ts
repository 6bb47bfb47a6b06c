import { asOptions } from '../tensor/argument.js';
import {
  type BoundKind,
  budgetGain,
  dataTypeAccumulatorBits,
  l1Budget,
  minAccumulatorBits,
  smallestAccumulatorBits,
} from './bounds.js';
import { type IntegerFormat, weightRange } from './integerRange.js';

/** What a user asks of `a2q bounds`. */
export interface BoundsQuestion {
  /** K, terms of one dot product. */
  readonly length: number;
  /** M. */
  readonly weightBits: number;
  /** N and 1s. */
  readonly input: IntegerFormat;
  /** P; left out, only the widths are answered. */
  readonly accumulatorBits?: number;
}

/** What one bound allows at a given P. */
export interface BudgetAnswer {
  /** T, the cap on ‖q‖₁ of a channel. */
  readonly budget: number;
  /** T / K: the mean |q| if the whole budget were spent. */
  readonly meanMagnitude: number;
  /** Least fraction of zero weights: the budget buys only so many ±1 (A2Q+ spends half on each sign). */
  readonly minSparsity: number;
}

/** Widths of one bound, and its budget where the question names P. */
export interface KindAnswer {
  /** Smallest P that holds any weight at all. */
  readonly smallestBits: number;
  /** Smallest P at which the cap never binds for K narrow-range M-bit weights. */
  readonly unconstrainedBits: number;
  /** Null without P, or if P holds no weight. */
  readonly atP: BudgetAnswer | null;
}

export interface BoundsAnswer {
  /** P*, the data-type bound. */
  readonly dataTypeBits: number;
  /** T₊ / T. */
  readonly gain: number;
  readonly kinds: Readonly<Record<BoundKind, KindAnswer>>;
}

/** Everything `a2q bounds` prints about a layer of K terms at W(M)A(N). @throws QuantError on bad K, M, N or P. */
export function answerBounds(question: BoundsQuestion): BoundsAnswer {
  const { length, weightBits, input, accumulatorBits } = asOptions('answerBounds', question, 'the question');
  const dataTypeBits = dataTypeAccumulatorBits(length, weightBits, input);
  const largest = BigInt(length) * BigInt(weightRange(weightBits).high);
  const answer = (kind: BoundKind): KindAnswer => ({
    smallestBits: smallestAccumulatorBits(kind, input),
    unconstrainedBits: minAccumulatorBits(kind, largest, input),
    atP: accumulatorBits === undefined ? null : budgetAnswer(kind, accumulatorBits, input, length),
  });
  return { dataTypeBits, gain: budgetGain(input), kinds: { a2q: answer('a2q'), 'a2q+': answer('a2q+') } };
}

function budgetAnswer(kind: BoundKind, bits: number, input: IntegerFormat, length: number): BudgetAnswer | null {
  const budget = l1Budget(kind, bits, input);
  if (budget < 1) return null;
  const ones = kind === 'a2q' ? Math.floor(budget) : 2 * Math.floor(budget / 2);
  return { budget, meanMagnitude: budget / length, minSparsity: Math.max(0, 1 - ones / length) };
}
