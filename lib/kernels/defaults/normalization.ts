import type { View } from '../../tensor/view.js';
import type { FusedKernels } from '../backend.js';
import { add, div, mul, reductionSize, reshape, sub, sum, unary } from '../value.js';
import { axesButChannel, compose, perChannel } from './compose.js';

/** Statistics and affine maps per channel (axis 1), and the gradient of batch norm in training. */
export const normalization = {
  /** Two passes: the variance is the mean square of what the mean leaves, so that large means cost no digits. */
  channelStats: compose((x: View) => {
    const axes = axesButChannel(x);
    const count = reductionSize(x.shape, axes);
    const mean = div(sum(x, axes), count);
    const variance = div(sum(unary('square', sub(x, mean)), axes), count);
    return { mean: reshape(mean, [x.shape[1]]), variance: reshape(variance, [x.shape[1]]) };
  }),

  channelAffine: compose((x: View, mean: View, scale: View, shift: View) =>
    add(mul(sub(x, perChannel(mean, x)), perChannel(scale, x)), perChannel(shift, x)),
  ),

  batchNormGrad: compose((g: View, x: View, mean: View, rstd: View, weight: View) => {
    const axes = axesButChannel(x);
    const count = reductionSize(x.shape, axes);
    const normalized = mul(sub(x, perChannel(mean, x)), perChannel(rstd, x));
    const bias = sum(g, axes);
    const slope = sum(mul(g, normalized), axes);
    const centred = sub(sub(g, div(bias, count)), mul(normalized, div(slope, count)));
    return {
      x: mul(centred, perChannel(mul(weight, rstd), x)),
      weight: reshape(slope, weight.shape),
      bias: reshape(bias, weight.shape),
    };
  }),
} satisfies Partial<FusedKernels>;
