import type { QuantGrid } from '../../kernels/fast.js';
import * as v from '../../kernels/value.js';
import { dequantizeKernel } from '../../kernels/wasm/dequantize.js';
import { offer } from '../../kernels/wasm/fast.js';
import { normalizationKernels } from '../../kernels/wasm/normalization.js';
import { ShapeError } from '../../tensor/errors.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { fastRow, type Row } from '../row.js';

offer(dequantizeKernel);
offer(normalizationKernels);

/** Scales, norms and thresholds below this are raised to it (as in Brevitas). */
export const SMALLEST = 1e-10;

/** Throws unless the scale of an activation is one number. */
export function checkScale(op: string, x: Shape, scale: Shape): void {
  if (scale.some((extent) => extent !== 1)) {
    throw new ShapeError(op, 'the scale of an activation is one number', [x, scale]);
  }
}

/** Fake quantization by one scale, and scales from what is learned. */
export const quantizationRows = {
  /** `max(2^x, 1e-10) / divisor`: the scale of a grid from its learned logarithm; the floor passes the gradient on. */
  powerScale: fastRow('powerScale', {
    shape: ([x]) => x,
    value: ([x], { divisor }) => v.div(v.maximum(v.unary('exp2', x), SMALLEST), divisor),
    saves: [0],
    vjp: [(g, s) => v.div(v.mul(v.mul(g, v.unary('exp2', s.input(0))), Math.LN2), s.attrs.divisor)],
  }),
  /**
   * `clip(roundHalfEven(x/s), low, high)·s` with one scale s for all of x. Straight through: rounding has slope 1, the
   * clip blocks x where the *rounded* value is outside; s gets `Σ g·(q − x/s)` from inside and `Σ g·q` from outside.
   */
  fakeQuantize: fastRow('fakeQuantize', {
    shape: ([x, scale]) => {
      checkScale('fakeQuantize', x, scale);
      return x;
    },
    value: ([x, scale], grid) => {
      const s = v.reshape(scale, []);
      return v.mul(clip(v.unary('roundHalfEven', v.div(rectified(x, grid), s)), grid), s);
    },
    saves: [0, 1],
    vjp: (g, { input, attrs: grid }) => {
      const [x, scale] = [input(0), input(1)];
      const onGrid = v.div(rectified(x, grid), v.reshape(scale, []));
      const rounded = v.unary('roundHalfEven', onGrid);
      const inside = v.mul(v.greaterEqual(rounded, grid.low), v.lessEqual(rounded, grid.high));
      const slope = v.where(inside, v.sub(rounded, onGrid), clip(rounded, grid));
      const toScale = v.sum(v.reshape(v.mul(g, slope), [sizeOf(x.shape)]), [0]);
      const passes = grid.relu ? v.mul(inside, v.greater(x, 0)) : inside;
      return [v.where(passes, g, 0), v.reshape(toScale, scale.shape)];
    },
    surrogate: 'inside (x/s + r)·s with r the rounding error at the point, outside low·s or high·s',
  }),
  /** `q·s`: integers of at most `most` in magnitude, back on a grid with one step an output channel. */
  dequantize: fastRow('dequantize', {
    shape: ([q, scale]) => {
      if (scale.length !== 1 || scale[0] !== q[0]) {
        throw new ShapeError('dequantize', 'wants one scale an output channel', [q, scale]);
      }
      return q;
    },
    value: ([q, scale]) => v.mul(q, perChannel(scale, q)),
    saves: [0, 1],
    vjp: [
      (g, { input }) => v.mul(g, perChannel(input(1), g)),
      (g, { input, shapes: [q, scale] }) => v.reshape(v.sum(rows(v.mul(g, input(0)), q), [1]), scale),
    ],
  }),
} satisfies Record<string, Row<never>>;

function perChannel(scale: View, { shape }: View): View {
  return v.reshape(scale, [shape[0], ...shape.slice(1).map(() => 1)]);
}

function rows(x: View, [channels, ...rest]: Shape): View {
  return v.reshape(x, [channels, sizeOf(rest)]);
}

function rectified(x: View, { relu }: QuantGrid): View {
  return relu ? v.unary('relu', x) : x;
}

function clip(x: View, { low, high }: QuantGrid): View {
  return v.minimum(v.maximum(x, low), high);
}
