import type { FastPaths } from '../fast.js';
import { convolutionKernels } from './convolution.js';
import type { Machine } from './machine.js';
import { normalizationKernels } from './normalization.js';
import { optimizerKernels } from './optimizers.js';
import { poolingKernels } from './pooling.js';
import { reductionKernels } from './reduction.js';
import { weightKernels } from './weights.js';
import type { WinogradChoice } from './winograd.js';

/** Which row is sped up by which kernels. */
export function fastPaths(machine: Machine, winograd: WinogradChoice): FastPaths {
  const { conv2d, conv2dInputGrad, conv2dWeightGrad } = convolutionKernels(machine, winograd);
  const { maxPool2d, maxPool2dGrad, upsampleNearest, upsampleNearestGrad } = poolingKernels(machine);
  const norm = normalizationKernels(machine);
  const { kthSmallest, kthSmallestGrad } = reductionKernels(machine);
  const weights = weightKernels(machine);
  return {
    conv2d: {
      value: ([x, w], geometry) => conv2d(x, w, geometry),
      vjp: [
        (g, s) => conv2dInputGrad(g, s.input(1), s.shapes[0], s.attrs),
        (g, s) => conv2dWeightGrad(g, s.input(0), s.shapes[1], s.attrs),
      ],
    },
    maxPool2d: {
      value: ([x], window) => maxPool2d(x, window),
      vjp: [(g, s) => maxPool2dGrad(g, s.input(0), s.attrs)],
    },
    upsampleNearest: {
      value: ([x], { factor }) => upsampleNearest(x, factor),
      vjp: [(g, s) => upsampleNearestGrad(g, s.attrs.factor)],
    },
    batchNorm: {
      value: ([x, weight, bias], attrs) => norm.normActivate(x, weight, bias, null, attrs),
      vjp: (g, s) => {
        const stats = { mean: s.output(1), variance: s.output(2) };
        const grads = norm.normActivateGrad(g, s.input(0), s.input(1), s.input(2), null, s.attrs, stats);
        return [grads.x, grads.weight, grads.bias];
      },
    },
    batchNormQuantize: {
      value: ([x, weight, bias, scale], { epsilon, grid }) =>
        norm.normActivate(x, weight, bias, scale, { epsilon, activation: grid }),
      vjp: (g, s) => {
        const [x, weight, bias, scale] = [0, 1, 2, 3].map((i) => s.input(i));
        const stats = { mean: s.output(1), variance: s.output(2) };
        const settings = { epsilon: s.attrs.epsilon, activation: s.attrs.grid };
        const grads = norm.normActivateGrad(g, x, weight, bias, scale, settings, stats);
        return [grads.x, grads.weight, grads.bias, grads.scale];
      },
    },
    kthSmallest: {
      value: ([x], { k }) => kthSmallest(x, k),
      vjp: [(g, s) => kthSmallestGrad(g, s.input(0), s.attrs.k)],
    },
    powerScale: {
      value: ([x], { divisor }) => norm.powerScale(x, divisor),
      vjp: [(g, s) => norm.powerScaleGrad(g, s.input(0), s.attrs.divisor)],
    },
    fakeQuantize: {
      value: ([x, scale], grid) => norm.fakeQuantize(x, scale, grid),
      vjp: (g, s) => {
        const grads = norm.fakeQuantizeGrad(g, s.input(0), s.input(1), s.attrs);
        return [grads.x, grads.scale];
      },
    },
    a2qWeights: {
      value: ([w, d, t], bound) => weights.a2qWeights(w, d, t, bound),
      vjp: (g, s) => {
        const grads = weights.a2qWeightsGrad(g, s.input(0), s.input(1), s.input(2), s.attrs);
        return [grads.w, grads.d, grads.t];
      },
    },
    a2qPenalty: {
      value: ([d, t], { budget }) => weights.a2qPenalty(d, t, budget),
      vjp: (g, s) => {
        const grads = weights.a2qPenaltyGrad(g, s.input(0), s.input(1), s.attrs.budget);
        return [grads.d, grads.t];
      },
    },
    ...optimizerKernels(machine),
    blend: norm.blend,
  };
}
