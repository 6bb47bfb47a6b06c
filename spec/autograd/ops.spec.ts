import t, { type Test } from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import * as ops from '../../lib/autograd/ops.js';
import { backward } from '../../lib/autograd/tape.js';
import { backendNamed } from '../../lib/kernels/registry.js';
import { tensor } from '../../lib/tensor/create.js';
import { ShapeError } from '../../lib/tensor/errors.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { build, matmul as matmulOracle } from '../oracle.js';
import { between, distinct, f64, gradOf, reference, tensorsOf } from './support.js';

/** Checks the gradients of a composed function at ordinary points. */
async function checked(t: Test, fn: (...x: Tensor[]) => Tensor, inputs: Tensor[]): Promise<void> {
  const { error } = await checkGrads(fn, inputs);
  t.ok(error <= 1e-7, `gradients, relative error ${error.toExponential(1)}`);
}

t.test('plain numbers stand for scalars', async (t) => {
  const x = f64([1, 4]).withGrad();
  arraysEqual(t, await ops.add(x, 2).data(), [3, 6], 'right');
  arraysEqual(t, await ops.div(2, x).data(), [2, 0.5], 'left');
  backward(ops.sum(ops.div(2, x)));
  arraysEqual(t, (await gradOf(x)) ?? [], [-2, -0.125], 'gradient of 2/x');
  const both = ops.add(1, 2);
  t.same([both.shape, await both.item(), both.dtype], [[], 3, 'float32']);
  arraysEqual(t, await ops.where(f64([1, 0]), 7, x).data(), [7, 4], 'where');
});

t.test('clip: gradient inside and at the ends', async (t) => {
  const x = f64([-2, -1, 0, 1, 2]).withGrad();
  const y = ops.clip(x, -1, 1);
  arraysEqual(t, await y.data(), [-1, -1, 0, 1, 1], 'value');
  backward(ops.sum(y));
  arraysEqual(t, (await gradOf(x)) ?? [], [0, 1, 1, 1, 0], 'gradient');
  const low = f64(-1).withGrad();
  const high = f64([1, 0.5]).withGrad();
  backward(ops.sum(ops.clip(f64([-3, 3]), low, high)));
  arraysEqual(t, [...((await gradOf(low)) ?? []), ...((await gradOf(high)) ?? [])], [1, 0, 1], 'learned ends');
});

t.test('reshape works out one extent', async (t) => {
  const x = f64(new Array(12).fill(1), [3, 4]);
  t.same(ops.reshape(x, [2, -1]).shape, [2, 6]);
  t.same(ops.reshape(x, [-1]).shape, [12]);
  t.throws(() => ops.reshape(x, [-1, -1]), { name: 'ShapeError' });
});

t.test('reshape of a permuted tensor copies, row-major', async (t) => {
  const x = f64([
    [1, 2, 3],
    [4, 5, 6],
  ]).withGrad();
  const y = ops.reshape(ops.permute(x), [6]);
  arraysEqual(t, await y.data(), [1, 4, 2, 5, 3, 6], 'value');
  backward(y, f64([1, 2, 3, 4, 5, 6]));
  arraysEqual(t, (await gradOf(x)) ?? [], [1, 3, 5, 2, 4, 6], 'gradient');
});

t.test('transpose, permute and slice count axes from either end', async (t) => {
  const x = f64(new Array(24).fill(0), [2, 3, 4]);
  t.same(ops.transpose(x).shape, [2, 4, 3]);
  t.same(ops.transpose(x, 0, -1).shape, [4, 3, 2]);
  t.same(ops.permute(x, [-1, 0, 1]).shape, [4, 2, 3]);
  t.same(ops.permute(x).shape, [4, 3, 2]);
  const line = f64([0, 1, 2, 3, 4]);
  arraysEqual(t, await ops.slice(line, -1, -3).data(), [2, 3, 4], 'from −3');
  arraysEqual(t, await ops.slice(line, 0, 1, -1).data(), [1, 2, 3], 'to −1');
  arraysEqual(t, await ops.slice(line, 0, 0, 5, 2).data(), [0, 2, 4], 'by 2');
});

t.test('concat along any axis; not of nothing', async (t) => {
  const x = f64([[1], [2]]);
  arraysEqual(t, await ops.concat([x, ops.mul(x, 10)], -1).data(), [1, 10, 2, 20], 'columns');
  arraysEqual(t, await ops.concat([x, ops.mul(x, 10)]).data(), [1, 2, 10, 20], 'rows');
  t.throws(() => ops.concat([]), { name: 'ShapeError', message: 'concat: needs at least one tensor' });
  t.throws(() => ops.concat([x, f64([1])]), { name: 'ShapeError' });
});

t.test('sum, mean and max over some axes, with and without keeping them', async (t) => {
  const x = f64([
    [1, 2, 3],
    [4, 5, 9],
  ]);
  t.equal(await ops.sum(x).item(), 24);
  t.equal(await ops.mean(x).item(), 4);
  t.equal(await ops.max(x).item(), 9);
  const rows = ops.mean(x, { axes: 1 });
  t.same([rows.shape, [...(await rows.data())]], [[2], [2, 6]]);
  const columns = ops.max(x, { axes: [0], keepDims: true });
  t.same(
    [columns.shape, [...(await columns.data())]],
    [
      [1, 3],
      [4, 5, 9],
    ],
  );
  t.same(ops.sum(x, { axes: [-1, 0] }).shape, []);
  t.same(ops.sum(f64(3)).shape, [], 'a scalar stays one');
  await checked(t, (v) => ops.mean(v, { axes: [0, 2] }), tensorsOf([between(-2, 2, [2, 3, 4])]));
  await checked(t, (v) => ops.max(v), tensorsOf([distinct([3, 4])]));
});

t.test('matmul broadcasts its batch axes', async (t) => {
  const [a, b] = [between(-2, 2, [2, 1, 3, 4]), between(-2, 2, [5, 4, 2], 2)];
  const [x, y] = tensorsOf([a, b]);
  const product = ops.matmul(x, y);
  t.same(product.shape, [2, 5, 3, 2]);
  const stretched = build([10, 3, 4], ([i, row, k]) => a.data[(Math.floor(i / 5) * 3 + row) * 4 + k]);
  const repeated = build([10, 4, 2], ([i, k, column]) => b.data[((i % 5) * 4 + k) * 2 + column]);
  closeTo(t, await product.data(), matmulOracle(stretched, repeated).data, 1e-14, 'value');
  await checked(t, (u, v) => ops.matmul(u, v), [x, y]);
});

t.test('errors carry data besides the sentence', async (t) => {
  try {
    ops.add(f64([1, 2]), f64([1, 2, 3]));
    t.fail('should throw');
  } catch (error) {
    t.ok(error instanceof ShapeError);
    t.match(error, { op: 'add', shapes: [[2], [3]] });
  }
});
t.test('stack, split and pad take apart what they put together', async (t) => {
  const [a, b] = tensorsOf([between(-2, 2, [2, 3]), between(-2, 2, [2, 3], 2)]);
  for (const axis of [0, 1, 2, -1]) {
    const whole = ops.stack([a, b], axis);
    const [first, second] = ops.split(whole, 2, axis);
    arraysEqual(t, await first.data(), await a.data(), `axis ${axis}`);
    arraysEqual(t, await second.data(), await b.data(), `axis ${axis}`);
    await checked(t, (u, v) => ops.stack([u, v], axis), [a, b]);
  }
  t.same(
    ops.split(a, [0, 1, 2], -1).map(({ shape }) => shape),
    [
      [2, 0],
      [2, 1],
      [2, 2],
    ],
  );
  await checked(t, (v) => ops.mul(...(ops.split(v, [1, 1]) as [Tensor, Tensor])), [a]);
  const cases: [work: () => unknown, message: string][] = [
    [() => ops.split(a, [1, 1], 1), 'split: sizes [1, 1] do not add up to the 3 of axis 1; got [2, 3]'],
    [() => ops.split(a, [4, -1], 1), 'split: sizes [4, -1] do not add up to the 3 of axis 1; got [2, 3]'],
    [() => ops.split(a, 2, 1), 'split: the 3 of axis 1 cannot be divided into 2 equal parts; got [2, 3]'],
    [() => ops.split(a, 0), 'split: the 2 of axis 0 cannot be divided into 0 equal parts; got [2, 3]'],
    [() => ops.stack([]), 'stack: needs at least one tensor'],
    [() => ops.stack([a, f64([1])]), 'stack: all tensors must have one shape; got [2, 3] and [1]'],
    [() => ops.stack([a, b], 3), 'stack: axis 3 does not exist in a tensor of 3 axes'],
    [() => ops.argmax(f64([], [2, 0]), 1), 'argmax: no elements to take the maximum of; got [2, 0]'],
    [() => ops.argmax(a, 2), 'argmax: axis 2 does not exist in a tensor of 2 axes'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
  for (const padding of [
    [[1, 1]],
    [
      [0, 0],
      [0, -1],
    ],
    [
      [0, 0],
      [1.5, 0],
    ],
    [[0, 0], 1],
    2,
  ]) {
    const pad = () => ops.pad(a, padding as [number, number][]);
    t.throws(pad, { name: 'ShapeError', op: 'pad' }, JSON.stringify(padding));
  }
});

t.test('matmul of vectors: gradients', async (t) => {
  for (const [a, b] of [
    [[3], [3]],
    [[3], [2, 3, 4]],
    [[2, 4, 3], [3]],
  ]) {
    await checked(t, (u, v) => ops.matmul(u, v), tensorsOf([between(-2, 2, a), between(-2, 2, b, 2)]));
  }
});

t.test('pow: powers a float32 has to get right', async (t) => {
  for (const backend of [backendNamed('wasm'), reference]) {
    const of = (values: number[]) => tensor(values, undefined, { device: backend });
    arraysEqual(t, await ops.pow(of([3, -3, 10, 2, 0, -8]), 2).data(), [9, 9, 100, 4, 0, 64], 'squares');
    arraysEqual(t, await ops.pow(2, of([-1, 0, 0.5, 10])).data(), [0.5, 1, Math.fround(Math.SQRT2), 1024], 'of two');
    const { NaN: none, POSITIVE_INFINITY: endless } = Number;
    arraysEqual(
      t,
      await ops.pow(of([-1, 0, 0, none, 1]), of([0.5, 0, -1, 2, none])).data(),
      [none, 1, endless, none, 1],
      'edges',
    );
  }
});

t.test('methods are the functions of the same name', async (t) => {
  const x = f64([
    [0.5, 2],
    [3, 4],
  ]);
  const pairs: [method: Tensor, direct: Tensor][] = [
    [x.neg(), ops.neg(x)],
    [x.abs(), ops.abs(x)],
    [x.exp(), ops.exp(x)],
    [x.log(), ops.log(x)],
    [x.sqrt(), ops.sqrt(x)],
    [x.square(), ops.square(x)],
    [x.relu(), ops.relu(x)],
    [x.tanh(), ops.tanh(x)],
    [x.sigmoid(), ops.sigmoid(x)],
    [x.add(1), ops.add(x, 1)],
    [x.sub(x), ops.sub(x, x)],
    [x.mul(3), ops.mul(x, 3)],
    [x.div(x), ops.div(x, x)],
    [x.clip(1, 3), ops.clip(x, 1, 3)],
    [x.matmul(x), ops.matmul(x, x)],
    [x.reshape([4]), ops.reshape(x, [4])],
    [x.permute([1, 0]), ops.permute(x, [1, 0])],
    [x.transpose(), ops.transpose(x)],
    [x.expand([2, 2, 2]), ops.expand(x, [2, 2, 2])],
    [x.slice(0, 1), ops.slice(x, 0, 1)],
    [x.sum({ axes: 0 }), ops.sum(x, { axes: 0 })],
    [x.mean(), ops.mean(x)],
    [x.max({ axes: 1, keepDims: true }), ops.max(x, { axes: 1, keepDims: true })],
  ];
  for (const [method, direct] of pairs) {
    t.same(method.shape, direct.shape);
    arraysEqual(t, await method.data(), await direct.data(), 'same numbers');
  }
});
