import type { FastRows } from '../lib/kernels/fast.js';
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

/** How results are compared: the same numbers, `max|want|`-scaled tolerance, or tolerance of each number's own size. */
export type Comparison = 'exact' | { readonly tolerance: number } | { readonly relative: number };

/** How far outputs and gradients of a row may be from an oracle, and a fast path from the row's composition. */
interface RowTolerances {
  readonly value: Comparison;
  readonly gradient: Comparison;
}

const both = (comparison: Comparison): RowTolerances => ({ value: comparison, gradient: comparison });

/** The same for every row that backends may speed up. */
export const ROW_TOLERANCES: Readonly<Record<keyof FastRows, (tolerances: Tolerances) => RowTolerances>> = {
  conv2d: ({ accumulated }) => both({ tolerance: accumulated }),
  maxPool2d: ({ accumulated }) => ({ value: 'exact', gradient: { tolerance: accumulated } }),
  upsampleNearest: ({ accumulated }) => ({ value: 'exact', gradient: { tolerance: accumulated } }),
  batchNorm: ({ normalized }) => both({ tolerance: 2 * normalized }),
  batchNormQuantize: ({ normalized }) => both({ tolerance: 2 * normalized }),
  kthSmallest: () => both('exact'),
  powerScale: ({ transcendental }) => both({ relative: 4 * transcendental }),
  fakeQuantize: ({ chained, accumulated }) => ({ value: { tolerance: chained }, gradient: { tolerance: accumulated } }),
  dequantize: () => both('exact'),
  a2qWeights: ({ chained, accumulated }) => ({
    value: { tolerance: 4 * chained },
    gradient: { tolerance: 4 * accumulated },
  }),
  a2qPenalty: ({ accumulated }) => both({ tolerance: accumulated }),
};
