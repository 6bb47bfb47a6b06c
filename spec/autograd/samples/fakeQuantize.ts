import { add, mul } from '../../../lib/autograd/ops.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { f64, shaped } from '../support.js';
import type { Samples } from './index.js';

const SCALE = 0.7;
const LOW = -2;
const HIGH = 3;

/** x/s on both sides of both ends of the grid, at least 0.1 from where rounding jumps. */
const ON_GRID = [-9.2, -2.7, -2.3, -1.8, -0.6, -0.1, 0.3, 1.2, 2.9, 3.4, 3.7, 14, 0.6, 2.2, -1.4];

/** Inside the grid `(x/s + r)·s` with r the rounding error at the point; outside `low·s` or `high·s`. */
function surrogate(x: Tensor, scale: Tensor): Tensor {
  const rounded = ON_GRID.map((value) => Math.round(value));
  const isInside = rounded.map((q) => q >= LOW && q <= HIGH);
  const slope = f64(isInside.map(Number), x.shape);
  const multiple = rounded.map((q, i) => (isInside[i] ? q - ON_GRID[i] : Math.min(Math.max(q, LOW), HIGH)));
  return add(mul(x, slope), mul(f64(multiple, x.shape), scale));
}

export const fakeQuantizeSample: Samples['fakeQuantize'] = {
  points: [
    {
      inputs: [
        shaped(
          [3, 5],
          ON_GRID.map((x) => x * SCALE),
        ),
        SCALE,
      ],
      attrs: { low: LOW, high: HIGH },
      surrogate,
    },
  ],
  edges: [
    {
      // x/s is −0.6, −0.4, 0.5, 1.5, 3.48, 3.6: ties go to even, and what counts as outside is the rounded value.
      inputs: [[-0.3, -0.2, 0.25, 0.75, 1.74, 1.8], [0.5]],
      attrs: { low: 0, high: 3 },
      value: [0, 0, 0, 1, 1.5, 1.5],
      grads: [[0, 1, 1, 1, 1, 0], [0.4 - 0.5 + 0.5 - 0.48 + 3]],
    },
    {
      // Behind a ReLU nothing flows to x ≤ 0, and nothing from there to the scale.
      inputs: [[-0.3, -0.2, 0, 0.2, 0.75, 1.8], [0.5]],
      attrs: { low: 0, high: 3, relu: true },
      value: [0, 0, 0, 0, 1, 1.5],
      grads: [[0, 0, 0, 1, 1, 0], [-0.4 + 0.5 + 3]],
    },
  ],
};
