import type { View } from '../../tensor/view.js';
import type { ChannelStats, FusedKernels, NormGradients, NormSettings } from '../backend.js';
import { add, backendOf, div, greater, mul, reductionSize, reshape, sub, sum, unary, where } from '../value.js';
import { axesButChannel, compose, type Kernels, perChannel } from './compose.js';

/** Statistics and affine maps per channel (axis 1), and batch norm in training with what follows it. */
export function normalization(k: Kernels) {
  return {
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

    normActivate: compose(
      (x: View, weight: View, bias: View, scale: View | null, settings: NormSettings, stats: ChannelStats) => {
        const { mean, variance } = backendOf(x).channelStats(x);
        k.copyInto(mean, stats.mean);
        k.copyInto(variance, stats.variance);
        const y = normalized(x, weight, bias, settings, stats);
        const { activation } = settings;
        if (activation === 'none') return y;
        return activation === 'relu' ? unary('relu', y) : backendOf(x).fakeQuantize(y, scale as View, activation);
      },
    ),

    normActivateGrad: compose(
      (
        g: View,
        x: View,
        weight: View,
        bias: View,
        scale: View | null,
        settings: NormSettings,
        stats: ChannelStats,
      ): NormGradients => {
        const y = normalized(x, weight, bias, settings, stats);
        const { activation } = settings;
        const through =
          activation === 'none'
            ? { x: g, scale: null }
            : activation === 'relu'
              ? { x: where(greater(y, 0), g, 0), scale: null }
              : backendOf(g).fakeQuantizeGrad(g, y, scale as View, activation);
        const rstd = reciprocalDeviation(settings, stats);
        const grads = backendOf(g).batchNormGrad(through.x, x, stats.mean, rstd, weight);
        return { ...grads, scale: through.scale };
      },
    ),

    blendInto: compose((x: View, into: View, keep: number, share: number) =>
      k.copyInto(add(mul(into, keep), mul(x, share)), into),
    ),
  } satisfies Partial<FusedKernels>;
}

/** `(x − mean)·γ/√(variance + ε) + β`. */
function normalized(x: View, weight: View, bias: View, settings: NormSettings, stats: ChannelStats): View {
  return backendOf(x).channelAffine(x, stats.mean, mul(weight, reciprocalDeviation(settings, stats)), bias);
}

/** `1/√(variance + ε)`, `[C]`. */
function reciprocalDeviation({ epsilon }: NormSettings, { variance }: ChannelStats): View {
  return div(1, unary('sqrt', add(variance, epsilon)));
}
