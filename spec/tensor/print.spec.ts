import '../startReference.js';
import { inspect } from 'node:util';
import t from 'tap';
import {
  arange,
  backendNamed,
  type DType,
  format,
  full,
  setBackend,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';

/** What NumPy writes between `array(` and `)`, eight columns from the left; then what the tensor is. */
const cases: readonly (readonly [what: string, x: () => Tensor<DType>, numbers: string])[] = [
  ['a number', () => tensor(3.25), '3.25'],
  ['whole numbers', () => tensor([1, 2, 3]), '[1., 2., 3.]'],
  [
    'fractions, aligned',
    () =>
      tensor([
        [1, 0.5],
        [-3, 2],
      ]),
    '[[ 1. ,  0.5],\n        [-3. ,  2. ]]',
  ],
  ['the fewest digits that float32 needs', () => tensor([0.1, -1 / 3]), '[ 0.1       , -0.33333334]'],
  ['no numbers', () => tensor([NaN, Infinity, -Infinity, 0.5]), '[ nan,  inf, -inf,  0.5]'],
  ['sizes far apart', () => tensor([1e-9, 1, 1e9]), '[1e-9, 1e+0, 1e+9]'],
  ['integers', () => tensor(Int32Array.of(1, -20, 300)), '[  1, -20, 300]'],
  ['nothing', () => zeros([0, 3]), '[]'],
  [
    'three axes',
    () => arange(8).reshape([2, 2, 2]),
    '[[[0., 1.],\n         [2., 3.]],\n\n        [[4., 5.],\n         [6., 7.]]]',
  ],
  ['a view', () => arange(6).reshape([2, 3]).transpose().slice(0, 1), '[[1., 4.],\n        [2., 5.]]'],
  ['a long axis', () => arange(2000), '[   0.,    1.,    2., ..., 1997., 1998., 1999.]'],
  [
    'many rows',
    () => arange(3000).reshape([1500, 2]),
    [
      '[[   0.,    1.]',
      '[   2.,    3.]',
      '[   4.,    5.]',
      '...',
      '[2994., 2995.]',
      '[2996., 2997.]',
      '[2998., 2999.]]',
    ].join(',\n        '),
  ],
  [
    'a line that is full',
    () => full([20], 10),
    `[${'10., '.repeat(13)}\n        ${'10., '.repeat(6)}10.]`.replace(', \n', ',\n'),
  ],
];

for (const name of ['wasm', 'reference']) {
  t.test(`tensors are printed as NumPy prints arrays: ${name}`, async (t) => {
    setBackend(backendNamed(name));
    for (const [what, make, numbers] of cases) {
      const x = make();
      const want = `tensor(${numbers}, ${x.dtype} [${x.shape.join(', ')}] on ${name})`;
      t.equal(await format(x), want, what);
      t.equal(inspect(x), want, `${what}, as console.log shows it`);
    }
  });
}

t.test('a freed tensor is shown as such, and text in sentences stays short', async (t) => {
  const x = zeros([2]);
  t.equal(`${x}`, 'Tensor(float32 [2] on reference)');
  x.dispose();
  t.equal(inspect({ x }), '{ x: Tensor(float32 [2] on reference), freed }');
  await t.rejects(format(x), { name: 'TapeError' });
});

t.test('memory that cannot be read at once is described, and printed when asked for', async (t) => {
  const backend = Object.create(backendNamed('reference'), { host: { value: undefined }, name: { value: 'far' } });
  const x = tensor([1, 2], [2], { device: backend });
  t.equal(inspect(x), 'Tensor(float32 [2] on far)');
  t.equal(await format(x), 'tensor([1., 2.], float32 [2] on far)');
});
