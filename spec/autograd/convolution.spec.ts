import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { conv2d } from '../../lib/autograd/convolution.js';
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
