import type { View } from '../../tensor/view.js';
import type { FusedKernels, WeightBound } from '../backend.js';
import { add, div, lessEqual, maximum, minimum, mul, reductionSize, sub, sum, unary } from '../value.js';
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
} satisfies Partial<FusedKernels>;

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
