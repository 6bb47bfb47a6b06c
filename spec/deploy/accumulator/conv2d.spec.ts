import t from 'tap';
import { accumulateConv2d } from '../../../lib/deploy/accumulator/conv2d.js';
import type { IntegerArray } from '../../../lib/deploy/accumulator/engine.js';
import type { Overflow } from '../../../lib/deploy/accumulator/register.js';
import type { ConvGeometry } from '../../../lib/kernels/geometry.js';
import { QuantError, ShapeError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';
import { naiveAll } from './oracle.js';

const plain: ConvGeometry = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };

function randomIntegers(random: Random, shape: number[], low: number, high: number): IntegerArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { data: Int32Array.from({ length: size }, () => Math.floor(random.uniform(low, high + 1))), shape };
}

/** Every output's weights and patch, by index arithmetic. */
function patches(x: IntegerArray, w: IntegerArray, geometry: ConvGeometry): { q: number[]; x: number[] }[] {
  const [batch, channels, height, width] = x.shape;
  const [outputs, depth, kh, kw] = w.shape;
  const { stride, padding, dilation, groups } = geometry;
  const extent = (size: number, kernel: number, axis: 0 | 1) =>
    Math.floor((size + 2 * padding[axis] - dilation[axis] * (kernel - 1) - 1) / stride[axis]) + 1;
  const products: { q: number[]; x: number[] }[] = [];
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < outputs; o++)
      for (let row = 0; row < extent(height, kh, 0); row++)
        for (let column = 0; column < extent(width, kw, 1); column++) {
          const product: { q: number[]; x: number[] } = { q: [], x: [] };
          for (let c = 0; c < depth; c++)
            for (let i = 0; i < kh; i++)
              for (let j = 0; j < kw; j++) {
                const h = row * stride[0] - padding[0] + i * dilation[0];
                const v = column * stride[1] - padding[1] + j * dilation[1];
                const from = Math.floor(o / (outputs / groups)) * depth + c;
                const inside = h >= 0 && h < height && v >= 0 && v < width;
                product.q.push(w.data[((o * depth + c) * kh + i) * kw + j]);
                product.x.push(inside ? x.data[((n * channels + from) * height + h) * width + v] : 0);
              }
          products.push(product);
        }
  return products;
}

t.test('worked by hand: a 2×2 window over 3×3', async (t) => {
  const x = { data: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), shape: [1, 1, 3, 3] };
  const w = { data: Int32Array.of(1, 0, -1, 2), shape: [1, 1, 2, 2] };
  const { y, overflows, sums } = accumulateConv2d(x, w, plain, { accumulatorBits: 8, overflow: 'wrap' });
  t.same(y.shape, [1, 1, 2, 2]);
  t.same(Array.from(y.data), [7, 9, 13, 15]);
  t.equal(overflows, 0);
  t.equal(sums, 12, 'three nonzero weights, four outputs');
});

t.test('geometries, widths and modes agree with the BigInt loop', async (t) => {
  const random = new Random(11);
  const cases: { name: string; x: number[]; w: number[]; geometry: ConvGeometry }[] = [
    { name: '3×3 padded', x: [2, 3, 5, 6], w: [4, 3, 3, 3], geometry: { ...plain, padding: [1, 1] } },
    { name: 'stride 2', x: [1, 2, 7, 7], w: [3, 2, 3, 3], geometry: { ...plain, stride: [2, 2], padding: [1, 1] } },
    { name: 'dilated', x: [1, 2, 8, 7], w: [2, 2, 3, 2], geometry: { ...plain, dilation: [2, 3], padding: [2, 1] } },
    { name: 'oblong', x: [3, 1, 4, 9], w: [2, 1, 1, 5], geometry: { ...plain, stride: [1, 3], padding: [0, 2] } },
    { name: 'grouped', x: [2, 4, 4, 4], w: [6, 2, 3, 3], geometry: { ...plain, padding: [1, 1], groups: 2 } },
    { name: 'depthwise', x: [2, 5, 4, 5], w: [5, 1, 3, 3], geometry: { ...plain, padding: [1, 1], groups: 5 } },
    { name: '1×1', x: [3, 6, 1, 1], w: [4, 6, 1, 1], geometry: plain },
    { name: 'window = image', x: [5, 2, 3, 3], w: [3, 2, 3, 3], geometry: plain },
  ];
  for (const { name, x: xShape, w: wShape, geometry } of cases)
    for (const low of [0, -8]) {
      const x = randomIntegers(random, xShape, low, low + 15);
      const w = randomIntegers(random, wShape, -7, 7);
      const products = patches(x, w, geometry);
      for (const bits of [6, 9, 16, 32])
        for (const overflow of ['exact', 'wrap', 'saturate'] satisfies Overflow[]) {
          const { y, ...counts } = accumulateConv2d(x, w, geometry, { accumulatorBits: bits, overflow });
          const want = naiveAll(products, bits, overflow);
          t.same({ y: Array.from(y.data), ...counts }, want, `${name}, inputs from ${low}, ${bits} bits, ${overflow}`);
        }
    }
});

t.test('an order given is the order taken', async (t) => {
  const x = { data: Int32Array.of(10, 10, 10), shape: [1, 3, 1, 1] };
  const w = { data: Int32Array.of(7, 7, -7), shape: [1, 3, 1, 1] };
  const run = (order: number[]) => accumulateConv2d(x, w, plain, { accumulatorBits: 8, overflow: 'wrap', order });
  t.equal(run([0, 1, 2]).overflows, 2);
  t.equal(run([0, 2, 1]).overflows, 0);
});

t.test('no images give no outputs', async (t) => {
  const x = { data: new Int32Array(0), shape: [0, 1, 3, 3] };
  const w = { data: Int32Array.of(1, 2, 3, 4), shape: [1, 1, 2, 2] };
  const result = accumulateConv2d(x, w, plain, { accumulatorBits: 8, overflow: 'wrap' });
  t.same(result.y.shape, [0, 1, 2, 2]);
  t.equal(result.sums, 0);
});

t.test('bad input is refused', async (t) => {
  const x = { data: new Int32Array(18), shape: [1, 2, 3, 3] };
  const w = { data: new Int32Array(8), shape: [1, 2, 2, 2] };
  const options = { accumulatorBits: 8, overflow: 'wrap' } as const;
  const run = (over: Partial<ConvGeometry>, weight: IntegerArray = w) =>
    accumulateConv2d(x, weight, { ...plain, ...over }, options);
  t.throws(() => run({ groups: 2 }), {
    message: /channels do not fit 2 groups; got \[1, 2, 3, 3\] and \[1, 2, 2, 2\]/,
  });
  t.throws(() => run({ stride: [0, 1] }), ShapeError);
  t.throws(() => run({ padding: [-1, 0] }), ShapeError);
  t.throws(() => run({ dilation: [3, 3] }), { message: /window is larger than the padded input/ });
  t.throws(() => run({}, { data: new Int32Array(7), shape: [1, 2, 2, 2] }), ShapeError);
  t.throws(() => run({}, { data: new Int32Array(8), shape: [2, 4] }), { message: /w must have 4 axes/ });
  t.throws(() => accumulateConv2d(x, w, plain, { ...options, accumulatorBits: 64 }), QuantError);
});
