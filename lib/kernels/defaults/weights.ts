import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { AccumulatorBound, FusedKernels, WeightBound } from '../backend.js';
import {
  add,
  backendOf,
  div,
  greater,
  lessEqual,
  maximum,
  minimum,
  mul,
  reductionSize,
  reshape,
  sub,
  sum,
  unary,
  where,
} from '../value.js';
import { compose } from './compose.js';

const SMALLEST = 1e-10;
const ALONG = [1];

/** Accumulator-aware weights, one row a channel. */
export const weights = {
  boundWeights: compose((w: View, norm: View, scale: View, bound: WeightBound) => {
    const { t } = truncated(w, norm, bound);
    return mul(clipped(t, bound), scale);
  }),

  boundWeightsGrad: compose((g: View, w: View, norm: View, scale: View, bound: WeightBound) => {
    const { v, l1, p, u, t } = truncated(w, norm, bound);
    const passed = mul(mul(g, scale), lessEqual(unary('abs', t), bound.limit));
    const toPre = unary('neg', div(sum(mul(passed, u), ALONG), p));
    const toL1 = div(toPre, norm);
    const toV = add(div(passed, p), mul(unary('sign', v), toL1));
    return {
      w: bound.centred ? sub(toV, meanOf(toV)) : toV,
      norm: unary('neg', div(mul(toPre, l1), unary('square', norm))),
      scale: sum(mul(g, clipped(t, bound)), ALONG),
    };
  }),

  a2qWeights: compose((w: View, d: View, t: View, bound: AccumulatorBound) => {
    const { s, r } = scaleAndNorm(d, t, bound.budget);
    return reshape(backendOf(w).boundWeights(asRows(w), r, s, bound), w.shape);
  }),

  a2qWeightsGrad: compose((gradient: View, w: View, d: View, t: View, bound: AccumulatorBound) => {
    const { s, ratio, r } = scaleAndNorm(d, t, bound.budget);
    const grads = backendOf(w).boundWeightsGrad(asRows(gradient), asRows(w), r, s, bound);
    const toRatio = where(lessEqual(ratio, bound.budget), grads.norm, 0);
    const toNorm = div(toRatio, s);
    const toScale = sub(grads.scale, mul(toNorm, ratio));
    return { w: reshape(grads.w, w.shape), d: throughPower(toScale, d), t: throughPower(toNorm, t) };
  }),

  a2qPenalty: compose((d: View, t: View, budget: number) => reshape(sum(unary('relu', excess(d, t, budget)), [0]), [])),

  a2qPenaltyGrad: compose((gradient: View, d: View, t: View, budget: number) => {
    const toNorm = mul(greater(excess(d, t, budget), 0), gradient);
    return { d: throughPower(mul(toNorm, -budget), d), t: throughPower(toNorm, t) };
  }),
} satisfies Partial<FusedKernels>;

/** `max(2^x, 1e-10)` as a column `[O, 1]`. */
function power(x: View): View {
  return reshape(maximum(unary('exp2', x), SMALLEST), [sizeOf(x.shape), 1]);
}

/** s = 2^d, g/s with g = 2^t, and r = min(g/s, T). */
function scaleAndNorm(d: View, t: View, budget: number): Record<'s' | 'ratio' | 'r', View> {
  const s = power(d);
  const ratio = div(power(t), s);
  return { s, ratio, r: minimum(ratio, budget) };
}

/** g − T·s, `[O, 1]`. */
function excess(d: View, t: View, budget: number): View {
  return sub(power(t), mul(power(d), budget));
}

/** The gradient to `x` from that to `2^x`, whose floor passes it on. */
function throughPower(gradient: View, x: View): View {
  return mul(mul(reshape(gradient, x.shape), unary('exp2', x)), Math.LN2);
}

function asRows(w: View): View {
  return reshape(w, [w.shape[0], sizeOf(w.shape.slice(1))]);
}

/** v, ‖v‖₁, the pre-scale p, u = v/p and its truncation t. */
function truncated(w: View, norm: View, { centred }: WeightBound): Record<'v' | 'l1' | 'p' | 'u' | 't', View> {
  const v = centred ? sub(w, meanOf(w)) : w;
  const l1 = sum(unary('abs', v), ALONG);
  const p = maximum(div(l1, norm), SMALLEST);
  const u = div(v, p);
  return { v, l1, p, u, t: unary('trunc', u) };
}

function clipped(t: View, { limit }: WeightBound): View {
  return minimum(maximum(t, -limit), limit);
}

function meanOf(x: View): View {
  return div(sum(x, ALONG), reductionSize(x.shape, ALONG));
}
