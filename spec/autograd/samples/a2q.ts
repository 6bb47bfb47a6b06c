import { abs, add, div, exp2, mean, minimum, mul, reshape, sub, sum } from '../../../lib/autograd/ops.js';
import type { Row } from '../../../lib/autograd/row.js';
import type { a2qRows } from '../../../lib/quant/a2qWeights.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { WIDE } from '../../oracle.js';
import { between, f64, shaped } from '../support.js';
import type { Sample } from './sample.js';

const Q = 3;
const W = [0.9, -0.4, 0.35, -1.3, 0.62, 0.15, -0.8, 2.1];
/** g/s of the two channels; the first is below the cap, the second above. */
const RATIO = [9, 14];
const SCALE = [0.3, 0.5];
const BUDGET = 12;

/** v/p as plain numbers. */
function quotients(centred: boolean): number[] {
  return RATIO.flatMap((ratio, c) => {
    const w = W.slice(c * 4, c * 4 + 4);
    const shift = centred ? w.reduce((a, b) => a + b) / 4 : 0;
    const v = w.map((x) => x - shift);
    const l1 = v.reduce((a, b) => a + Math.abs(b), 0);
    return v.map((x) => (x * Math.min(ratio, BUDGET)) / l1);
  });
}

/** Inside the grid `(v/p + e)·s` with e the truncation error at the point; outside `±Q·s`. */
const surrogate =
  (centred: boolean) =>
  (w: Tensor, d: Tensor, t: Tensor): Tensor => {
    const u = quotients(centred);
    const q = u.map(Math.trunc);
    const isInside = q.map((x) => Math.abs(x) <= Q);
    const [s, g] = [d, t].map((x) => reshape(exp2(x), [2, 1]));
    const v = centred ? sub(w, mean(w, { axes: 1, keepDims: true })) : w;
    const p = div(sum(abs(v), { axes: 1, keepDims: true }), minimum(div(g, s), BUDGET));
    const slope = f64(isInside.map(Number), w.shape);
    const offset = f64(
      q.map((x, i) => (isInside[i] ? x - u[i] : Math.sign(x) * Q)),
      w.shape,
    );
    return mul(add(mul(div(v, p), slope), offset), s);
  };

const d = SCALE.map(Math.log2);
const t = RATIO.map((ratio, c) => Math.log2(ratio * SCALE[c]));
const inputs = [shaped([2, 4], W), d, t];

/** One sample a row of the method; the compiler reports a row without one. */
export const a2qSamples: {
  readonly [Name in keyof typeof a2qRows]: Sample<(typeof a2qRows)[Name] extends Row<infer A> ? A : never>;
} = {
  a2qWeights: {
    points: [
      { inputs, attrs: { limit: Q, centred: false, budget: BUDGET, accumulator: WIDE }, surrogate: surrogate(false) },
      { inputs, attrs: { limit: Q, centred: true, budget: BUDGET, accumulator: WIDE }, surrogate: surrogate(true) },
    ],
    edges: [
      {
        // v = [2, −1, 1, 0], ‖v‖₁ = 4 = r, so p = 1 and q = v, of which 2 is clipped to 1; a gradient of ones reaches
        // −1, 1 and 0 with 0.5 each, Σ toU·v = 0, so nothing flows through the norm.
        inputs: [shaped([1, 4], [2, -1, 1, 0]), [-1], [1]],
        attrs: { limit: 1, centred: false, budget: 4, accumulator: WIDE },
        value: shaped([1, 4], [0.5, -0.5, 0.5, 0]),
        grads: [shaped([1, 4], [0, 0.5, 0.5, 0.5]), [0.5 * Math.LN2], [0]],
      },
      {
        // s = 1, g = 4 = T: the cap is not active yet. u = w·r/‖w‖₁ = [2, −2], and du₀/dr = 1/2; the two ways to s
        // cancel.
        inputs: [shaped([1, 2], [1, -1]), [0], [2]],
        attrs: { limit: 7, centred: false, budget: 4, accumulator: WIDE },
        upstream: shaped([1, 2], [1, 0]),
        value: shaped([1, 2], [2, -2]),
        grads: [shaped([1, 2], [1, 1]), [0], [2 * Math.LN2]],
      },
      {
        // The same above its cap: u = [1.5, −1.5], g is blocked and s only scales.
        inputs: [shaped([1, 2], [1, -1]), [0], [2]],
        attrs: { limit: 7, centred: false, budget: 3, accumulator: WIDE },
        upstream: shaped([1, 2], [1, 0]),
        value: shaped([1, 2], [1, -1]),
        grads: [shaped([1, 2], [0.75, 0.75]), [Math.LN2], [0]],
      },
    ],
  },
  a2qPenalty: {
    points: [{ inputs: [between(-2, 0, [5], 3), between(-1, 3, [5], 4)], attrs: { budget: 2.5 } }],
    edges: [
      {
        // g − T·s is 4 − 1, 4 − 4 and 2 − 4.
        inputs: [
          [0, 2, 2],
          [2, 2, 1],
        ],
        attrs: { budget: 1 },
        upstream: 3,
        value: 3,
        grads: [
          [-3 * Math.LN2, 0, 0],
          [12 * Math.LN2, 0, 0],
        ],
      },
    ],
  },
};
