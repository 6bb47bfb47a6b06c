/**
 * Lesson 6. What does it take to try a quantizer of your own?
 *
 * The idea. A weight quantizer is a module that maps float weights w to s·q with integers q and says what format they
 * have. Here is one that multiplies by shifting (Miyashita et al. 2016; Zhou et al. 2017): weights are powers of two,
 *
 *     q ∈ {0, ±1, ±2},   q = sign(u)·2^round(log2 |u|)  with u = w/s,  s = 2^d learned per output channel,
 *
 * and walking back, q is taken for clip(u, −2, 2). That is the whole of the class below. Everything else (layers,
 * training, the exact accumulator test, the simulated accumulator) reads only the integers, so it works at once.
 *
 * What you should see: the gradient checked against the surrogate, two spirals told apart with such weights, where
 * rounding the float network's weights to powers of two fails, and its accumulator's bits proved.
 */
import {
  Adam,
  abs,
  accumulateLinear,
  add,
  backward,
  checkGrads,
  clip,
  crossEntropy,
  dataTypeAccumulatorBits,
  div,
  exp2,
  greaterEqual,
  inputRange,
  integers,
  log2,
  max,
  mul,
  noGrad,
  Parameter,
  QuantIdentity,
  QuantLinear,
  QuantReLU,
  type QuantTensor,
  Random,
  roundHalfEven,
  Sequential,
  scope,
  sign,
  startBackend,
  straightThrough,
  sub,
  type Tensor,
  tensor,
  testAccumulator,
  top1,
  WeightQuantizer,
} from '../lib/index.js';
import { claim, heading, table } from './story.js';

const LARGEST = 2;

/** The power of two nearest to u on a logarithmic scale, 0 below ½; seen from behind, a clip. */
const nearestPower = straightThrough({
  name: 'nearestPower',
  forward: (u: Tensor) => {
    const power = exp2(roundHalfEven(log2(clip(abs(u), 1, LARGEST))));
    return mul(mul(sign(u), power), greaterEqual(abs(u), 0.5));
  },
  surrogate: (u: Tensor) => clip(u, -LARGEST, LARGEST),
});

/** q·s with s = 2^d. @param w `[O, …]` @param d `[O, 1, …]` */
const shiftWeights = (w: Tensor, d: Tensor) => mul(nearestPower(div(w, exp2(d))), exp2(d));

/** log2 of the scale at which the largest weight of a channel becomes ±2. */
const startingScale = (w: Tensor) =>
  noGrad(() => log2(div(max(abs(w), { axes: w.shape.map((_, axis) => axis).slice(1), keepDims: true }), LARGEST)));

class PowerOfTwo extends WeightQuantizer {
  readonly d: Parameter;

  constructor(w: Tensor) {
    super(3); // M = 3 bits hold −3 … 3
    this.d = new Parameter(startingScale(w));
  }

  override initialize(w: Tensor): void {
    this.d.assign(startingScale(w));
  }

  override quantize(w: Tensor): QuantTensor {
    return { value: shiftWeights(w, this.d), scale: exp2(this.d), bits: this.bits, signed: true, narrow: true };
  }
}

heading('Its gradient is the one it promises');
const random = new Random(6);
const exact = { dtype: 'float64', device: await startBackend('reference') } as const;
const w = tensor(
  Float64Array.from({ length: 20 }, () => random.normal(0, 2)),
  [4, 5],
  exact,
);
const d = tensor(
  Float64Array.from({ length: 4 }, () => random.uniform(-1, 1)),
  [4, 1],
  exact,
);
const report = await checkGrads(shiftWeights, [w, d], {
  // Near the point, q moves as the clip does, so s·q is s·(clip(w/s) + r) with r the rounding error at the point.
  surrogate: ([w0, d0]) => {
    const r = sub(nearestPower(div(w0, exp2(d0))), nearestPower.surrogate(div(w0, exp2(d0))));
    return (w, d) => mul(add(nearestPower.surrogate(div(w, exp2(d))), r), exp2(d));
  },
});
claim(
  report.error < 1e-7,
  `to w and to d, in ${report.directions} random directions (${report.error.toExponential(1)})`,
);

heading('Two spirals');
const spirals = makeSpirals(200);
const inputs = tensor(spirals.points, [spirals.labels.length, 2]);

/** 2 → 32 → 32 → 2 with 6-bit activations. */
function makeNetwork() {
  const seed = new Random(7);
  const weight = (w: Tensor) => new PowerOfTwo(w);
  const acts = [new QuantIdentity({ bits: 8 }), new QuantReLU({ bits: 6 }), new QuantReLU({ bits: 6 })] as const;
  const layers = [
    new QuantLinear(2, 32, { weight, input: acts[0], random: seed }),
    new QuantLinear(32, 32, { weight, input: acts[1], random: seed }),
    new QuantLinear(32, 2, { weight, input: acts[2], random: seed }),
  ] as const;
  const model = new Sequential(acts[0], layers[0], acts[1], layers[1], acts[2], layers[2]);
  return { model, layers };
}

async function train(quantizeWeights: boolean) {
  const { model, layers } = makeNetwork();
  for (const layer of layers) layer.quantizeWeights = quantizeWeights;
  const optimizer = new Adam(model.parameters(), { learningRate: 0.01 });
  const steps = 1000;
  for (let step = 0; step < steps; step++) {
    optimizer.groups[0].learningRate = 0.01 * (1 - step / steps);
    scope(() => {
      optimizer.zeroGrad();
      backward(crossEntropy(model.forward(inputs), spirals.labels));
      optimizer.step();
    });
  }
  model.eval();
  return { model, layers };
}

const accuracy = async (model: Sequential) => top1(await noGrad(() => model.forward(inputs)).data(), spirals.labels);

const float = await train(false);
const floatAccuracy = await accuracy(float.model);
for (const layer of float.layers) {
  layer.weightQuant.initialize(layer.weight);
  layer.quantizeWeights = true;
}
const roundedAccuracy = await accuracy(float.model);
const { model, layers } = await train(true);
const trainedAccuracy = await accuracy(model);
table(
  ['weights', 'accuracy'],
  [
    ['float', percent(floatAccuracy)],
    ['powers of two, rounded after training', percent(roundedAccuracy)],
    ['powers of two, trained as such', percent(trainedAccuracy)],
  ],
);
claim(
  trainedAccuracy > 0.97 && trainedAccuracy > roundedAccuracy + 0.05,
  'training through the quantizer is what makes it work',
);

heading('What follows without another line');
const hidden = layers[1];
const q = Int32Array.from(await integers(hidden.quantWeight()).data());
const values = [...new Set(q)].sort((a, b) => a - b);
claim(
  values.every((value) => [0, 1, 2].includes(Math.abs(value))),
  `the integers of the hidden layer are ${values.join(', ')}`,
);

const range = inputRange(hidden.input);
const byType = dataTypeAccumulatorBits(32, 3, hidden.input);
const test = testAccumulator(q, 32, range, byType);
claim(
  test.safeBits < byType,
  `the exact test proves ${test.safeBits} accumulator bits, where the types alone would ask for ${byType}`,
);

const x = Int32Array.from({ length: 32 * 100 }, () => random.integer(range.high + 1));
const { y, overflows } = accumulateLinear(
  { data: x, shape: [100, 32] },
  { data: q, shape: [32, 32] },
  { accumulatorBits: test.safeBits, overflow: 'wrap' },
);
claim(overflows === 0, `a ${test.safeBits}-bit accumulator agrees: no overflow in 3200 dot products`);
claim(
  y.data.every((sum, i) => sum === byShifts(x.subarray(32 * Math.floor(i / 32)), q.subarray(32 * (i % 32)))),
  'and shifts alone give the same sums',
);

/** Σ ± (x << k), with no multiplication. */
function byShifts(x: Int32Array, q: Int32Array): number {
  let sum = 0;
  for (let k = 0; k < 32; k++) {
    if (q[k] === 0) continue;
    const shifted = x[k] << Math.log2(Math.abs(q[k]));
    sum += q[k] > 0 ? shifted : -shifted;
  }
  return sum;
}

/** Two arms of one and three quarter turns, `count` points each. */
function makeSpirals(count: number): { points: Float32Array; labels: Int32Array } {
  const points = new Float32Array(4 * count);
  const labels = new Int32Array(2 * count);
  for (let i = 0; i < 2 * count; i++) {
    const arm = i % 2;
    const t = Math.sqrt(random.uniform(0.02, 1));
    const angle = 3.5 * Math.PI * t + Math.PI * arm;
    points[2 * i] = t * Math.cos(angle) + random.normal(0, 0.015);
    points[2 * i + 1] = t * Math.sin(angle) + random.normal(0, 0.015);
    labels[i] = arm;
  }
  return { points, labels };
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
