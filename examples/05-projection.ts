/**
 * Lesson 5. A trained channel of weights is too large for its accumulator. Which smaller one is the most like it?
 *
 * The idea (Euclidean projection onto the l1 ball; Duchi et al., ICML 2008; EP-init of A2Q+, arXiv 2401.10432, section
 * 4.2). The nearest point is not w scaled down but w with a constant taken off every magnitude:
 *
 *     v* = argmin ½‖v − w‖² subject to ‖v‖₁ ≤ T   =   sign(w)·max(|w| − θ, 0)
 *
 * with θ such that ‖v*‖₁ = T. Small weights become 0, large ones stay large. For quantization that is twice as good:
 * what scaling leaves of K weights under a small T are K small numbers, and trunc makes them all 0.
 *
 * What you should see: the projection beating scaling, and no point of a fine grid beating the projection; and a layer
 * quantized for P bits that keeps its outputs after EP-init, where the naive start falls silent.
 */
import {
  a2qPlus,
  epInit,
  integers,
  l1Budget,
  noGrad,
  normal,
  projectL1Ball,
  QuantLinear,
  QuantReLU,
  Random,
} from '../lib/index.js';
import { claim, heading, short, table } from './story.js';

heading('The nearest point of the l1 ball');
const w = [3, -1, -2];
const T = 2.5;
const scaled = w.map((x) => (x * T) / l1(w));
const projected = [...projectL1Ball(w, T)];
const searched = nearestOnGrid(w, T, 100);
const show = (v: readonly number[]) => v.map((x) => x.toFixed(2)).join('  ');
table(
  ['', 'point', 'l1 norm', 'distance to w'],
  [
    ['w', show(w), l1(w), 0],
    ['scaled down', show(scaled), short(l1(scaled)), short(distance(w, scaled))],
    ['projected', show(projected), short(l1(projected)), short(distance(w, projected))],
    [`best of ${searched.tried} on a grid`, show(searched.point), short(l1(searched.point)), short(searched.distance)],
  ],
);
claim(Math.abs(l1(projected) - T) < 1e-12, 'the projection uses the whole budget');
claim(distance(w, projected) < distance(w, scaled), 'it is nearer to w than w scaled down');
claim(distance(w, projected) <= searched.distance + 1e-12, 'and no point of the grid is nearer');

heading('Optimal, by the condition that says so');
// v* is nearest iff ⟨w − v*, v − v*⟩ ≤ 0 for every v of the ball; for a ball of corners ±T·e_k it is enough to try
// those.
const random = new Random(11);
const K = 576;
let largest = Number.NEGATIVE_INFINITY;
for (let trial = 0; trial < 50; trial++) {
  const point = Array.from({ length: K }, () => random.normal());
  const radius = random.uniform(1, l1(point));
  const nearest = projectL1Ball(point, radius);
  const pull = point.map((x, k) => x - nearest[k]);
  const own = pull.reduce((sum, x, k) => sum + x * nearest[k], 0);
  largest = Math.max(largest, (radius * Math.max(...pull.map(Math.abs)) - own) / radius);
}
claim(
  largest < 1e-12,
  `in 50 balls of ${K} dimensions no corner lies on the far side (largest ${largest.toExponential(0)})`,
);

heading('What a layer keeps of its signal');
// 64 channels of 576 weights with heavy tails, as training leaves them; 4-bit weights and inputs, A2Q+ at P bits.
const [channels, samples] = [64, 200];
const float = Float32Array.from(
  { length: channels * K },
  () => (0.02 * random.normal()) / Math.sqrt(random.uniform(0.1, 1)),
);
const act = new QuantReLU({ bits: 4 });
act.setThreshold(3);
const x = noGrad(() => act.forward(normal([samples, K], random)));

const rows = [];
for (const P of [14, 13, 12, 11, 10]) {
  const naive = await outputsAt(P, false);
  const ep = await outputsAt(P, true);
  rows.push({ P, naive, ep });
}
table(
  ['P', 'T₊', 'correlation: naive', 'EP-init', 'zeros: naive', 'EP-init'],
  rows.map(({ P, naive, ep }) => [
    P,
    short(naive.budget),
    naive.correlation.toFixed(3),
    ep.correlation.toFixed(3),
    percent(naive.sparsity),
    percent(ep.sparsity),
  ]),
);
claim(
  rows.every(({ naive, ep }) => ep.correlation >= naive.correlation),
  'EP-init keeps at least as much at every P',
);
const tightest = rows[rows.length - 1];
claim(
  tightest.ep.correlation > tightest.naive.correlation + 0.3,
  `and far more where it matters, at P = ${tightest.P}`,
);
claim(tightest.naive.sparsity > 0.99, 'where the naive start is, as the paper found, all but empty');
claim(
  rows.every(({ ep }) => ep.l1 <= ep.budget),
  'within the budget throughout',
);

/** A layer with these weights quantized for P bits: how its outputs compare with the float layer's. */
async function outputsAt(P: number, projected: boolean) {
  const layer = new QuantLinear(K, channels, {
    weight: a2qPlus({ bits: 4, accumulatorBits: P }),
    input: act,
    bias: false,
    random,
  });
  layer.weight.write(float);
  layer.weightQuant.initialize(layer.weight);
  const wanted = await noGrad(() => layer.multiply(x, layer.weight)).data();
  if (projected) await epInit(layer);
  const q = noGrad(() => layer.quantWeight());
  const got = await noGrad(() => layer.multiply(x, q.value)).data();
  const grid = await integers(q).data();
  const norms = Array.from({ length: channels }, (_, row) => l1(grid.subarray(row * K, (row + 1) * K)));
  return {
    budget: l1Budget('a2q+', P, layer.input),
    correlation: correlation(wanted, got),
    sparsity: grid.filter((value) => value === 0).length / grid.length,
    l1: Math.max(...norms),
  };
}

/**
 * Nearest point to `target` among those of l1 norm up to `radius`, coordinates in steps of radius/steps, by trying all.
 */
function nearestOnGrid(target: readonly number[], radius: number, steps: number) {
  let best = { point: [0, 0, 0], distance: Number.POSITIVE_INFINITY };
  let tried = 0;
  for (let i = -steps; i <= steps; i++) {
    for (let j = Math.abs(i) - steps; j <= steps - Math.abs(i); j++) {
      const rest = steps - Math.abs(i) - Math.abs(j);
      for (let k = -rest; k <= rest; k++) {
        const point = [i, j, k].map((step) => (step * radius) / steps);
        const here = distance(target, point);
        tried++;
        if (here < best.distance) best = { point, distance: here };
      }
    }
  }
  return { ...best, tried };
}

function l1(v: ArrayLike<number>): number {
  return Array.from(v).reduce((sum, x) => sum + Math.abs(x), 0);
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, x, k) => sum + (x - b[k]) ** 2, 0));
}

/** ⟨a, b⟩ / (‖a‖·‖b‖), 0 if either is silent. */
function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
