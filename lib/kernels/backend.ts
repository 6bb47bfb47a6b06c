import type { Shape } from '../tensor/shape.js';
import type { Device, DType } from '../tensor/storage.js';
import type { View } from '../tensor/view.js';
import type { FastPaths, IntegerBound } from './fast.js';
import type { Window } from './geometry.js';
import type { BINARY, UNARY } from './reference/elementwise.js';
import type { Ran } from './trace.js';

/**
 * The contract between the tensors and the machine.
 *
 * Every kernel reads views (any strides, offset, stride 0 for broadcast axes; operands on this backend, of one dtype,
 * shapes already checked) and returns a fresh contiguous view it has allocated. Kernels neither validate nor warn, and
 * know nothing of gradients. `RequiredKernels` is all that a new backend must write: every row of the table of
 * primitives is composed of them. Where a composition is slow a backend may offer a fast path (`fast.ts`).
 */

/** Elementwise functions of one operand. `exp2` is 2^x; `roundHalfEven` rounds ties to even, `trunc` toward zero. */
export type UnaryOp = keyof typeof UNARY;

/** Elementwise functions of two operands of one shape. Comparisons give 1 or 0 in the operands' dtype. */
export type BinaryOp = keyof typeof BINARY;

export type ReduceOp = 'sum' | 'max';

/** What a backend must write. */
export interface RequiredKernels {
  fill(shape: Shape, value: number, dtype: DType): View;
  /** A contiguous copy of any view. */
  copy(x: View): View;
  /** Writes `x` into the elements of `into`, a view of equal shape into the caller's storage. Views do not overlap. */
  copyInto(x: View, into: View): void;
  unary(op: UnaryOp, x: View): View;
  binary(op: BinaryOp, a: View, b: View): View;
  /** Elementwise `condition ≠ 0 ? a : b`; three views of one shape. */
  where(condition: View, a: View, b: View): View;
  /** Collapses `axes` (ascending, not empty) to extent 1. The maximum of no elements is −∞. */
  reduce(op: ReduceOp, x: View, axes: readonly number[]): View;
  /** `a [B, m, k] · b [B, k, n] → [B, m, n]`. */
  matmul(a: View, b: View): View;
  /** `x [N, C, H, W] → [N, C, kh·kw, oh·ow]`: every window as a column, zeros outside the image. */
  im2col(x: View, window: Window): View;
  /** The adjoint of `im2col`: adds every column back into an image of `shape` `[N, C, H, W]`. */
  col2im(columns: View, shape: Shape, window: Window): View;
  /**
   * Rows of integers `q [O, K]`, −limit … limit, as the accumulator holds them: a weight is kept, or reduced to the
   * most that fits beside those before it. Exact, whatever the sums. NaN stays NaN and counts nothing.
   */
  fitAccumulator(q: View, bound: IntegerBound): View;
}

/** Memory, the required kernels, and whatever is faster than its composition. */
export interface Backend extends Device, RequiredKernels {
  readonly fast?: FastPaths;
  /** What the work since the last call ran on, for `explain`; absent where there is nothing to tell. */
  ran?(): Ran;
}
