import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { avgPool2d, globalAvgPool2d, maxPool2d } from '../../lib/autograd/pooling.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { between, distinct, f64, tensorsOf } from './support.js';

/** Random images in float64. */
function image(...shape: number[]): Tensor {
  return tensorsOf([between(-2, 2, shape)])[0];
}

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

t.test('what pooling refuses', async (t) => {
  const zeros = (...shape: number[]) => f64(new Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const cases: [work: () => unknown, message: string][] = [
    [() => maxPool2d(zeros(1, 4, 4), { kernel: 2 }), 'maxPool2d: x must have 4 axes [N, C, H, W]; got [1, 4, 4]'],
    [
      () => maxPool2d(zeros(1, 1, 4, 4), { kernel: 2, padding: 2 }),
      'maxPool2d: padding may be at most half the kernel; got [1, 1, 4, 4]',
    ],
    [
      () => maxPool2d(zeros(1, 1, 2, 2), { kernel: 3 }),
      'maxPool2d: the window is larger than the padded image; got [1, 1, 2, 2]',
    ],
    [
      () => avgPool2d(zeros(1, 1, 4, 4), { kernel: 2, padding: 2 }),
      'avgPool2d: padding may be at most half the kernel; got [1, 1, 4, 4]',
    ],
    [
      () => avgPool2d(zeros(1, 1, 4, 4), { kernel: 3, dilation: 2 }),
      'avgPool2d: the window is larger than the padded image; got [1, 1, 4, 4]',
    ],
    [
      () => maxPool2d(zeros(1, 1, 4, 4), { kernel: 2, dilation: 0 }),
      'maxPool2d: dilation must be integers of at least 1; got [0, 0]',
    ],
    [() => avgPool2d(zeros(4, 4), { kernel: 2 }), 'avgPool2d: x must have 4 axes [N, C, H, W]; got [4, 4]'],
    [() => globalAvgPool2d(zeros(4, 4)), 'globalAvgPool2d: x must have 4 axes [N, C, H, W]; got [4, 4]'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});

t.test('windows beyond the image: the largest and the mean of what is inside', async (t) => {
  const x = f64([-1, -2, -3, -4, -5], [1, 1, 1, 5]);
  const last = { kernel: [1, 2], ceilMode: true } as const;
  arraysEqual(t, await maxPool2d(x, last).data(), [-1, -3, -5], 'maxima');
  arraysEqual(t, await avgPool2d(x, last).data(), [-1.5, -3.5, -5], 'means');
  const padded = { kernel: [1, 3], stride: 2, padding: [0, 1] } as const;
  arraysEqual(t, await avgPool2d(x, { ...padded, countIncludePad: false }).data(), [-1.5, -3, -4.5], 'without zeros');
  const apart = { kernel: [1, 2], stride: 1, dilation: [1, 3] } as const;
  arraysEqual(t, await maxPool2d(x, apart).data(), [-1, -2], 'dilated maxima');
  arraysEqual(t, await avgPool2d(x, apart).data(), [-2.5, -3.5], 'dilated means');
  for (const options of [
    { kernel: 2, stride: 3, ceilMode: true },
    { kernel: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false },
    { kernel: 2, dilation: [1, 2], padding: 1 },
  ] as const) {
    for (const pool of [maxPool2d, avgPool2d]) {
      const { error } = await checkGrads((v) => pool(v, options), tensorsOf([distinct([2, 2, 5, 6])]) as [Tensor]);
      t.ok(error <= 1e-7, `gradients of ${pool.name}`);
    }
  }
});
