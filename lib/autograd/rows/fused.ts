import {
  type AccumulatorBound,
  type ChannelStats,
  type QuantGrid,
  type Window,
  windowExtents,
} from '../../kernels/backend.js';
import { add, backendOf, div, mul, unary } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { type Row, row } from '../row.js';

export interface BatchNormAttrs {
  readonly epsilon: number;
  /** Mean and biased variance of `x`; the gradient rule differentiates through them. */
  readonly stats: ChannelStats;
}

/** `1/√(variance + ε)`, `[C]`. */
function reciprocalDeviation({ epsilon, stats }: BatchNormAttrs): View {
  return div(1, unary('sqrt', add(stats.variance, epsilon)));
}

/** Throws unless `x` is a batch of images. */
export function checkImage(op: string, x: Shape): void {
  if (x.length !== 4) throw new ShapeError(op, 'x must have 4 axes [N, C, H, W]', [x]);
}

/** Throws unless d and t hold one number an output channel of w. */
function checkChannels(op: string, w: Shape, d: Shape, t: Shape): void {
  if (w.length === 0 || [d, t].some((vector) => vector.length !== 1 || vector[0] !== w[0])) {
    throw new ShapeError(op, 'd and t must be [O], one number an output channel', [w, d, t]);
  }
}

/** Rows with a kernel of their own because the composition would read memory many times over. */
export const fusedRows = {
  /** Maximum over windows of `x [N, C, H, W]`; padding never wins, the gradient goes to the first maximum. */
  maxPool2d: row<Window>({
    shape: ([x], window) => {
      checkImage('maxPool2d', x);
      if (window.padding.some((p, i) => 2 * p > window.kernel[i])) {
        throw new ShapeError('maxPool2d', 'padding may be at most half the kernel', [x]);
      }
      const [height, width] = windowExtents(window, x[2], x[3]);
      if (height < 1 || width < 1) throw new ShapeError('maxPool2d', 'the window is larger than the padded image', [x]);
      return [x[0], x[1], height, width];
    },
    forward: (k, [x], window) => k.maxPool2d(x, window),
    saves: [0, 'output'],
    vjp: [(g, s) => backendOf(g).maxPool2dGrad(g, s.input(0), s.output(), s.attrs)],
  }),
  /** Every pixel of `x [N, C, H, W]` repeated `factor` × `factor` times. */
  upsampleNearest: row<{ readonly factor: number }>({
    shape: ([x], { factor }) => {
      checkImage('upsampleNearest', x);
      if (!Number.isInteger(factor) || factor < 1) {
        throw new ShapeError('upsampleNearest', `factor must be a positive integer; it is ${factor}`);
      }
      return [x[0], x[1], x[2] * factor, x[3] * factor];
    },
    forward: (k, [x], { factor }) => k.upsampleNearest(x, factor),
    vjp: [(g, s) => backendOf(g).upsampleNearestGrad(g, s.attrs.factor)],
  }),
  /** `γ·(x − mean)/√(variance + ε) + β` per channel (axis 1), with the batch's own statistics; inputs x, γ, β. */
  batchNorm: row<BatchNormAttrs>({
    shape: ([x, weight, bias]) => {
      if (x.length < 2 || weight.length !== 1 || weight[0] !== x[1] || bias.length !== 1 || bias[0] !== x[1]) {
        throw new ShapeError('batchNorm', 'x must be [N, C, …], weight and bias [C]', [x, weight, bias]);
      }
      return x;
    },
    forward: (k, [x, weight, bias], attrs) =>
      k.channelAffine(x, attrs.stats.mean, mul(weight, reciprocalDeviation(attrs)), bias),
    saves: [0, 1],
    vjp: (g, s) => {
      const { mean } = s.attrs.stats;
      const grads = backendOf(g).batchNormGrad(g, s.input(0), mean, reciprocalDeviation(s.attrs), s.input(1));
      return [grads.x, grads.weight, grads.bias];
    },
  }),
  /**
   * `clip(roundHalfEven(x/s), low, high)·s` for one scale `s`, of max(x, 0) if the grid says so. Straight through: rounding has slope 1, the clip blocks
   * where the rounded value is outside, and `s` gets a gradient through both the division and the product.
   */
  fakeQuantize: row<QuantGrid>({
    shape: ([x, scale]) => {
      if (scale.length > 0 && scale.some((extent) => extent !== 1)) {
        throw new ShapeError('fakeQuantize', 'the scale of an activation is one number', [x, scale]);
      }
      return x;
    },
    forward: (k, [x, scale], grid) => k.fakeQuantize(x, scale, grid),
    saves: [0, 1],
    vjp: (g, s) => {
      const grads = backendOf(g).fakeQuantizeGrad(g, s.input(0), s.input(1), s.attrs);
      return [grads.x, grads.scale];
    },
    surrogate: 'inside (x/s + r)·s with r the rounding error at the point, outside low·s or high·s',
  }),
  /**
   * Accumulator-aware weights `s·clip(trunc(v/p), −Q, Q)`, `p = ‖v‖₁ / min(g/s, T)`, `s = 2^d`, `g = 2^t`; inputs w `[O, …]`,
   * d and t `[O]`. Straight through: trunc has slope 1, the clip blocks where the truncated value is outside; the norm, the
   * mean and `min` are differentiated.
   */
  a2qWeights: row<AccumulatorBound>({
    shape: ([w, d, t]) => {
      checkChannels('a2qWeights', w, d, t);
      return w;
    },
    forward: (k, [w, d, t], bound) => k.a2qWeights(w, d, t, bound),
    saves: [0, 1, 2],
    vjp: (g, s) => {
      const grads = backendOf(g).a2qWeightsGrad(g, s.input(0), s.input(1), s.input(2), s.attrs);
      return [grads.w, grads.d, grads.t];
    },
    surrogate: 'inside (v/p + r)·s with r the rounding error at the point, outside ±Q·s',
  }),
  /** `Σ max(g − T·s, 0)` over the channels, `s = 2^d`, `g = 2^t`; inputs d and t `[O]`. */
  a2qPenalty: row<{ readonly budget: number }>({
    shape: ([d, t]) => {
      checkChannels('a2qPenalty', d, d, t);
      return [];
    },
    forward: (k, [d, t], { budget }) => k.a2qPenalty(d, t, budget),
    saves: [0, 1],
    vjp: (g, s) => {
      const grads = backendOf(g).a2qPenaltyGrad(g, s.input(0), s.input(1), s.attrs.budget);
      return [grads.d, grads.t];
    },
  }),
} satisfies Record<string, Row<never>>;
