/**
 * Lesson 2. How can anything be learned through a staircase?
 *
 * The idea (straight-through estimator; Bengio, Léonard and Courville 2013). Quantized weights are w_q = s·round(w/s).
 * The derivative of rounding is 0 almost everywhere, so the true gradient says that nothing matters. The estimator
 * computes the loss with the rounded weights but, walking back, takes ∂round(u)/∂u = 1: the float weight w underneath
 * collects small pushes until it crosses to the next step. More generally the backward pass differentiates a
 * *surrogate*, a smooth function that resembles the staircase: the identity, or clip(u, −1, 1) for the sign.
 *
 * What you should see: no learning at all with the true derivative; with the estimator, integer weights that are better
 * than float weights rounded after training, and close to the best of all; and a surrogate that can be gradchecked.
 */
import {
  Adam,
  add,
  backward,
  checkGrads,
  clip,
  defineFunction,
  matmul,
  mse,
  mul,
  noGrad,
  normal,
  Parameter,
  Random,
  roundHalfEven,
  scope,
  sign,
  startBackend,
  straightThrough,
  sum,
  type Tensor,
  tensor,
  zeros,
} from '../lib/index.js';
import { claim, heading, short, table } from './story.js';

heading('A staircase has no slope');
const round = (u: number) => Math.round(u);
const places = [-1.3, -0.2, 0.4, 2.75];
const slopes = places.map((u) => (round(u + 1e-4) - round(u - 1e-4)) / 2e-4);
table(
  ['u', 'round(u)', 'slope by differences', 'slope by the estimator'],
  await Promise.all(places.map(async (u, i) => [u, round(u), slopes[i], await slopeOf(roundHalfEven, u)])),
);
claim(
  slopes.every((slope) => slope === 0),
  'the true slope is 0 wherever it exists',
);

heading('Five weights in {−3 … 3}, fitted to 200 correlated points');
// Inputs share a common part, so an error in one weight can be made up for by another: rounding each for itself is
// not the best that integers can do.
const [points, K, Q] = [200, 5, 3];
const random = new Random(3);
const noise = normal([points, K], random, 0, 0.6);
const common = normal([points, 1], random);
const x = add(noise, common);
const truth = tensor([[1.4], [-0.6], [2.45], [-1.55], [0.45]]);
const y = matmul(x, truth);

/** Trains the float weights under a rounding function; returns them, and the loss of the integers they round to. */
async function train(quantize: (w: Tensor) => Tensor): Promise<{ loss: number; float: number[]; integer: number[] }> {
  const w = new Parameter(zeros([K, 1]));
  const optimizer = new Adam([w], { learningRate: 0.05 });
  const steps = 400;
  for (let step = 0; step < steps; step++) {
    optimizer.groups[0].learningRate = 0.05 * (1 - step / steps);
    scope(() => {
      optimizer.zeroGrad();
      backward(mse(matmul(x, quantize(w)), y));
      optimizer.step();
    });
  }
  const integer = noGrad(() => clip(roundHalfEven(w), -Q, Q));
  return {
    loss: await mse(matmul(x, integer), y).item(),
    float: [...(await w.data())],
    integer: [...(await integer.data())],
  };
}

/** Rounding with its true derivative. */
const honest = defineFunction({
  name: 'honestRound',
  forward: (w: Tensor) => clip(roundHalfEven(w), -Q, Q),
  vjp: (_, [w]) => [zeros(w.shape)],
});

const untouched = await train(honest);
const after = await train((w) => w);
const through = await train((w) => clip(roundHalfEven(w), -Q, Q));
const best = await bestOfAll();
const runs = { 'true derivative': untouched, 'round after training': after, 'straight through': through };
table(
  ['how', 'float weights', 'integers', 'loss of the integers'],
  Object.entries(runs).map(([how, run]) => [
    how,
    run.float.map((value) => value.toFixed(2)).join(' '),
    run.integer.join(' '),
    short(run.loss, 3),
  ]),
);
claim(
  untouched.float.every((value) => value === 0),
  'with the true derivative no weight has moved',
);
claim(through.loss < after.loss, 'training through the rounding beats rounding afterwards');
claim(through.loss <= 1.5 * best, `and comes near the best of all 7⁵ choices, ${short(best, 3)}`);

heading('A surrogate of your own');
const binarize = straightThrough({
  name: 'binarize',
  forward: (u: Tensor) => sign(u),
  surrogate: (u: Tensor) => clip(u, -1, 1), // hard tanh: far from the step there is nothing to gain
});
const at = [-2, -0.5, 0.3, 1.7];
const sent = [10, 20, 30, 40];
const u = tensor(at).withGrad();
backward(sum(mul(binarize(u), tensor(sent))));
const arrived = u.grad === null ? [] : [...(await u.grad.data())];
table(
  ['u', 'sign(u)', 'gradient sent', 'gradient that arrives'],
  at.map((value, i) => [value, Math.sign(value), sent[i], arrived[i]]),
);
claim(arrived.join() === '0,20,30,0', 'it passes where |u| ≤ 1 and stops where pushing on would change nothing');

const exact = tensor(at, undefined, { dtype: 'float64', device: await startBackend('reference') });
const report = await checkGrads(binarize, [exact], { surrogate: () => binarize.surrogate });
claim(report.error < 1e-7, 'and is the derivative of the surrogate it declares, by differences');
const dishonest: unknown = await checkGrads(binarize, [exact]).catch((error: unknown) => error);
claim(dishonest instanceof Error, 'but not of sign itself: an estimator is a choice, not a derivative');

async function slopeOf(f: (u: Tensor) => Tensor, at: number): Promise<number> {
  const u = tensor(at).withGrad();
  backward(f(u));
  return u.grad === null ? Number.NaN : u.grad.item();
}

/** The least loss any integers of the range reach, by trying all. */
async function bestOfAll(): Promise<number> {
  const size = (2 * Q + 1) ** K;
  const all = new Float32Array(K * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0, rest = i; k < K; k++, rest = Math.floor(rest / (2 * Q + 1)))
      all[k * size + i] = (rest % (2 * Q + 1)) - Q;
  }
  const errors = scope(() =>
    matmul(x, tensor(all, [K, size]))
      .sub(y)
      .square()
      .mean({ axes: 0 }),
  );
  return Math.min(...(await errors.data()));
}
