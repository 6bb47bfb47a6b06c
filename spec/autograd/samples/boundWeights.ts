import { abs, add, div, mean, mul, sub, sum } from '../../../lib/autograd/ops.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { f64, shaped } from '../support.js';
import type { Samples } from './index.js';

const Q = 3;
const W = [0.9, -0.4, 0.35, -1.3, 0.62, 0.15, -0.8, 2.1];
const NORM = [9, 14];
const SCALE = [0.3, 0.5];

/** v/p as plain numbers. */
function quotients(centred: boolean): number[] {
  return NORM.flatMap((r, c) => {
    const w = W.slice(c * 4, c * 4 + 4);
    const shift = centred ? w.reduce((a, b) => a + b) / 4 : 0;
    const v = w.map((x) => x - shift);
    const l1 = v.reduce((a, b) => a + Math.abs(b), 0);
    return v.map((x) => (x * r) / l1);
  });
}

/** Inside the grid `(v/p + e)·s` with e the truncation error at the point; outside `±Q·s`. */
const surrogate =
  (centred: boolean) =>
  (w: Tensor, norm: Tensor, scale: Tensor): Tensor => {
    const u = quotients(centred);
    const q = u.map(Math.trunc);
    const isInside = q.map((x) => Math.abs(x) <= Q);
    const v = centred ? sub(w, mean(w, { axes: 1, keepDims: true })) : w;
    const p = div(sum(abs(v), { axes: 1, keepDims: true }), norm);
    const slope = f64(isInside.map(Number), w.shape);
    const offset = f64(
      q.map((x, i) => (isInside[i] ? x - u[i] : Math.sign(x) * Q)),
      w.shape,
    );
    return mul(add(mul(div(v, p), slope), offset), scale);
  };

const inputs = [shaped([2, 4], W), shaped([2, 1], NORM), shaped([2, 1], SCALE)];

export const boundWeightsSample: Samples['boundWeights'] = {
  points: [
    { inputs, attrs: { limit: Q, centred: false }, surrogate: surrogate(false) },
    { inputs, attrs: { limit: Q, centred: true }, surrogate: surrogate(true) },
  ],
  edges: [
    {
      // v = [2, −1, 1, 0], ‖v‖₁ = 4 = r, so p = 1 and q = v, of which 2 is clipped to 1; a gradient of ones reaches −1, 1
      // and 0 with 0.5 each, Σ toU·v = 0, so nothing flows through the norm.
      inputs: [shaped([1, 4], [2, -1, 1, 0]), shaped([1, 1], [4]), shaped([1, 1], [0.5])],
      attrs: { limit: 1, centred: false },
      value: shaped([1, 4], [0.5, -0.5, 0.5, 0]),
      grads: [shaped([1, 4], [0, 0.5, 0.5, 0.5]), shaped([1, 1], [0]), shaped([1, 1], [1])],
    },
  ],
};
