import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { AccumulatorBound, FastPaths, Saved } from '../fast.js';
import {
  add,
  compose,
  div,
  fitAccumulator,
  greater,
  lessEqual,
  maximum,
  minimum,
  mul,
  reshape,
  sub,
  unary,
  where,
} from '../value.js';
import { convolutionKernels } from './convolution.js';
import { normalizationKernels } from './normalization.js';
import { optimizerKernels } from './optimizers.js';
import { poolingKernels } from './pooling.js';
import { quantizationKernels } from './quantization.js';
import type { Runtime } from './runtime.js';
import { selectionKernels } from './selection.js';
import type { Tuner } from './tuner.js';
import { weightKernels } from './weights.js';

/** Which row is sped up by which kernels. */
export function fastPaths(runtime: Runtime, tuner: Tuner): FastPaths {
  const { conv2d, conv2dInputGrad, conv2dWeightGrad } = convolutionKernels(runtime, tuner);
  const { maxPool2d, maxPool2dGrad } = poolingKernels(runtime);
  const { fakeQuantize, fakeQuantizeGrad } = quantizationKernels(runtime);
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
      vjp: [(g, s) => maxPool2dGrad(g, s.input(0), s.output(), s.attrs)],
    },
    fakeQuantize: {
      value: ([x, scale], grid) => fakeQuantize(x, scale, grid),
      vjp: (g, s) => fakeQuantizeGrad(g, s.input(0), s.input(1), s.attrs),
    },
    ...batchNorms(runtime),
    ...selectionKernels(runtime),
    ...boundWeights(runtime),
    ...optimizerKernels(runtime),
  };
}

/** Batch norm from kernels over channels and what follows it. */
function batchNorms(runtime: Runtime): Pick<FastPaths, 'batchNorm' | 'batchNormQuantize'> {
  const { channelStats, channelAffine, batchNormGrad } = normalizationKernels(runtime);
  const { fakeQuantize, fakeQuantizeGrad } = quantizationKernels(runtime);
  const reciprocal = (variance: View, epsilon: number) => div(1, unary('sqrt', add(variance, epsilon)));
  const normalized = ([x, weight, bias]: readonly View[], epsilon: number, [mean, variance]: readonly View[]) =>
    channelAffine(x, mean, mul(weight, reciprocal(variance, epsilon)), bias);
  const again = ({ input, output, attrs: { epsilon } }: Saved<{ readonly epsilon: number }>) =>
    normalized([input(0), input(1), input(2)], epsilon, [output(1), output(2)]);
  const gradients = (g: View, { input, output, attrs: { epsilon } }: Saved<{ readonly epsilon: number }>) =>
    batchNormGrad(g, input(0), output(1), reciprocal(output(2), epsilon), input(1));
  return {
    batchNorm: {
      value: compose((inputs, { epsilon, activation }) => {
        const stats = channelStats(inputs[0]);
        const y = normalized(inputs, epsilon, stats);
        return [activation === 'relu' ? unary('relu', y) : y, ...stats];
      }),
      vjp: compose((g, s) => gradients(s.attrs.activation === 'relu' ? where(greater(again(s), 0), g, 0) : g, s)),
    },
    batchNormQuantize: {
      value: compose((inputs, { epsilon, grid }) => {
        const stats = channelStats(inputs[0]);
        return [fakeQuantize(normalized(inputs, epsilon, stats), inputs[3], grid), ...stats];
      }),
      vjp: compose((g, s) => {
        const [through, toScale] = fakeQuantizeGrad(g, again(s), s.input(3), s.attrs.grid);
        return [...gradients(through, s), toScale];
      }),
    },
  };
}

/** Accumulator-aware weights from kernels over rows: the letters are those of `a2qWeights.ts` in lib/quant. */
function boundWeights(runtime: Runtime): Pick<FastPaths, 'a2qWeights'> {
  const kernels = weightKernels(runtime);
  const rowsOf = (w: View) => reshape(w, [w.shape[0], sizeOf(w.shape.slice(1))]);
  const power = (x: View) => reshape(maximum(unary('exp2', x), 1e-10), [sizeOf(x.shape), 1]);
  const scaleAndNorm = (d: View, t: View, { budget }: AccumulatorBound) => {
    const s = power(d);
    const ratio = div(power(t), s);
    return { s, ratio, r: minimum(ratio, budget) };
  };
  const throughPower = (gradient: View, x: View) => mul(mul(reshape(gradient, x.shape), unary('exp2', x)), Math.LN2);
  return {
    a2qWeights: {
      value: compose(([w, d, t], bound) => {
        const { s, r } = scaleAndNorm(d, t, bound);
        const q = fitAccumulator(kernels.integers(rowsOf(w), r, bound), bound);
        return reshape(mul(q, s), w.shape);
      }),
      vjp: compose((g, { input, attrs: bound }) => {
        const [w, d, t] = [input(0), input(1), input(2)];
        const { s, ratio, r } = scaleAndNorm(d, t, bound);
        const grads = kernels.boundWeightsGrad(rowsOf(g), rowsOf(w), r, s, bound);
        const toG = div(where(lessEqual(ratio, bound.budget), grads.norm, 0), s);
        const toS = sub(grads.scale, mul(toG, ratio));
        return [reshape(grads.w, w.shape), throughPower(toS, d), throughPower(toG, t)];
      }),
    },
  };
}
