import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { avgPool2d, batchNorm, conv2d, globalAvgPool2d, maxPool2d } from '../../lib/autograd/imageOps.js';
import { add } from '../../lib/autograd/ops.js';
import { fakeQuantize } from '../../lib/autograd/quantize.js';
import { pixelShuffle, upsampleNearest } from '../../lib/autograd/resample.js';
import { ShapeError } from '../../lib/tensor/errors.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { channelStats, conv2d as conv2dOracle, numberArray } from '../oracle.js';
import { between, f64, tensorsOf } from './support.js';

/** Random images in float64. */
function image(...shape: number[]): Tensor {
  return tensorsOf([between(-2, 2, shape)])[0];
}

t.test('conv2d with a bias, one number or two for each geometry', async (t) => {
  const [x, w, b] = [between(-2, 2, [2, 4, 5, 6]), between(-1, 1, [6, 2, 3, 2], 2), between(-1, 1, [6], 3)];
  const inputs = tensorsOf([x, w, b]);
  const options = { stride: [2, 1], padding: 1, dilation: [1, 2], groups: 2 } as const;
  const y = conv2d(inputs[0], inputs[1], inputs[2], options);
  const want = conv2dOracle(numberArray(x.shape, x.data), numberArray(w.shape, w.data), {
    stride: [2, 1],
    padding: [1, 1],
    dilation: [1, 2],
    groups: 2,
  });
  t.same(y.shape, want.shape);
  const plane = want.shape[2] * want.shape[3];
  const biased = want.data.map((value, i) => value + b.data[Math.floor(i / plane) % 6]);
  closeTo(t, await y.data(), biased, 1e-14, 'against the oracle');
  const { error } = await checkGrads((u, v, bias) => conv2d(u, v, bias, options), [inputs[0], inputs[1], inputs[2]]);
  t.ok(error <= 1e-7);
});

t.test('avgPool2d counts the zeros of the padding', async (t) => {
  const x = f64([1, 2, 3, 4], [1, 1, 2, 2]);
  const y = avgPool2d(x, { kernel: 2, stride: 2, padding: 1 });
  arraysEqual(t, await y.data(), [0.25, 0.5, 0.75, 1], 'quarters');
  const whole = avgPool2d(x, { kernel: 2 });
  arraysEqual(t, await whole.data(), [2.5], 'the stride is the kernel by default');
  const { error } = await checkGrads(
    (v) => avgPool2d(v, { kernel: [3, 2], stride: [1, 2], padding: [1, 0] }),
    [image(2, 3, 4, 5)],
  );
  t.ok(error <= 1e-7);
});

t.test('globalAvgPool2d is the mean of each plane', async (t) => {
  const x = f64([1, 2, 3, 6, 10, 20, 30, 40], [1, 2, 2, 2]);
  const y = globalAvgPool2d(x);
  t.same(y.shape, [1, 2, 1, 1]);
  arraysEqual(t, await y.data(), [3, 25], 'means');
});

t.test('maxPool2d with overlapping windows', async (t) => {
  const x = f64([1, 5, 2, 4, 3, 9, 7, 8, 6], [1, 1, 3, 3]);
  arraysEqual(t, await maxPool2d(x, { kernel: 2, stride: 1 }).data(), [5, 9, 8, 9], 'maxima');
});

t.test('pixelShuffle: channel c·r² + i·r + j becomes sub-pixel (i, j) of channel c', async (t) => {
  const x = f64([0, 1, 2, 3, 4, 5, 6, 7], [1, 8, 1, 1]);
  const y = pixelShuffle(x, 2);
  t.same(y.shape, [1, 2, 2, 2]);
  arraysEqual(t, await y.data(), [0, 1, 2, 3, 4, 5, 6, 7], 'one pixel');
  const wide = pixelShuffle(f64([0, 1, 10, 11, 20, 21, 30, 31], [1, 4, 1, 2]), 2);
  t.same(wide.shape, [1, 1, 2, 4]);
  arraysEqual(t, await wide.data(), [0, 10, 1, 11, 20, 30, 21, 31], 'two pixels');
  const { error } = await checkGrads((v) => pixelShuffle(v, 2), [image(2, 4, 2, 3)]);
  t.ok(error <= 1e-7);
});

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

t.test('shapes that do not fit, one message each', async (t) => {
  const zeros = (...shape: number[]) => f64(new Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const cases: [work: () => unknown, message: string][] = [
    [
      () => conv2d(zeros(1, 3, 4, 4), zeros(2, 2, 3, 3)),
      'conv2d: w takes 2 channels a group, x has 3 in 1 groups; got [1, 3, 4, 4] and [2, 2, 3, 3]',
    ],
    [
      () => conv2d(zeros(1, 3, 4, 4), zeros(2, 3, 5, 5)),
      'conv2d: the kernel is larger than the padded image; got [1, 3, 4, 4] and [2, 3, 5, 5]',
    ],
    [
      () => conv2d(zeros(3, 4, 4), zeros(2, 3, 3, 3)),
      'conv2d: x and w must have 4 axes; got [3, 4, 4] and [2, 3, 3, 3]',
    ],
    [
      () => conv2d(zeros(1, 3, 4, 4), zeros(2, 3, 3, 3), zeros(3)),
      'conv2d: bias must hold one number an output channel; got [3] and [2, 3, 3, 3]',
    ],
    [
      () => conv2d(zeros(1, 3, 4, 4), zeros(4, 1, 3, 3), null, { groups: 2 }),
      'conv2d: channels are not divisible by groups = 2; got [1, 3, 4, 4] and [4, 1, 3, 3]',
    ],
    [
      () => conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 3, 3), null, { groups: 0 }),
      'conv2d: groups must be a positive integer; it is 0',
    ],
    [
      () => conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 3, 3), null, { stride: 0 }),
      'conv2d: stride must be integers of at least 1; got [0, 0]',
    ],
    [() => maxPool2d(zeros(1, 4, 4), { kernel: 2 }), 'maxPool2d: x must have 4 axes [N, C, H, W]; got [1, 4, 4]'],
    [
      () => maxPool2d(zeros(1, 1, 4, 4), { kernel: 2, padding: 2 }),
      'maxPool2d: padding may be at most half the kernel; got [1, 1, 4, 4]',
    ],
    [
      () => maxPool2d(zeros(1, 1, 2, 2), { kernel: 3 }),
      'maxPool2d: the window is larger than the padded image; got [1, 1, 2, 2]',
    ],
    [() => avgPool2d(zeros(4, 4), { kernel: 2 }), 'avgPool2d: x must have 4 axes [N, C, H, W]; got [4, 4]'],
    [() => globalAvgPool2d(zeros(4, 4)), 'globalAvgPool2d: x must have 4 axes [N, C, H, W]; got [4, 4]'],
    [() => upsampleNearest(zeros(1, 1, 2, 2), 1.5), 'upsampleNearest: factor must be a positive integer; it is 1.5'],
    [() => pixelShuffle(zeros(1, 6, 2, 2), 2), 'pixelShuffle: channels must be divisible by 2²; got [1, 6, 2, 2]'],
    [
      () => batchNorm(zeros(2, 3), zeros(2), zeros(3)),
      'batchNorm: x must be [N, C, …], weight and bias [C]; got [2, 3] and [2] and [3]',
    ],
    [
      () => batchNorm(zeros(1, 3), zeros(3), zeros(3)),
      'batchNorm: training needs more than one value a channel; got [1, 3]',
    ],
    [
      () => fakeQuantize(zeros(2), zeros(2), { low: 0, high: 3 }),
      'fakeQuantize: the scale of an activation is one number; got [2] and [2]',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
  t.throws(() => fakeQuantize(zeros(2), zeros(), { low: 3, high: 3 }), {
    name: 'QuantError',
    message: 'fakeQuantize: the grid 3 … 3 is not an ascending pair of integers',
  });
});

t.test('errors carry data besides the sentence', async (t) => {
  try {
    add(f64([1, 2]), f64([1, 2, 3]));
    t.fail('should throw');
  } catch (error) {
    t.ok(error instanceof ShapeError);
    t.match(error, { op: 'add', shapes: [[2], [3]] });
  }
});
