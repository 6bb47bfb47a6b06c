import type { BatchNormAttrs } from '../../kernels/fast.js';
import * as v from '../../kernels/value.js';
import { offer } from '../../kernels/wasm/fast.js';
import { normalizationKernels } from '../../kernels/wasm/normalization.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { differentiate, evaluate, fastRow, type Row, type Saved } from '../row.js';
import { checkScale, quantizationRows } from './quantization.js';

offer(normalizationKernels);

/**
 * Batch norm in training, with the batch's own statistics, which the gradient goes through, and what follows it in the
 * same pass over memory. The further outputs are the statistics: mean and biased variance, `[C]` each.
 */
export const normalizationRows = {
  /** `y = γ·(x − mean)/√(variance + ε) + β` per channel (axis 1), or `max(y, 0)`; inputs x, γ, β. */
  batchNorm: fastRow('batchNorm', {
    shape: ([x, weight, bias]) => shapes('batchNorm', x, weight, bias),
    value: ([x, weight, bias], { epsilon, activation }) => {
      const stats = channelStats(x);
      const y = normalized(x, weight, bias, epsilon, stats);
      return [activation === 'relu' ? v.unary('relu', y) : y, stats.mean, stats.variance];
    },
    saves: [0, 1, 2, 'output1', 'output2'],
    vjp: (g, s) => {
      const { activation } = s.attrs;
      const through = activation === 'relu' ? v.where(v.greater(again(s), 0), g, 0) : g;
      return gradients(through, s);
    },
  }),
  /** `fakeQuantize(y, s)` of that y; inputs x, γ, β, s. Straight through as there. */
  batchNormQuantize: fastRow('batchNormQuantize', {
    shape: ([x, weight, bias, scale]) => {
      checkScale('batchNormQuantize', x, scale);
      return shapes('batchNormQuantize', x, weight, bias);
    },
    value: ([x, weight, bias, scale], { epsilon, grid }) => {
      const stats = channelStats(x);
      const y = normalized(x, weight, bias, epsilon, stats);
      return [...evaluate(quantizationRows.fakeQuantize, [y, scale], grid), stats.mean, stats.variance];
    },
    saves: [0, 1, 2, 3, 'output1', 'output2'],
    vjp: (g, s) => {
      const y = again(s);
      const inputs = [y, s.input(3)];
      const quantizer = {
        attrs: s.attrs.grid,
        shapes: inputs.map(({ shape }) => shape),
        input: (i: number) => inputs[i],
        output: s.output,
      };
      const [through, toScale] = differentiate(quantizationRows.fakeQuantize, g, quantizer, [true, true]);
      return [...gradients(through as View, s), toScale];
    },
    surrogate: 'inside (y/s + r)·s with r the rounding error at the point, outside low·s or high·s',
  }),
} satisfies Record<string, Row<never>>;

type Epsilon = Pick<BatchNormAttrs, 'epsilon'>;

/** Statistics of the channels of a batch, `[C]` each; the variance is the biased one. */
interface ChannelStats {
  readonly mean: View;
  readonly variance: View;
}

function shapes(op: string, x: Shape, weight: Shape, bias: Shape): Shape[] {
  if (x.length < 2 || weight.length !== 1 || weight[0] !== x[1] || bias.length !== 1 || bias[0] !== x[1]) {
    throw new ShapeError(op, 'x must be [N, C, …], weight and bias [C]', [x, weight, bias]);
  }
  return [x, [x[1]], [x[1]]];
}

/** Two passes: the variance is the mean square of what the mean leaves, so that large means cost no digits. */
function channelStats(x: View): ChannelStats {
  const axes = v.axesButChannel(x);
  const count = v.reductionSize(x.shape, axes);
  const mean = v.div(v.sum(x, axes), count);
  const variance = v.div(v.sum(v.unary('square', v.sub(x, mean)), axes), count);
  return { mean: v.reshape(mean, [x.shape[1]]), variance: v.reshape(variance, [x.shape[1]]) };
}

/** `(x − mean)·γ/√(variance + ε) + β`. */
function normalized(x: View, weight: View, bias: View, epsilon: number, stats: ChannelStats): View {
  const scale = v.mul(weight, reciprocalDeviation(epsilon, stats.variance));
  return v.add(v.mul(v.sub(x, v.perChannel(stats.mean, x)), v.perChannel(scale, x)), v.perChannel(bias, x));
}

/** The normalised values once more, from what was saved. */
function again({ attrs, input, output }: Saved<Epsilon>): View {
  const stats = { mean: output(1), variance: output(2) };
  return normalized(input(0), input(1), input(2), attrs.epsilon, stats);
}

/** `1/√(variance + ε)`, `[C]`. */
function reciprocalDeviation(epsilon: number, variance: View): View {
  return v.div(1, v.unary('sqrt', v.add(variance, epsilon)));
}

/** With x̂ = (x − mean)/√(v + ε), n values each: `γ: Σ g·x̂`, `β: Σ g`, `x: γ/√(v + ε)·(g − Σg/n − x̂·Σ(g·x̂)/n)`. */
function gradients(g: View, { attrs, input, output }: Saved<Epsilon>): [View, View, View] {
  const [x, weight] = [input(0), input(1)];
  const axes = v.axesButChannel(x);
  const count = v.reductionSize(x.shape, axes);
  const rstd = reciprocalDeviation(attrs.epsilon, output(2));
  const hat = v.mul(v.sub(x, v.perChannel(output(1), x)), v.perChannel(rstd, x));
  const bias = v.sum(g, axes);
  const slope = v.sum(v.mul(g, hat), axes);
  const centred = v.sub(v.sub(g, v.div(bias, count)), v.mul(hat, v.div(slope, count)));
  const toX = v.mul(centred, v.perChannel(v.mul(weight, rstd), x));
  return [toX, v.reshape(slope, weight.shape), v.reshape(bias, weight.shape)];
}
