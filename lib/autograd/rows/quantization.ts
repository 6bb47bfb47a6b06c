import type { AccumulatorBound, QuantGrid } from '../../kernels/backend.js';
import { backendOf } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import { type Row, row } from '../row.js';

/** Throws unless the scale of an activation is one number. */
export function checkScale(op: string, x: Shape, scale: Shape): void {
  if (scale.some((extent) => extent !== 1)) {
    throw new ShapeError(op, 'the scale of an activation is one number', [x, scale]);
  }
}

/** Throws unless d and t hold one number an output channel of w. */
function checkChannels(op: string, w: Shape, d: Shape, t: Shape): void {
  if (w.length === 0 || [d, t].some((vector) => vector.length !== 1 || vector[0] !== w[0])) {
    throw new ShapeError(op, 'd and t must be [O], one number an output channel', [w, d, t]);
  }
}

/** Quantizers of activations and weights, each with its gradients in one kernel. */
export const quantizationRows = {
  /** `max(2^x, 1e-10) / divisor`: the scale of a grid from its learned logarithm; the floor passes the gradient on. */
  powerScale: row<{ readonly divisor: number }>({
    shape: ([x]) => x,
    forward: (k, [x], { divisor }) => k.powerScale(x, divisor),
    saves: [0],
    vjp: [(g, s) => backendOf(g).powerScaleGrad(g, s.input(0), s.attrs.divisor)],
  }),
  /**
   * `clip(roundHalfEven(x/s), low, high)·s` for one scale `s`, of max(x, 0) if the grid says so. Straight through:
   * rounding has slope 1, the clip blocks where the rounded value is outside, and `s` gets a gradient through both the
   * division and the product.
   */
  fakeQuantize: row<QuantGrid>({
    shape: ([x, scale]) => {
      checkScale('fakeQuantize', x, scale);
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
   * Accumulator-aware weights `s·clip(trunc(v/p), −Q, Q)`, `p = ‖v‖₁ / min(g/s, T)`, `s = 2^d`, `g = 2^t`; inputs w
   * `[O, …]`, d and t `[O]`. Straight through: trunc has slope 1, the clip blocks where the truncated value is outside;
   * the norm, the mean and `min` are differentiated.
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
