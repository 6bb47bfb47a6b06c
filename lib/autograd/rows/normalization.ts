import type { ChannelStats, NormSettings, QuantGrid } from '../../kernels/backend.js';
import { backendOf } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import { type Row, row } from '../row.js';
import { checkScale } from './quantization.js';

/** Batch norm with nothing or a ReLU behind it. */
export interface BatchNormAttrs {
  readonly epsilon: number;
  readonly activation: 'none' | 'relu';
  /** Contiguous `[C]` views that the forward pass fills with the batch's statistics and the gradient rule reads. */
  readonly stats: ChannelStats;
}

/** Batch norm with quantization behind it. */
export interface BatchNormQuantizeAttrs {
  readonly epsilon: number;
  readonly grid: QuantGrid;
  /** As in `BatchNormAttrs`. */
  readonly stats: ChannelStats;
}

function checkNorm(op: string, x: Shape, weight: Shape, bias: Shape): void {
  if (x.length < 2 || weight.length !== 1 || weight[0] !== x[1] || bias.length !== 1 || bias[0] !== x[1]) {
    throw new ShapeError(op, 'x must be [N, C, …], weight and bias [C]', [x, weight, bias]);
  }
}

const settingsOf = ({ epsilon, grid }: BatchNormQuantizeAttrs): NormSettings => ({ epsilon, activation: grid });

/** Batch norm in training, with the batch's own statistics, which the gradient goes through. */
export const normalizationRows = {
  /** `y = γ·(x − mean)/√(variance + ε) + β` per channel (axis 1), or `max(y, 0)`; inputs x, γ, β. */
  batchNorm: row<BatchNormAttrs>({
    shape: ([x, weight, bias]) => {
      checkNorm('batchNorm', x, weight, bias);
      return x;
    },
    forward: (k, [x, weight, bias], attrs) => k.normActivate(x, weight, bias, null, attrs, attrs.stats),
    saves: [0, 1, 2],
    vjp: (g, s) => {
      const { attrs } = s;
      const grads = backendOf(g).normActivateGrad(g, s.input(0), s.input(1), s.input(2), null, attrs, attrs.stats);
      return [grads.x, grads.weight, grads.bias];
    },
  }),
  /** `fakeQuantize(y, s)` of that y; inputs x, γ, β, s. Straight through as there. */
  batchNormQuantize: row<BatchNormQuantizeAttrs>({
    shape: ([x, weight, bias, scale]) => {
      checkNorm('batchNormQuantize', x, weight, bias);
      checkScale('batchNormQuantize', x, scale);
      return x;
    },
    forward: (k, [x, weight, bias, scale], attrs) =>
      k.normActivate(x, weight, bias, scale, settingsOf(attrs), attrs.stats),
    saves: [0, 1, 2, 3],
    vjp: (g, s) => {
      const [x, weight, bias, scale] = [0, 1, 2, 3].map((i) => s.input(i));
      const grads = backendOf(g).normActivateGrad(g, x, weight, bias, scale, settingsOf(s.attrs), s.attrs.stats);
      return [grads.x, grads.weight, grads.bias, grads.scale];
    },
    surrogate: 'inside (y/s + r)·s with r the rounding error at the point, outside low·s or high·s',
  }),
} satisfies Record<string, Row<never>>;
