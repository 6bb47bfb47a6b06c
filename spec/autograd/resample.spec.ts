import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { conv2d } from '../../lib/autograd/imageOps.js';
import { resizeConv2d, subPixelKernel, upsampleNearest } from '../../lib/autograd/resample.js';
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
