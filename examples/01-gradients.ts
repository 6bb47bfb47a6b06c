/**
 * Lesson 1. How can a program know the slope of what it has just computed?
 *
 * The idea (reverse-mode differentiation). While a function runs, every operation leaves a note on a tape: what it was
 * given, and how to turn the gradient g = ∂L/∂y to its result into one to its argument, the vector-Jacobian product
 * gᵀ·∂y/∂x. Walking the tape backwards from the loss L multiplies these together: that is the chain rule. One walk
 * gives the slope in every direction at once, whereas a difference (L(x + h) − L(x − h)) / 2h costs two runs for each.
 *
 * What you should see: the same gradient found three ways, by hand, by tape and by differences; a wrong rule caught;
 * and a small network that learns to draw a sine.
 *
 * From outside of this repository, import from 'a2q.js'.
 */
import {
  Adam,
  add,
  arange,
  backward,
  checkGrads,
  defineFunction,
  Linear,
  mse,
  mul,
  Random,
  scope,
  sigmoid,
  square,
  startBackend,
  sub,
  sum,
  TapeError,
  type Tensor,
  tanh,
  tensor,
} from '../lib/index.js';
import { claim, heading, short, table } from './story.js';

/** Gradient checks want 64 bits, which only the reference backend holds. */
const exact = { dtype: 'float64', device: await startBackend('reference') } as const;

heading('One gradient, three ways');
// L(w, b) = (σ(w·x + b) − y)²
const [x, y] = [0.8, 1];
const loss = (w: Tensor, b: Tensor) => square(sub(sigmoid(add(mul(w, x), b)), y));
const at = { w: -1.5, b: 0.25 };

const w = tensor(at.w, [], exact).withGrad();
const b = tensor(at.b, [], exact).withGrad();
backward(loss(w, b));
const byTape = [await gradientOf(w), await gradientOf(b)];

// By hand: L' = 2(σ − y)·σ(1 − σ), times x for w.
const s = 1 / (1 + Math.exp(-(at.w * x + at.b)));
const outer = 2 * (s - y) * s * (1 - s);
const byHand = [outer * x, outer];

const h = 1e-5;
const value = (dw: number, db: number) => loss(tensor(at.w + dw, [], exact), tensor(at.b + db, [], exact)).item();
const byDifferences = [
  ((await value(h, 0)) - (await value(-h, 0))) / (2 * h),
  ((await value(0, h)) - (await value(0, -h))) / (2 * h),
];

const names = ['∂L/∂w', '∂L/∂b'];
table(
  ['', 'by hand', 'by tape', 'by differences'],
  names.map((name, i) => [name, byHand[i], byTape[i], byDifferences[i]]),
);
const distance = (a: number[], c: number[]) => Math.max(...a.map((value, i) => Math.abs(value - c[i])));
claim(distance(byTape, byHand) < 1e-15, 'the tape agrees with the formula to the last bits');
claim(distance(byTape, byDifferences) < 1e-9, 'and with differences as far as those can see');

heading('Define by run: a loop is part of the function');
// The tape records what happened, so JavaScript's own control flow needs no special operation.
const power = (base: Tensor, n: number) => {
  let product = base;
  for (let i = 1; i < n; i++) product = mul(product, base);
  return product;
};
const base = tensor(1.1, [], exact).withGrad();
backward(power(base, 7));
const slope = await gradientOf(base);
claim(Math.abs(slope - 7 * 1.1 ** 6) < 1e-13, `d(x⁷)/dx at 1.1 is ${short(slope, 8)} = 7·1.1⁶`);

heading('Trust, but check');
// checkGrads compares Jᵀ·u with differences along random directions: the way every primitive of this library is tested.
const random = new Random(1);
const point = tensor(
  Float64Array.from({ length: 6 }, () => random.normal()),
  [2, 3],
  exact,
);
const right = (z: Tensor) => sum(mul(tanh(z), z), { axes: 1 });
const report = await checkGrads(right, [point]);
claim(report.error < 1e-8, `a right gradient passes (relative error ${report.error.toExponential(1)})`);

const wrongTanh = defineFunction({
  name: 'wrongTanh',
  forward: (z: Tensor) => tanh(z),
  vjp: (g, _, result) => [mul(g, sub(1, result))], // forgets the square of 1 − tanh²
});
const complaint: unknown = await checkGrads(wrongTanh, [point]).catch((error: unknown) => error);
claim(complaint instanceof TapeError && complaint.op === 'checkGrads', 'a wrong one is caught:');
console.log(`    ${(complaint as TapeError).message.split(';')[0]}`);

heading('What gradients are for');
// y = sin x on [−3, 3], from 61 points, by a network 1 → 8 → 1.
const count = 61;
const xs = mul(sub(arange(count), 30), 0.1);
const target = tensor(
  Float32Array.from({ length: count }, (_, i) => Math.sin((i - 30) / 10)),
  [count, 1],
);
const hidden = new Linear(1, 8, { random });
const output = new Linear(8, 1, { random });
const predict = () => output.forward(tanh(hidden.forward(xs.reshape([count, 1]))));
const optimizer = new Adam([...hidden.parameters(), ...output.parameters()], { learningRate: 0.02 });

const history: [step: number, error: number][] = [];
for (let step = 0; step <= 600; step++) {
  // A scope frees what was made inside, except what it returns.
  const error = scope(() => {
    const error = mse(predict(), target);
    optimizer.zeroGrad();
    backward(error);
    return error.detach();
  });
  if (step % 150 === 0) history.push([step, short(await error.item(), 3)]);
  error.dispose();
  optimizer.step();
}
table(['step', 'mean squared error'], history);

// The best straight line a·x has a = Σ x·sin x / Σ x², in closed form.
const grid = Array.from({ length: count }, (_, i) => (i - 30) / 10);
const a = total(grid.map((t) => t * Math.sin(t))) / total(grid.map((t) => t * t));
const line = total(grid.map((t) => (Math.sin(t) - a * t) ** 2)) / count;
const final = history[history.length - 1][1];
claim(
  final < line / 50,
  `the network's error ${final} is below a fiftieth of the best straight line's ${short(line, 3)}`,
);

async function gradientOf(leaf: Tensor): Promise<number> {
  if (leaf.grad === null) throw new Error('backward did not reach this leaf');
  return leaf.grad.item();
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
