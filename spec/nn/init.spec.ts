import '../startReference.js';
import t from 'tap';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import {
  Conv2d,
  defaultBias,
  fansOf,
  gainOf,
  kaimingNormal,
  kaimingUniform,
  Linear,
  xavierNormal,
  xavierUniform,
} from '../../lib/nn/index.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { backends, useReference } from './support.js';

useReference();

/** Largest magnitude, mean and standard deviation of a sample. */
async function statistics(x: Tensor): Promise<{ largest: number; mean: number; deviation: number }> {
  const data = await x.data();
  let [largest, sum, squares] = [0, 0, 0];
  for (const value of data) {
    largest = Math.max(largest, Math.abs(value));
    sum += value;
    squares += value * value;
  }
  const mean = sum / data.length;
  return { largest, mean, deviation: Math.sqrt(squares / data.length - mean * mean) };
}

t.test('fans of linear, convolutional and grouped weights', async (t) => {
  t.same(fansOf([10, 784]), { fanIn: 784, fanOut: 10 });
  t.same(fansOf([64, 3, 5, 5]), { fanIn: 75, fanOut: 1600 });
  t.same(fansOf([32, 1, 3, 3]), { fanIn: 9, fanOut: 288 }, 'depthwise');
  t.throws(() => fansOf([5]), {
    name: 'ShapeError',
    message: 'init: fans need a weight of at least 2 axes [out, in, …]; got [5]',
  });
});

t.test('gains', async (t) => {
  t.equal(gainOf('linear'), 1);
  t.equal(gainOf('sigmoid'), 1);
  t.equal(gainOf('tanh'), 5 / 3);
  t.equal(gainOf('relu'), Math.sqrt(2));
  t.equal(gainOf('selu'), 0.75);
  t.equal(gainOf('leakyRelu'), Math.sqrt(2 / 1.0001));
  t.equal(gainOf('leakyRelu', 3), Math.sqrt(0.2));
});

t.test('uniform draws fill their range', async (t) => {
  const shape = [64, 32, 3, 3];
  const cases: [name: string, draw: Tensor, bound: number][] = [
    ['kaiming, as PyTorch calls it without arguments', kaimingUniform(shape, new Random(1)), Math.sqrt(6 / 288)],
    [
      'kaiming, relu, fan out',
      kaimingUniform(shape, new Random(2), { mode: 'fanOut', nonlinearity: 'relu' }),
      Math.sqrt(6 / 576),
    ],
    ['kaiming, a = √5', kaimingUniform(shape, new Random(3), { slope: Math.sqrt(5) }), 1 / Math.sqrt(288)],
    ['kaiming, tanh', kaimingUniform(shape, new Random(4), { nonlinearity: 'tanh' }), (5 / 3) * Math.sqrt(3 / 288)],
    ['xavier', xavierUniform(shape, new Random(5)), Math.sqrt(6 / (288 + 576))],
    ['xavier, gain 2', xavierUniform(shape, new Random(6), { gain: 2 }), 2 * Math.sqrt(6 / (288 + 576))],
  ];
  for (const [name, draw, bound] of cases) {
    t.same(draw.shape, shape);
    const { largest, mean, deviation } = await statistics(draw);
    t.ok(largest <= Math.fround(bound) && largest > 0.999 * bound, `${name}: reaches ${largest} of ${bound}`);
    t.ok(Math.abs(mean) < 0.02 * bound, `${name}: mean ${mean}`);
    t.ok(Math.abs((deviation * Math.sqrt(3)) / bound - 1) < 0.02, `${name}: deviation ${deviation}`);
  }
});

t.test('normal draws have their deviation', async (t) => {
  const shape = [64, 32, 3, 3];
  const cases: [name: string, draw: Tensor, deviation: number][] = [
    ['kaiming', kaimingNormal(shape, new Random(1)), Math.sqrt(2 / 288)],
    ['kaiming, fan out', kaimingNormal(shape, new Random(2), { mode: 'fanOut' }), Math.sqrt(2 / 576)],
    ['kaiming, linear', kaimingNormal(shape, new Random(3), { nonlinearity: 'linear' }), Math.sqrt(1 / 288)],
    ['xavier', xavierNormal(shape, new Random(4)), Math.sqrt(2 / (288 + 576))],
  ];
  for (const [name, draw, want] of cases) {
    const { mean, deviation } = await statistics(draw);
    t.ok(Math.abs(mean) < 0.02 * want, `${name}: mean ${mean}`);
    t.ok(Math.abs(deviation / want - 1) < 0.02, `${name}: deviation ${deviation}, want ${want}`);
  }
});

t.test('layers draw weight and bias from ±1/√fanIn', async (t) => {
  const conv = new Conv2d(32, 400, 3, { random: new Random(1), groups: 4 });
  const bound = 1 / Math.sqrt(8 * 9);
  const weight = await statistics(conv.weight);
  t.ok(weight.largest <= bound && weight.largest > 0.999 * bound, 'weight');
  const bias = conv.bias && (await statistics(conv.bias));
  t.ok(bias && bias.largest <= bound && bias.largest > 0.98 * bound, 'bias');
  t.same(defaultBias([7, 3], new Random(0)).shape, [7]);
  t.equal(new Linear(3, 2, { random: new Random(1), bias: false }).bias, null);
});

t.test('the same seed draws the same layer on every backend', async (t) => {
  const want = new Random(42);
  const bound = 1 / Math.sqrt(6);
  const weight = Float32Array.from({ length: 24 }, () => want.uniform(-bound, bound));
  const bias = Float32Array.from({ length: 4 }, () => want.uniform(-bound, bound));
  for (const { name, skip } of backends) {
    await t.test(name, { skip }, async (t) => {
      setBackend(backendNamed(name));
      const layer = new Linear(6, 4, { random: new Random(42) });
      arraysEqual(t, await layer.weight.data(), weight, 'weight');
      arraysEqual(t, (await layer.bias?.data()) ?? [], bias, 'bias');
    });
  }
});
