import { fastRow, type Row } from '../autograd/row.js';
import { SMALLEST } from '../autograd/rows/quantization.js';
import { apply } from '../autograd/tape.js';
import type { AccumulatorBound } from '../kernels/fast.js';
import * as v from '../kernels/value.js';
import { offer } from '../kernels/wasm/fast.js';
import { weightKernels } from '../kernels/wasm/weights.js';
import { asInteger, asNumber, asOptions } from '../tensor/argument.js';
import { ShapeError } from '../tensor/errors.js';
import { MAX_FLOAT_INTEGER } from '../tensor/float32.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { View } from '../tensor/view.js';

offer(weightKernels);

/**
 * The method of both papers: A2Q (arXiv 2308.13504, eq. 17–23) and A2Q+ (arXiv 2401.10432, eq. 12). Weights w of one
 * output channel are normalised to a learned l1 norm g that is capped so that no P-bit accumulator overflows:
 *
 *     s = 2^d,  g = 2^t                          learned, one of each per output channel
 *     v = w  (A2Q)   or   w − μ_w  (A2Q+)        the trained weights, centred in A2Q+
 *     r = min(g/s, T)                            T: the cap on ‖q‖₁, `l1Budget` in bounds.ts
 *     q = clip(trunc(v/‖v‖₁ · r), −Q, Q)         integers, Q = 2^(M−1) − 1
 *     q = fitAccumulator(q)                      the same, except where rounding of floats made it exceed P bits
 *     w̃ = s·q                                    what the layer computes with
 *
 * Two rows in the vocabulary that users write theirs in: value, straight-through gradient, and the penalty on g. `v.`
 * is arithmetic on views; a backend may do each in one pass over memory, and is held to what stands here.
 */
export const a2qRows = {
  /** w̃ of `w [O, …]`, `d [O]`, `t [O]`. */
  a2qWeights: fastRow('a2qWeights', {
    shape: ([w, d, t]) => {
      checkChannels('a2qWeights', w, d, t);
      return w;
    },
    value: ([w, d, t], bound) => {
      const { s, r } = scaleAndNorm(d, t, bound);
      const { truncated } = onGrid(rowsOf(w), r, bound);
      return v.reshape(v.mul(v.fitAccumulator(clip(truncated, bound), bound), s), w.shape);
    },
    saves: [0, 1, 2],
    /**
     * Straight through (A2Q, section 4.2): trunc has slope 1, the clip blocks where trunc(u) is outside −Q … Q, `min`
     * passes to g and s where g/s ≤ T, floors pass; ‖v‖₁ (slope sign(v)) and the mean are differentiated. What
     * `fitAccumulator` takes off counts as a rounding.
     */
    vjp: (gradient, { input, attrs: bound }) => {
      const [w, d, t] = [input(0), input(1), input(2)];
      const { s, ratio, r } = scaleAndNorm(d, t, bound);
      const { centred, l1, p, u, truncated } = onGrid(rowsOf(w), r, bound);
      const toOut = rowsOf(gradient);
      // Through q = u: u = v/p with p = ‖v‖₁/r.
      const toU = v.mul(v.mul(toOut, s), v.lessEqual(v.unary('abs', truncated), bound.limit));
      const toP = v.unary('neg', v.div(v.sum(v.mul(toU, u), ALONG), p));
      const toV = v.add(v.div(toU, p), v.mul(v.unary('sign', centred), v.div(toP, r)));
      const toR = v.unary('neg', v.div(v.mul(toP, l1), v.unary('square', r)));
      // Through r = min(g/s, T), and through w̃ = s·q.
      const toG = v.div(v.where(v.lessEqual(ratio, bound.budget), toR, 0), s);
      const toS = v.sub(v.sum(v.mul(toOut, clip(truncated, bound)), ALONG), v.mul(toG, ratio));
      const toRows = bound.centred ? v.sub(toV, mean(toV)) : toV;
      return [v.reshape(toRows, w.shape), throughPower(toS, d), throughPower(toG, t)];
    },
    surrogate: 'inside (v/p + ρ)·s with ρ the rounding error at the point and p = ‖v‖₁/r, outside ±Q·s',
  }),

  /** The penalty of one layer `R = Σ max(g − s·T, 0)` (A2Q, eq. 22), a scalar; of `d [O]` and `t [O]`. */
  a2qPenalty: fastRow('a2qPenalty', {
    shape: ([d, t]) => {
      checkChannels('a2qPenalty', d, d, t);
      return [];
    },
    value: ([d, t], { budget }) => v.reshape(v.sum(v.unary('relu', excess(d, t, budget)), [0]), []),
    saves: [0, 1],
    vjp: (gradient, { input, attrs: { budget } }) => {
      const [d, t] = [input(0), input(1)];
      const toG = v.mul(v.greater(excess(d, t, budget), 0), gradient);
      return [throughPower(v.mul(toG, -budget), d), throughPower(toG, t)];
    },
  }),
} satisfies Record<string, Row<never>>;

/**
 * Accumulator-aware weights on their grid, dequantized, straight through.
 *
 * @param w `[O, …]` @param d log2 of the scales s, `[O]` @param t log2 of the norms g, `[O]`
 * @returns s·q, shape of `w`
 * @throws ShapeError if d or t do not hold one number an output channel; ArgumentError on a bound of other numbers
 */
export function a2qWeights(w: Tensor, d: Tensor, t: Tensor, bound: AccumulatorBound): Tensor {
  checkBound('a2qWeights', bound);
  return apply(a2qRows.a2qWeights, [w, d, t], bound);
}

/**
 * `Σ max(g − T·s, 0)` over the channels: what pulls norms back below their cap, where `min` gives them no gradient.
 * @param d `[O]` @param t `[O]` @param budget T @returns a scalar
 * @throws ShapeError if d and t are not vectors of one length
 */
export function a2qPenalty(d: Tensor, t: Tensor, budget: number): Tensor {
  return apply(a2qRows.a2qPenalty, [d, t], { budget: asNumber('a2qPenalty', 'budget', budget) });
}

/** The axis of K. */
const ALONG = [1];

/** `w [O, …]` as `[O, K]`: one row is one dot product, one accumulator. */
function rowsOf(w: View): View {
  return v.reshape(w, [w.shape[0], sizeOf(w.shape.slice(1))]);
}

/** `max(2^x, 1e-10)` as a column `[O, 1]`. */
function power(x: View): View {
  return v.reshape(v.maximum(v.unary('exp2', x), SMALLEST), [sizeOf(x.shape), 1]);
}

/** s, g/s and r = min(g/s, T), `[O, 1]` each. */
function scaleAndNorm(d: View, t: View, { budget }: AccumulatorBound): Record<'s' | 'ratio' | 'r', View> {
  const s = power(d);
  const ratio = v.div(power(t), s);
  return { s, ratio, r: v.minimum(ratio, budget) };
}

/** v, ‖v‖₁, p = max(‖v‖₁/r, 1e-10), u = v/p and trunc(u). */
function onGrid(w: View, r: View, bound: AccumulatorBound): Record<'centred' | 'l1' | 'p' | 'u' | 'truncated', View> {
  const centred = bound.centred ? v.sub(w, mean(w)) : w;
  const l1 = v.sum(v.unary('abs', centred), ALONG);
  const p = v.maximum(v.div(l1, r), SMALLEST);
  const u = v.div(centred, p);
  return { centred, l1, p, u, truncated: v.unary('trunc', u) };
}

function clip(q: View, { limit }: AccumulatorBound): View {
  return v.minimum(v.maximum(q, -limit), limit);
}

/** μ of each row. */
function mean(x: View): View {
  return v.div(v.sum(x, ALONG), v.reductionSize(x.shape, ALONG));
}

/** g − T·s, `[O, 1]`. */
function excess(d: View, t: View, budget: number): View {
  return v.sub(power(t), v.mul(power(d), budget));
}

/** The gradient to `x` from that to `2^x`, whose floor passes it on. */
function throughPower(gradient: View, x: View): View {
  return v.mul(v.mul(v.reshape(gradient, x.shape), v.unary('exp2', x)), Math.LN2);
}

/** Throws unless the bound has every number that the guarantee rests on. */
function checkBound(op: string, bound: AccumulatorBound): void {
  const { limit, budget, accumulator } = asOptions(op, bound, 'the bound');
  const { bits, low, high } = asOptions(op, accumulator, "the bound's accumulator");
  asInteger(op, 'limit', limit, 1, MAX_FLOAT_INTEGER);
  asNumber(op, 'budget', budget);
  asInteger(op, 'bits of the accumulator', bits, 1, 32);
  asInteger(op, 'its lowest input', low, -MAX_FLOAT_INTEGER, 0);
  asInteger(op, 'its highest input', high, 0, MAX_FLOAT_INTEGER);
}

/** Throws unless d and t hold one number an output channel of w. */
function checkChannels(op: string, w: Shape, d: Shape, t: Shape): void {
  if (w.length === 0 || [d, t].some((vector) => vector.length !== 1 || vector[0] !== w[0])) {
    throw new ShapeError(op, 'd and t must be [O], one number an output channel', [w, d, t]);
  }
}
