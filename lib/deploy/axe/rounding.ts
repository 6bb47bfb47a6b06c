import { roundHalfEven } from '../../tensor/float32.js';
import type { ChannelRegisters } from './registers.js';

/** How the error of rounding one weight is made up for by those after it. */
export const ROUNDINGS = ['gpfq', 'gptq', 'nearest'] as const;
export type Rounding = (typeof ROUNDINGS)[number];

/**
 * Second moments of what a dot product of length K sees on data: x̃ the quantized inputs, x those of the network in
 * floats, one row of each for an output.
 */
export interface Moments {
  /** `Σ x̃·x̃ᵀ`, `[K, K]`. */
  readonly quantized: Float64Array;
  /** `Σ x̃·xᵀ`, `[K, K]`. */
  readonly cross: Float64Array;
}

/** Rounds the channels of one layer, or of one group of it, one weight after the other. */
export interface RowRounder {
  /**
   * @param weights `[K]` in steps of the channel's grid @param limit Q
   * @param registers that the integers must fit; null for any
   * @returns `[K]` integers
   */
  round(weights: Float64Array, limit: number, registers: ChannelRegisters | null): Float64Array;
  /** `Σ (q·x̃ − w·x)²` but for what does not depend on q; of weights and integers in steps. */
  error(weights: Float64Array, q: Float64Array): number;
}

/**
 * The walk of a rounding. Weights go in descending order of the second moment of their inputs (as GPTQ's `act-order`).
 *
 * * `gpfq` (Lybrand and Saab 2021): weight i becomes the multiple of x̃ᵢ nearest to what the output still lacks,
 *   `(Σ_{j≤i} wⱼ·⟨x̃ᵢ, xⱼ⟩ − Σ_{j<i} qⱼ·⟨x̃ᵢ, x̃ⱼ⟩) / ⟨x̃ᵢ, x̃ᵢ⟩`: in this form moments are all it needs.
 * * `gptq` (Frantar et al. 2023): `wᵢ + Σ_{j<i} Rⱼᵢ·(wⱼ − qⱼ) / Rᵢᵢ` with `H = R·Rᵀ`, R upper triangular, of the damped
 *   moments H. That is the conditional minimum that Cholesky's factor of the inverse leads to, without an inverse.
 * * `nearest`: wᵢ.
 */
export function rowRounder(rounding: Rounding, moments: Moments | null): RowRounder {
  if (moments === null) {
    return {
      round: (weights, limit, registers) => walk(weights, limit, registers, naturalOrder(weights.length), own),
      error: (weights, q) => q.reduce((sum, value, k) => sum + value * (value - 2 * weights[k]), 0),
    };
  }
  const { quantized, cross } = moments;
  const length = Math.sqrt(quantized.length);
  const order = descending(length, (k) => quantized[k * length + k]);
  const target = TARGETS[rounding](permuted(quantized, order), permuted(cross, order), length);
  return {
    round: (weights, limit, registers) => walk(weights, limit, registers, order, target),
    error(weights, q) {
      let sum = 0;
      for (let i = 0; i < length; i++) {
        if (q[i] === 0) continue;
        let inner = 0;
        for (let j = 0; j < length; j++)
          inner += q[j] * quantized[i * length + j] - 2 * weights[j] * cross[i * length + j];
        sum += q[i] * inner;
      }
      return sum;
    },
  };
}

/** What a rounding wants weight i to be; moments in the order of the walk. */
const TARGETS: Readonly<Record<Rounding, (a: Float64Array, c: Float64Array, length: number) => Target>> = {
  gpfq: (a, c, length) => (i, w, q) => {
    const row = i * length;
    if (!(a[row + i] > 0)) return w[i];
    let sum = w[i] * c[row + i];
    for (let j = 0; j < i; j++) sum += w[j] * c[row + j] - q[j] * a[row + j];
    return sum / a[row + i];
  },
  gptq: (a, _, length) => {
    const factor = upperFactor(damped(a));
    return (i, w, q) => {
      let sum = 0;
      const row = i * length;
      for (let j = 0; j < i; j++) sum += factor[row + j] * (w[j] - q[j]);
      return w[i] + sum / factor[row + i];
    };
  },
  nearest: () => own,
};

/** What weight i should be, given those before it; both in the order of the walk. */
type Target = (i: number, w: Float64Array, q: Float64Array) => number;

const own: Target = (i, w) => w[i];

function walk(
  weights: Float64Array,
  limit: number,
  registers: ChannelRegisters | null,
  order: Int32Array,
  target: Target,
): Float64Array {
  const w = Float64Array.from(order, (k) => weights[k]);
  const q = new Float64Array(w.length);
  const out = new Float64Array(w.length);
  for (let i = 0; i < q.length; i++) {
    const k = order[i];
    const wanted = target(i, w, q);
    const rounded = roundHalfEven(registers ? registers.shrink(k, wanted) : wanted);
    const clipped = Math.min(limit, Math.max(-limit, rounded));
    q[i] = registers ? registers.take(k, clipped) : clipped;
    out[k] = q[i] + 0;
  }
  return out;
}

function naturalOrder(length: number): Int32Array {
  return Int32Array.from({ length }, (_, k) => k);
}

/** Indices in descending order of a number, equal ones as they come. */
function descending(length: number, of: (k: number) => number): Int32Array {
  return naturalOrder(length).sort((a, b) => of(b) - of(a) || a - b);
}

function permuted(matrix: Float64Array, order: Int32Array): Float64Array {
  const length = order.length;
  const out = new Float64Array(matrix.length);
  for (let i = 0; i < length; i++) {
    for (let j = 0; j < length; j++) out[i * length + j] = matrix[order[i] * length + order[j]];
  }
  return out;
}

/** Share of the mean diagonal that GPTQ adds to it. */
const DAMPING = 0.01;

function damped(h: Float64Array): Float64Array {
  const length = Math.sqrt(h.length);
  let trace = 0;
  for (let i = 0; i < length; i++) trace += h[i * length + i];
  const added = trace > 0 ? (DAMPING * trace) / length : 1;
  const out = h.slice();
  for (let i = 0; i < length; i++) out[i * length + i] += added;
  return out;
}

/** Rᵀ, lower triangular and row-major, of the positive definite `H = R·Rᵀ` with R upper triangular. */
export function upperFactor(h: Float64Array): Float64Array {
  const length = Math.sqrt(h.length);
  // R is built from its last column, row-major, so that sums run along rows.
  const r = new Float64Array(h.length);
  for (let j = length - 1; j >= 0; j--) {
    for (let i = j; i >= 0; i--) {
      let sum = h[i * length + j];
      for (let k = j + 1; k < length; k++) sum -= r[i * length + k] * r[j * length + k];
      r[i * length + j] = i === j ? Math.sqrt(sum) : sum / r[j * length + j];
    }
  }
  const transposed = new Float64Array(h.length);
  for (let i = 0; i < length; i++) for (let j = i; j < length; j++) transposed[j * length + i] = r[i * length + j];
  return transposed;
}
