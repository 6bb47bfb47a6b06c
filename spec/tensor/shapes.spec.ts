import '../startReference.js';
import t from 'tap';
import * as a2q from '../../lib/index.js';
import { arraysEqual } from '../helpers.js';

const { full, ones, tensor, zeros } = a2q;
const random = () => new a2q.Random(0);
const matrix = () => tensor([1, 2, 3], [1, 3]);
const image = () => ones([1, 4, 4, 4]);

/** Every function that takes extents, given some. */
const TAKES_EXTENTS: Readonly<Record<string, (shape: number[]) => unknown>> = {
  tensor: (shape) => tensor([1, 2, 3], shape),
  'tensor of typed arrays': (shape) => tensor(Float32Array.of(1, 2, 3), shape),
  full: (shape) => full(shape, 1),
  zeros: (shape) => zeros(shape),
  ones: (shape) => ones(shape),
  arange: ([n]) => a2q.arange(n),
  uniform: (shape) => a2q.uniform(shape, random()),
  normal: (shape) => a2q.normal(shape, random()),
  kaimingUniform: (shape) => a2q.kaimingUniform([...shape, 2, 2], random()),
  xavierNormal: (shape) => a2q.xavierNormal([...shape, 2, 2], random()),
  reshape: (shape) => a2q.reshape(matrix(), shape),
  expand: (shape) => a2q.expand(tensor(1), shape),
  'expand a matrix': ([rows]) => a2q.expand(matrix(), [rows, 3]),
  'a method': (shape) => matrix().reshape(shape),
};

/** None is a count, or together they are beyond any memory; −1 is not among them, it has a meaning here and there. */
const BAD = [[-2], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY], [1e12], [2 ** 16, 2 ** 16], [2 ** 31]];

for (const name of a2q.BACKEND_NAMES.filter((name) => !name.startsWith('gpu'))) {
  t.test(`extents that are no counts, or ask for too much, are refused as such: ${name}`, async (t) => {
    a2q.setBackend(a2q.backendNamed(name));
    for (const [fn, call] of Object.entries(TAKES_EXTENTS)) {
      for (const shape of BAD) {
        if (shape.length > 1 && (fn === 'arange' || fn === 'expand a matrix')) continue;
        t.throws(() => call(shape), { name: 'ShapeError', message: /extent|element counts/ }, `${fn} [${shape}]`);
      }
      for (const wrong of [undefined, null, '3', 3, {}] as unknown as number[][]) {
        if (/^tensor|^arange|a matrix$|^kaiming|^xavier/.test(fn)) continue;
        t.throws(
          () => call(wrong),
          { name: 'ShapeError', message: /a shape is an array of extents/ },
          `${fn} ${wrong}`,
        );
      }
    }
  });
}

t.test('an extent of −1', async (t) => {
  t.same(a2q.reshape(ones([4, 6]), [2, -1, 3]).shape, [2, 4, 3]);
  t.same(a2q.reshape(ones([0, 6]), [-1, 3]).shape, [0, 3], 'no elements make no rows');
  t.same(a2q.reshape(ones([0, 6]), [0, 6]).shape, [0, 6]);
  const refused = (message: RegExp, x: a2q.Tensor, shape: number[]) =>
    t.throws(() => a2q.reshape(x, shape), { name: 'ShapeError', message });
  refused(/extent −1 beside an extent of 0 could be any number/, ones([0, 6]), [0, -1]);
  refused(/extent −1 beside an extent of 0/, ones([6]), [-1, 0]);
  refused(/every extent must be a non-negative integer/, ones([6]), [-1, -1]);
  refused(/no extent for −1 makes a shape of 6 elements/, ones([6]), [4, -1]);
  const kept = a2q.expand(matrix(), [2, -1, -1]);
  t.same(kept.shape, [2, 1, 3]);
  arraysEqual(t, await kept.data(), [1, 2, 3, 1, 2, 3], 'expand keeps the axis');
  t.same(a2q.expand(matrix(), [-1, 3]).shape, [1, 3]);
  t.throws(() => a2q.expand(matrix(), [-1, 1, 3]), { name: 'ShapeError', message: /extent/ }, 'a new axis has none');
  t.throws(() => zeros([-1]), { name: 'ShapeError', message: /extent/ });
  t.throws(() => a2q.expand(matrix(), [3]), { name: 'ShapeError', message: /fewer axes/ });
});

t.test('broadcasting beyond memory is refused before a kernel runs', async (t) => {
  const [column, row] = [a2q.expand(tensor(1), [2 ** 20, 1]), a2q.expand(tensor(1), [1, 2 ** 20])];
  t.throws(() => a2q.add(column, row), { name: 'ShapeError', message: /more elements than the 2\^30/ });
  t.throws(() => a2q.upsampleNearest(image(), 2 ** 20), { name: 'ShapeError', message: /extents/ });
  t.throws(() => a2q.matmul(column, row), { name: 'ShapeError', message: /extents/ });
});

t.test('axes, positions, windows and factors that are no such numbers are refused by name', async (t) => {
  const calls: Readonly<Record<string, (n: number) => unknown>> = {
    permute: (n) => a2q.permute(matrix(), [n, 0]),
    transpose: (n) => a2q.transpose(matrix(), n, 0),
    'slice axis': (n) => a2q.slice(matrix(), n, 0),
    'slice start': (n) => a2q.slice(matrix(), 1, n),
    'slice end': (n) => a2q.slice(matrix(), 1, 0, n),
    'slice step': (n) => a2q.slice(matrix(), 1, 0, 3, n),
    concat: (n) => a2q.concat([matrix(), matrix()], n),
    sum: (n) => a2q.sum(matrix(), { axes: n }),
    max: (n) => a2q.max(matrix(), { axes: [n] }),
    logSoftmax: (n) => a2q.logSoftmax(matrix(), n),
    kthSmallest: (n) => a2q.kthSmallest(matrix(), n),
    'maxPool2d kernel': (n) => a2q.maxPool2d(image(), { kernel: n }),
    'maxPool2d padding': (n) => a2q.maxPool2d(image(), { kernel: 2, padding: n }),
    'avgPool2d kernel': (n) => a2q.avgPool2d(image(), { kernel: [2, n] }),
    'avgPool2d stride': (n) => a2q.avgPool2d(image(), { kernel: 2, stride: -n * n }),
    'conv2d padding': (n) => a2q.conv2d(image(), image(), null, { padding: n }),
    'conv2d dilation': (n) => a2q.conv2d(image(), ones([1, 4, 2, 2]), null, { dilation: n }),
    'conv2d groups': (n) => a2q.conv2d(image(), image(), null, { groups: n }),
    upsampleNearest: (n) => a2q.upsampleNearest(image(), n),
    pixelShuffle: (n) => a2q.pixelShuffle(image(), n),
    resizeConv2d: (n) => a2q.resizeConv2d(image(), ones([1, 4, 3, 3]), null, n),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const n of [-9, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e9]) {
      if (n === 1e9 && name === 'avgPool2d stride') continue;
      if (n === 1e9 && name === 'slice step') continue;
      t.throws(() => call(n), { name: 'ShapeError' }, `${name} ${n}`);
    }
  }
});

t.test('random numbers ask for numbers', async (t) => {
  const named = { name: 'A2QError', message: /^Random: / };
  for (const bad of [Number.NaN, 1.5, -1, 2 ** 31]) t.throws(() => random().permutation(bad), named, `${bad}`);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => random().uniform(0, bad), named);
    t.throws(() => random().normal(bad), named);
    t.throws(() => random().fork(bad), named);
    t.throws(() => a2q.uniform([2], random(), bad), named);
  }
  for (const bad of [undefined, null, '1', [1, 2], [1, 2, 3, 0.5], {}])
    t.throws(() => new a2q.Random(bad as never), named);
  t.throws(() => a2q.uniform([2], undefined as never), { name: 'ArgumentError', message: /random must be a Random/ });
});

t.test('int32 holds what it is given, or says what it cannot hold', async (t) => {
  const int32 = { dtype: 'int32' } as const;
  arraysEqual(t, await tensor([1, -2], [2], int32).data(), [1, -2], 'tensor');
  arraysEqual(t, await full([2], -7, int32).data(), [-7, -7], 'full');
  for (const value of [1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
    t.throws(() => tensor([1, value], [2], int32), { name: 'DTypeError', message: /^tensor: int32 cannot hold/ });
    t.throws(() => full([2], value, int32), { name: 'DTypeError', message: /^full: int32 cannot hold/ });
  }
});

t.test(
  'shapes and strides cannot be changed, neither on the tensor nor through the array it was made with',
  async (t) => {
    const given = [2, 2];
    const x = tensor([1, 2, 3, 4], given);
    given[0] = 1000;
    const layer = new a2q.Linear(2, 3, { random: random() });
    const all = [
      x,
      a2q.reshape(x, [4]),
      a2q.transpose(x),
      a2q.expand(ones([1, 2]), [5, 2]),
      layer.weight,
      a2q.add(x, 1),
    ];
    for (const { shape, strides } of all) {
      t.throws(() => (shape as number[]).splice(0, 1, 1000), TypeError);
      t.throws(() => (strides as number[]).splice(0, 1, 1000), TypeError);
    }
    t.same(x.shape, [2, 2]);
    arraysEqual(t, await x.data(), [1, 2, 3, 4], 'the numbers given');
  },
);
