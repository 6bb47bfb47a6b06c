/**
 * Lesson 3. How can training be free and a norm be fixed, at the same time?
 *
 * The idea (weight normalization, Salimans and Kingma 2016, in the l1 form of A2Q, arXiv 2308.13504, eq. 17–23). Do not
 * train w under a constraint; train v without one, and compute
 *
 *     w = g · v/‖v‖₁          so that ‖w‖₁ = g, wherever v goes.
 *
 * The length of v has no effect: w(λv) = w(v) for λ > 0. Hence (Euler's theorem on homogeneous functions) the gradient
 * is orthogonal to v: ⟨v, ∂L/∂v⟩ = 0. The norm is a number g of its own, and a number is easy to cap: A2Q takes
 * min(g, T) for it, with the T that P accumulator bits allow, and trunc instead of round, because trunc never makes a
 * magnitude larger.
 *
 * What you should see: the norm obeying g and then its cap T through a whole training; the orthogonality, and what
 * follows from it; and how often round would break the cap that trunc keeps.
 */
import {
  Adam,
  a2q,
  abs,
  backward,
  div,
  type IntegerFormat,
  integers,
  l1Budget,
  matmul,
  minimum,
  mse,
  mul,
  normal,
  Parameter,
  Random,
  scope,
  startBackend,
  sum,
  type Tensor,
  tensor,
} from '../lib/index.js';
import { claim, heading, short, table } from './story.js';

/** Orthogonality is worth 64 bits. */
const exact = { dtype: 'float64', device: await startBackend('reference') } as const;
const random = new Random(5);
const K = 16;

/** w = g·v/‖v‖₁ */
const normalize = (v: Tensor, g: Tensor) => mul(g, div(v, sum(abs(v))));

heading('Moving v leaves the norm alone');
const x = normal([64, K], random, 0, 1, exact);
const target = matmul(x, normal([K, 1], random, 0, 1, exact));
const v = normal([K, 1], random, 0, 1, exact).withGrad();
const g = tensor(3, [], exact).withGrad();
const loss = (v: Tensor) => mse(matmul(x, normalize(v, g)), target);

backward(loss(v));
const [value, slope] = [[...(await v.data())], await gradientOf(v)];
const inner = dot(value, slope);
const angle = inner / Math.sqrt(dot(value, value) * dot(slope, slope));
console.log(`  ⟨v, ∂L/∂v⟩ = ${inner.toExponential(1)}, the cosine of their angle ${angle.toExponential(1)}`);
claim(Math.abs(angle) < 1e-14, 'the gradient is orthogonal to v');

const scaled = tensor(
  value.map((component) => 10 * component),
  [K, 1],
  exact,
).withGrad();
const [here, there] = [await loss(v).item(), await loss(scaled).item()];
claim(Math.abs(here - there) < 1e-12 * here, 'ten times v is the same function');
backward(loss(scaled));
const ratio = Math.sqrt(dot(slope, slope) / dot(await gradientOf(scaled), await gradientOf(scaled)));
claim(Math.abs(ratio - 10) < 1e-9, `with a gradient ${short(ratio, 6)} times smaller: a long v learns slowly`);

const rate = 0.05;
const moved = value.map((component, k) => component - rate * slope[k]);
const norm = async (components: number[]) => sum(abs(normalize(tensor(components, [K, 1], exact), g))).item();
table(
  ['', '‖v‖₁', '‖v‖₂²', '‖w‖₁'],
  [
    ['before a step', short(l1(value), 6), short(dot(value, value), 6), short(await norm(value), 12)],
    ['after it', short(l1(moved), 6), short(dot(moved, moved), 6), short(await norm(moved), 12)],
  ],
);
claim(Math.abs((await norm(moved)) - 3) < 1e-12, 'v has moved, ‖w‖₁ is still g');
const pythagoras = dot(value, value) + rate ** 2 * dot(slope, slope);
claim(
  Math.abs(dot(moved, moved) - pythagoras) < 1e-12 * pythagoras,
  'and v has grown, by Pythagoras: ‖v − ηδ‖² = ‖v‖² + η²‖δ‖²',
);

heading('A norm that is a number can be capped');
// The best weights have ‖w‖₁ near 13. Let T allow 6.
const T = 6;
const weights = new Parameter(normal([K, 1], random, 0, 1, exact));
const size = new Parameter(tensor(1, [], exact));
const optimizer = new Adam([weights, size], { learningRate: 0.05 });
const rows: [number, number, number, number, number][] = [];
for (let step = 0; step <= 400; step++) {
  const [error, w] = scope(() => {
    const w = normalize(weights, minimum(size, T));
    const error = mse(matmul(x, w), target);
    optimizer.zeroGrad();
    backward(error);
    return [error.detach(), w.detach()];
  });
  if (step % 100 === 0) {
    const lengths = [l1(await weights.data()), await size.item(), l1(await w.data())].map((length) => short(length));
    rows.push([step, short(await error.item(), 3), lengths[0], lengths[1], lengths[2]]);
  }
  error.dispose();
  w.dispose();
  optimizer.step();
}
table(['step', 'loss', '‖v‖₁', 'g', '‖w‖₁'], rows);
const last = rows[rows.length - 1];
claim(
  rows.every((row) => row[4] <= T * (1 + 1e-12)),
  `‖w‖₁ never passes T = ${T}, though nothing ever projects v`,
);
claim(last[3] > T && last[4] === T, 'g wants more and is not given it: without a penalty on g − T it would stay there');

heading('Why trunc and not round');
// A2Q's own quantizer at P = 10: T = (2^(P−1) − 1)/2^N = 31.9 integer steps for 24 weights.
const input: IntegerFormat = { bits: 4, signed: false };
const budget = l1Budget('a2q', 10, input);
const [channels, length] = [200, 24];
const w = normal([channels, length], random);
const quantizer = a2q({ bits: 4, accumulatorBits: 10 })(w, input);
const truncated = rowNorms(await integers(quantizer.quantize(w)).data(), channels);
const onGrid = rescaleRows(await w.data(), channels, budget);
const rounded = rowNorms(onGrid.map(Math.round), channels);
const above = (norms: number[]) => norms.filter((norm) => norm > budget).length;
table(
  ['', 'largest ‖q‖₁', `channels above T = ${short(budget)}`],
  [
    ['trunc', Math.max(...truncated), above(truncated)],
    ['round', Math.max(...rounded), above(rounded)],
  ],
);
claim(above(truncated) === 0, 'trunc keeps every channel under the cap');
claim(above(rounded) > 0, `round breaks it in ${above(rounded)} of ${channels}`);

async function gradientOf(leaf: Tensor): Promise<number[]> {
  if (leaf.grad === null) throw new Error('backward did not reach this leaf');
  return [...(await leaf.grad.data())];
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, component, k) => sum + component * b[k], 0);
}

function l1(a: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, component) => sum + Math.abs(component), 0);
}

function rowNorms(a: ArrayLike<number>, rows: number): number[] {
  const length = a.length / rows;
  return Array.from({ length: rows }, (_, row) => l1(Array.from(a).slice(row * length, (row + 1) * length)));
}

/** Every row scaled to the given l1 norm. */
function rescaleRows(a: ArrayLike<number>, rows: number, norm: number): number[] {
  const norms = rowNorms(a, rows);
  return Array.from(a, (component, i) => (component * norm) / norms[Math.floor(i / (a.length / rows))]);
}
