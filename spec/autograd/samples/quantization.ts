import { add, mul } from '../../../lib/autograd/ops.js';
import type { QuantGrid } from '../../../lib/kernels/fast.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { between, f64, shaped } from '../support.js';
import type { Point, Samples } from './sample.js';

const SCALE = 0.7;

/** x/s on both sides of both ends of the grids below, at least 0.1 from where rounding jumps and from 0. */
const ON_GRID = [-9.2, -2.7, -2.3, -1.8, -0.6, -0.1, 0.3, 1.2, 2.9, 3.4, 3.7, 14, 0.6, 2.2, -1.4];

/**
 * An ordinary point. Its surrogate is, inside the grid, `(x/s + r)·s` with r the rounding error at the point; outside,
 * `low·s` or `high·s`; and 0 where a ReLU comes first and x is negative.
 */
function pointOn(grid: QuantGrid): Point<QuantGrid> {
  const terms = ON_GRID.map((at) => {
    if (grid.relu && at < 0) return { slope: 0, multiple: 0 };
    const rounded = Math.round(at);
    if (rounded < grid.low) return { slope: 0, multiple: grid.low };
    if (rounded > grid.high) return { slope: 0, multiple: grid.high };
    return { slope: 1, multiple: rounded - at };
  });
  const vector = (key: 'slope' | 'multiple', like: Tensor) =>
    f64(
      terms.map((term) => term[key]),
      like.shape,
    );
  const x = ON_GRID.map((at) => at * SCALE);
  return {
    inputs: [shaped([3, 5], x), SCALE],
    attrs: grid,
    surrogate: (x, scale) => add(mul(x, vector('slope', x)), mul(vector('multiple', x), scale)),
  };
}

/** Fake quantization, and the scales of grids. */
export const quantizationSamples: Pick<Samples, 'fakeQuantize' | 'powerScale' | 'dequantize'> = {
  powerScale: {
    points: [{ inputs: [between(-3, 3, [2, 3])], attrs: { divisor: 15 } }],
    edges: [
      {
        // 2^−40 is below the floor of 1e-10, which passes the gradient on.
        inputs: [[1, 3, -40]],
        attrs: { divisor: 4 },
        upstream: [1, 2, 2 ** 40],
        value: [0.5, 2, 0.25e-10],
        grads: [[0.5 * Math.LN2, 4 * Math.LN2, 0.25 * Math.LN2]],
      },
    ],
  },
  dequantize: {
    points: [
      { inputs: [shaped([3, 2, 2], [3, -7, 0, 1, 2, 2, -1, 5, 7, 0, 0, -4]), [0.5, 0.3, 2]], attrs: { most: 7 } },
    ],
    edges: [
      {
        inputs: [shaped([2, 2], [1, -3, 2, 0]), [0.5, 2]],
        attrs: { most: 3 },
        upstream: shaped([2, 2], [1, 2, 3, 4]),
        value: shaped([2, 2], [0.5, -1.5, 4, 0]),
        grads: [shaped([2, 2], [0.5, 1, 6, 8]), [-5, 6]],
      },
    ],
  },
  fakeQuantize: {
    points: [pointOn({ low: -2, high: 3 }), pointOn({ low: 0, high: 3, relu: true })],
    edges: [
      {
        // x/s is −0.6, −0.4, 0.5, 1.5, 3.48, 3.6: ties go to even, and what counts as outside is the rounded value.
        inputs: [[-0.3, -0.2, 0.25, 0.75, 1.74, 1.8], [0.5]],
        attrs: { low: 0, high: 3 },
        value: [0, 0, 0, 1, 1.5, 1.5],
        grads: [[0, 1, 1, 1, 1, 0], [0.4 - 0.5 + 0.5 - 0.48 + 3]],
      },
      {
        // The same behind a ReLU, whose slope at 0 is 0.
        inputs: [[-0.3, -0.2, 0, 0.25, 0.75, 1.74, 1.8], [0.5]],
        attrs: { low: 0, high: 3, relu: true },
        value: [0, 0, 0, 0, 1, 1.5, 1.5],
        grads: [[0, 0, 0, 1, 1, 1, 0], [-0.5 + 0.5 - 0.48 + 3]],
      },
    ],
  },
};
