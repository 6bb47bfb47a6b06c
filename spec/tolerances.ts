import type { DType } from '../lib/tensor/storage.js';

/**
 * How far a kernel may be from its oracle, as `max|got − want| ≤ tolerance·max(1, max|want|)`. What is not listed here
 * is exact: integers, comparisons, rounding, moves, and single correctly rounded operations.
 */
export interface Tolerances {
  /** Exponentials, logarithms, tanh, sigmoid. */
  readonly transcendental: number;
  /** Sums and sums of products, per output. */
  readonly accumulated: number;
  /** Sums over tens of thousands. */
  readonly longSum: number;
  /** Mean, variance and batch norm, whose errors cancel less well. */
  readonly normalized: number;
  /** A few elementwise operations in a row. */
  readonly chained: number;
}

export const TOLERANCES: Readonly<Record<Exclude<DType, 'int32'>, Tolerances>> = {
  float32: { transcendental: 1e-6, accumulated: 4e-6, longSum: 4e-5, normalized: 1e-5, chained: 1e-6 },
  float64: { transcendental: 1e-15, accumulated: 1e-14, longSum: 1e-11, normalized: 1e-13, chained: 1e-15 },
};
