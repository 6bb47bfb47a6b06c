import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { conv2d } from '../../lib/autograd/convolution.js';
import { pixelShuffle, resizeConv2d, subPixelKernel, upsampleNearest } from '../../lib/autograd/resample.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { between, f64, tensorsOf } from './support.js';

t.test('a resize convolution is the convolution of the resized image, and its gradients are right', async (t) => {
  for (const [kernel, factor, size] of [
    [3, 2, [4, 5]],
    [3, 3, [3, 2]],
    [5, 2, [5, 3]],
    [5, 3, [2, 4]],
    [1, 2, [3, 3]],
    [7, 4, [2, 3]],
  ] as const) {
    const [x, w, b] = tensorsOf([
      between(-2, 2, [2, 3, ...size]),
      between(-1, 1, [2, 3, kernel, kernel], 2),
      between(-1, 1, [2], 3),
    ]);
    const padding = (kernel - 1) / 2;
    const run = (x: Tensor, w: Tensor, b: Tensor) => resizeConv2d(x, w, b, factor);
    const want = conv2d(upsampleNearest(x, factor), w, b, { padding });
    closeTo(t, await run(x, w, b).data(), await want.data(), 1e-12, `${kernel}×${kernel}, ×${factor}`);
    const { error } = await checkGrads(run, [x, w, b]);
    t.ok(error < 1e-6, `gradients of ${kernel}×${kernel}, ×${factor}`);
  }
});

t.test('the small kernel of a resize convolution adds up the taps that fall on one pixel', async (t) => {
  const { kernel, padding } = subPixelKernel(f64([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]), 2);
  t.same(
    [kernel.shape, padding],
    [
      [4, 1, 3, 3],
      [1, 1],
    ],
  );
  // Sub-pixel (0, 0) looks at small pixels −1, 0, 0 along each axis, (1, 1) at 0, 0, 1.
  const first = [1, 5, 0, 11, 28, 0, 0, 0, 0];
  const last = [0, 0, 0, 0, 12, 9, 0, 15, 9];
  const data = await kernel.data();
  arraysEqual(t, data.slice(0, 9), first, 'sub-pixel (0, 0)');
  arraysEqual(t, data.slice(27), last, 'sub-pixel (1, 1)');
});

t.test('what a resize convolution refuses', (t) => {
  const [x, w] = tensorsOf([between(-2, 2, [1, 2, 4, 4]), between(-2, 2, [2, 2, 3, 3], 2)]);
  const even = tensorsOf([between(-2, 2, [2, 2, 2, 3])])[0];
  const cases: [work: () => unknown, message: string][] = [
    [() => resizeConv2d(x, w, null, 1.5), 'resizeConv2d: factor must be a positive integer; it is 1.5'],
    [() => resizeConv2d(x, w, null, 0), 'resizeConv2d: factor must be a positive integer; it is 0'],
    [() => resizeConv2d(x, even, null, 2), 'resizeConv2d: w must be [O, C, kh, kw] with odd extents; got [2, 2, 2, 3]'],
    [
      () => resizeConv2d(x, w, f64([1, 2, 3]), 2),
      'resizeConv2d: bias must hold one number an output channel; got [3] and [2, 2, 3, 3]',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
  const other = tensorsOf([between(-2, 2, [2, 3, 3, 3])])[0];
  t.throws(() => resizeConv2d(x, other, null, 2), {
    name: 'ShapeError',
    message: /w takes 3 channels a group, x has 2/,
  });
  t.end();
});

t.test('pixelShuffle: channel c·r² + i·r + j becomes sub-pixel (i, j) of channel c', async (t) => {
  const x = f64([0, 1, 2, 3, 4, 5, 6, 7], [1, 8, 1, 1]);
  const y = pixelShuffle(x, 2);
  t.same(y.shape, [1, 2, 2, 2]);
  arraysEqual(t, await y.data(), [0, 1, 2, 3, 4, 5, 6, 7], 'one pixel');
  const wide = pixelShuffle(f64([0, 1, 10, 11, 20, 21, 30, 31], [1, 4, 1, 2]), 2);
  t.same(wide.shape, [1, 1, 2, 4]);
  arraysEqual(t, await wide.data(), [0, 10, 1, 11, 20, 30, 21, 31], 'two pixels');
  const { error } = await checkGrads(
    (v: Tensor) => pixelShuffle(v, 2),
    tensorsOf([between(-2, 2, [2, 4, 2, 3])]) as [Tensor],
  );
  t.ok(error <= 1e-7);
});

t.test('shapes that up-sampling refuses', async (t) => {
  const zeros = (...shape: number[]) => f64(new Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const cases: [work: () => unknown, message: string][] = [
    [() => upsampleNearest(zeros(1, 1, 2, 2), 1.5), 'upsampleNearest: factor must be a positive integer; it is 1.5'],
    [() => pixelShuffle(zeros(1, 6, 2, 2), 2), 'pixelShuffle: channels must be divisible by 2²; got [1, 6, 2, 2]'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});
