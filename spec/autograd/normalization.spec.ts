import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { batchNorm, layerNorm } from '../../lib/autograd/normalization.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { channelStats, numberArray } from '../oracle.js';
import { between, f64, tensorsOf } from './support.js';

t.test('batchNorm returns the statistics it used, without history', async (t) => {
  const x = between(-2, 2, [3, 2, 2, 2]);
  const [input, weight, bias] = tensorsOf([x, [1, 1], [0, 0]]);
  const result = batchNorm(input.withGrad(), weight, bias);
  const want = channelStats(numberArray(x.shape, x.data));
  closeTo(t, await result.mean.data(), want.mean.data, 1e-14, 'mean');
  closeTo(t, await result.variance.data(), want.variance.data, 1e-14, 'biased variance');
  t.notOk(result.mean.requiresGrad || result.variance.requiresGrad);
  t.ok(result.y.requiresGrad);
});

t.test('batchNorm of constant channels is finite', async (t) => {
  const [x, weight, bias] = [f64([4, 4, 4, 4], [4, 1]).withGrad(), f64([3]), f64([5])];
  const { y } = batchNorm(x, weight, bias);
  arraysEqual(t, await y.data(), [5, 5, 5, 5], 'the bias');
  y.backward(f64([1, 0, 0, 0], [4, 1]));
  const slope = 3 / Math.sqrt(1e-5);
  closeTo(
    t,
    (await x.grad?.data()) ?? [],
    [0.75, -0.25, -0.25, -0.25].map((g) => g * slope),
    1e-12,
    'gradient',
  );
});

t.test('what batch norm refuses', async (t) => {
  const zeros = (...shape: number[]) => f64(new Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const cases: [work: () => unknown, message: string][] = [
    [
      () => batchNorm(zeros(2, 3), zeros(2), zeros(3)),
      'batchNorm: x must be [N, C, …], weight and bias [C]; got [2, 3] and [2] and [3]',
    ],
    [
      () => batchNorm(zeros(1, 3), zeros(3), zeros(3)),
      'batchNorm: training needs more than one value a channel; got [1, 3]',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});

t.test('layerNorm: gradients, and shapes that do not fit', async (t) => {
  const inputs = tensorsOf([between(-2, 2, [2, 3, 4]), between(-1, 1, [3, 4], 2), between(-1, 1, [3, 4], 3)]);
  const { error } = await checkGrads((x, w, b) => layerNorm(x, [3, 4], w, b), inputs as [Tensor, Tensor, Tensor]);
  t.ok(error <= 1e-7);
  const [x, w] = inputs;
  const cases: [work: () => unknown, message: string][] = [
    [() => layerNorm(x, 3), 'layerNorm: x must end with the normalized axes; got [2, 3, 4] and [3]'],
    [() => layerNorm(x, 4, w), 'layerNorm: weight and bias must have the normalized shape; got [3, 4] and [4]'],
    [() => layerNorm(x, []), 'layerNorm: the normalized shape must be positive integers; it is '],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});
