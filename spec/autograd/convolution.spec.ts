import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { conv1d, conv2d } from '../../lib/autograd/convolution.js';
import { pad } from '../../lib/autograd/ops.js';
import { closeTo } from '../helpers.js';
import { conv2d as conv2dOracle, numberArray } from '../oracle.js';
import { between, f64, tensorsOf } from './support.js';

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

t.test('what a convolution refuses', async (t) => {
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
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});

t.test("padding by sides is a convolution of the padded image, 'same' keeps the size", async (t) => {
  const [x, w] = tensorsOf([between(-2, 2, [1, 2, 5, 4]), between(-1, 1, [3, 2, 2, 4], 2)]);
  const sides = [
    [0, 2],
    [3, 1],
  ] as const;
  const want = conv2d(pad(x, [[0, 0], [0, 0], ...sides]), w);
  closeTo(t, await conv2d(x, w, null, { padding: sides }).data(), await want.data(), 1e-14, 'sides');
  t.same(conv2d(x, w, null, { padding: 'same', dilation: [3, 1] }).shape, [1, 3, 5, 4]);
  t.same(conv2d(x, w, null, { padding: 'valid' }).shape, [1, 3, 4, 1]);
  for (const padding of [sides, 'same'] as const) {
    const { error } = await checkGrads((u, v) => conv2d(u, v, null, { padding }), [x, w]);
    t.ok(error <= 1e-7, 'gradients');
  }
});

t.test('conv1d: gradients', async (t) => {
  const [x, w, b] = tensorsOf([between(-2, 2, [2, 4, 7]), between(-1, 1, [6, 2, 3], 2), between(-1, 1, [6], 3)]);
  const options = { stride: 2, padding: [2, 0], dilation: 2, groups: 2 } as const;
  const { error } = await checkGrads((u, v, bias) => conv1d(u, v, bias, options), [x, w, b]);
  t.ok(error <= 1e-7);
});

t.test('geometries that are refused by name', (t) => {
  const [x, w] = tensorsOf([between(-2, 2, [1, 2, 4, 4]), between(-1, 1, [2, 2, 3, 3])]);
  const [line, taps] = tensorsOf([between(-2, 2, [1, 2, 4]), between(-1, 1, [2, 2, 3])]);
  const cases: [work: () => unknown, message: string][] = [
    [() => conv2d(x, w, null, { padding: 'same', stride: 2 }), "conv2d: padding 'same' needs stride 1; it is [2, 2]"],
    [
      () => conv2d(x, w, null, { padding: 'full' as 'same' }),
      "conv2d: padding must be numbers, 'same' or 'valid'; it is 'full'",
    ],
    [
      () => conv2d(x, w, null, { padding: [[0, -1] as const, [0, 0] as const] }),
      'conv2d: padding must be integers of at least 0; got [0, -1]',
    ],
    [
      () => conv2d(x, w, null, { padding: [[1, 1], 2] as unknown as number }),
      'conv2d: padding by sides must be [[top, bottom], [left, right]]',
    ],
    [() => conv2d(x, w, null, { padding: -1 }), 'conv2d: padding must be integers of at least 0; got [-1, -1]'],
    [() => conv1d(x, w), 'conv1d: x and w must have 3 axes; got [1, 2, 4, 4] and [2, 2, 3, 3]'],
    [
      () => conv1d(line, taps, null, { groups: 2 }),
      'conv1d: w takes 2 channels a group, x has 2 in 2 groups; got [1, 2, 4] and [2, 2, 3]',
    ],
    [
      () => conv1d(line, taps, null, { dilation: 2 }),
      'conv1d: the kernel is larger than the padded sequence; got [1, 2, 4] and [2, 2, 3]',
    ],
    [
      () => conv1d(line, taps, null, { padding: 1.5 }),
      'conv1d: padding must be integers of at least 0; got [1.5, 1.5]',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
  t.end();
});
