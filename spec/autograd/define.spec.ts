import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { defineFunction, straightThrough } from '../../lib/autograd/define.js';
import { abs, add, clip, mul, sign, square, sub, sum, trunc } from '../../lib/autograd/ops.js';
import { backward } from '../../lib/autograd/tape.js';
import { dispose, memory, scope } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { f64, gradOf, reference } from './support.js';

const cube = defineFunction({
  name: 'cube',
  forward: (x: Tensor) => mul(square(x), x),
  vjp: (g, [x]) => [mul(g, mul(square(x), 3))],
});

t.test('defineFunction: value and gradient', async (t) => {
  const x = f64([2, -1]).withGrad();
  const y = cube(x);
  arraysEqual(t, await y.data(), [8, -1], 'value');
  backward(sum(y));
  arraysEqual(t, (await gradOf(x)) ?? [], [12, 3], 'gradient');
  t.ok((await checkGrads(cube, [f64([0.5, -2, 0])])).error < 1e-7);
});

t.test('defineFunction: rules may read the output, skip arguments and know what is given', async (t) => {
  const scaled = defineFunction({
    name: 'scaled',
    forward: (x: Tensor, factor: Tensor) => mul(x, factor),
    vjp: (g, [, factor], y) => {
      t.same(y.shape, [2]);
      return [mul(g, factor), null];
    },
  });
  const x = f64([1, 2]).withGrad();
  const factor = f64(5).withGrad();
  backward(sum(scaled(x, factor)));
  arraysEqual(t, (await gradOf(x)) ?? [], [5, 5], 'x');
  t.equal(factor.grad, null, 'null is no gradient');
});

t.test('defineFunction: rules that return too few, or misshapen gradients', async (t) => {
  const few = defineFunction({ name: 'few', forward: (a: Tensor, b: Tensor) => add(a, b), vjp: (g) => [g] });
  const x = f64([1, 2]).withGrad();
  t.throws(() => backward(sum(few(x, x))), {
    name: 'TapeError',
    message: 'few: vjp returned 1 gradients for 2 inputs',
  });
  const wide = defineFunction({ name: 'wide', forward: (a: Tensor) => square(a), vjp: () => [f64([[1, 2]])] });
  t.throws(() => backward(sum(wide(x))), {
    name: 'ShapeError',
    message: 'wide: the gradient to argument 0 has another shape than the argument; got [1, 2] and [2]',
  });
});

t.test('defineFunction: what is no tensor is refused by name', (t) => {
  const make = (forward: unknown, vjp: unknown) =>
    defineFunction<[Tensor]>({ name: 'own', forward: forward as () => Tensor, vjp: vjp as () => Tensor[] });
  const x = f64([1, 2]).withGrad();
  for (const y of [undefined, 3]) {
    t.throws(() => make(() => y, null)(x), { name: 'TapeError', message: 'own: forward must return a tensor' });
  }
  for (const grads of [undefined, [undefined], [3]]) {
    t.throws(() => backward(sum(make(square, () => grads)(x))), {
      name: 'TapeError',
      message: 'own: vjp must return a list of tensors, null where there is no gradient',
    });
  }
  t.throws(() => (make(square, null) as () => Tensor)(), {
    name: 'ShapeError',
    message: 'own: needs at least one tensor',
  });
  t.end();
});

t.test('defineFunction: a gradient the rule did not make stays its owner’s', async (t) => {
  const constant = f64([7, 7]);
  const fixed = defineFunction({ name: 'fixed', forward: (x: Tensor) => square(x), vjp: () => [constant] });
  const leaf = f64([1, 2]).withGrad();
  backward(sum(fixed(leaf)));
  t.ok(leaf.grad?.storage !== constant.storage, 'a leaf copies it');
  leaf.grad?.dispose();
  const other = f64([1, 2]).withGrad();
  backward(sum(fixed(mul(other, 2))));
  arraysEqual(t, (await gradOf(other)) ?? [], [14, 14], 'passed on');
  arraysEqual(t, await constant.data(), [7, 7], 'not freed with the tape');
});

t.test('straightThrough: the value of one function, the slope of another', async (t) => {
  const binarize = straightThrough({
    name: 'binarize',
    forward: (x: Tensor) => sign(x),
    surrogate: (x) => clip(x, -1, 1),
  });
  const x = f64([-3, -0.5, 0.5, 3]).withGrad();
  const y = binarize(x);
  arraysEqual(t, await y.data(), [-1, -1, 1, 1], 'value');
  backward(sum(mul(y, f64([1, 2, 3, 4]))));
  arraysEqual(t, (await gradOf(x)) ?? [], [0, 2, 3, 0], 'slope of the clip');
  const at = [f64([-3, -0.5, 0.5, 3])] as const;
  t.ok((await checkGrads(binarize, at, { surrogate: () => binarize.surrogate })).error < 1e-7);
  await t.rejects(checkGrads(binarize, at), { name: 'TapeError' }, 'its own differences are another matter');
});

t.test('straightThrough: the default surrogate is the first input', async (t) => {
  const cut = straightThrough({ name: 'cut', forward: (x: Tensor, limit: Tensor) => clip(trunc(x), 0, limit) });
  const x = f64([0.7, 9.3]).withGrad();
  const limit = f64(3).withGrad();
  const y = cut(x, limit);
  arraysEqual(t, await y.data(), [0, 3], 'value');
  backward(sum(mul(y, 2)));
  arraysEqual(t, (await gradOf(x)) ?? [], [2, 2], 'identity');
  t.equal(limit.grad, null);
});

t.test('straightThrough: what the surrogate detaches is a constant of the point', async (t) => {
  const scaled = straightThrough({
    name: 'scaled',
    forward: (x: Tensor, s: Tensor) => mul(trunc(x), s),
    surrogate: (x, s) => mul(add(x, sub(trunc(x.detach()), x.detach())), s),
  });
  const x = f64([1.5, -2.25]).withGrad();
  const s = f64(2).withGrad();
  backward(sum(scaled(x, s)));
  arraysEqual(t, (await gradOf(x)) ?? [], [2, 2], 'x');
  arraysEqual(t, (await gradOf(s)) ?? [], [1 - 2], 'Σ trunc(x)');
});

t.test('straightThrough works inside noGrad, and its gradients leave nothing behind', async (t) => {
  const product = straightThrough({ name: 'product', forward: (a: Tensor, b: Tensor) => mul(a, b), surrogate: mul });
  const a = f64([1, 2]).withGrad();
  const constant = f64([3, 4]);
  const before = memory(reference);
  const [storages, bytes] = [before.storages, before.bytes];
  for (let i = 0; i < 5; i++) {
    scope(() => backward(sum(abs(product(a, mul(constant, 2))))));
    dispose(a.grad);
    a.grad = null;
  }
  t.equal(memory(reference).storages, storages);
  t.equal(memory(reference).bytes, bytes);
});
