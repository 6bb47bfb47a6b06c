import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { add, exp, matmul, mul, neg, reshape, square, sub, sum, where } from '../../lib/autograd/ops.js';
import { row } from '../../lib/autograd/row.js';
import { apply, applyAll, backward, isRecording, noGrad, withGrad } from '../../lib/autograd/tape.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import * as value from '../../lib/kernels/value.js';
import { tensor } from '../../lib/tensor/create.js';
import { DTypeError, ShapeError } from '../../lib/tensor/errors.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { f64, gradOf } from './support.js';

t.test('gradients of a value used many times add up', async (t) => {
  const x = f64([2, -3]).withGrad();
  const y = mul(x, x);
  backward(sum(add(mul(y, x), y)));
  arraysEqual(t, (await gradOf(x)) ?? [], [3 * 4 + 2 * 2, 3 * 9 - 2 * 3], '3x² + 2x');
});

t.test('gradients of several backward calls add up in .grad', async (t) => {
  const x = f64([1, 2]).withGrad();
  backward(sum(mul(x, 3)));
  backward(sum(square(x)));
  arraysEqual(t, (await gradOf(x)) ?? [], [5, 7], 'sum of both');
  t.same(x.grad?.shape, [2]);
});

t.test('broadcasting is undone: each gradient has the shape of its argument', async (t) => {
  const column = f64([[1], [2]]).withGrad();
  const vector = f64([10, 20, 30]).withGrad();
  const scalar = f64(4).withGrad();
  backward(sum(mul(add(column, vector), scalar)));
  t.same([column.grad?.shape, vector.grad?.shape, scalar.grad?.shape], [[2, 1], [3], []]);
  arraysEqual(t, (await gradOf(column)) ?? [], [12, 12], 'over 3 columns, times 4');
  arraysEqual(t, (await gradOf(vector)) ?? [], [8, 8, 8], 'over 2 rows, times 4');
  arraysEqual(t, (await gradOf(scalar)) ?? [], [3 * 3 + 2 * 60], 'over all');
});

t.test('one argument given twice, directly and through views', async (t) => {
  const x = f64([1, 2, 3, 4], [2, 2]).withGrad();
  backward(sum(add(x, x)));
  arraysEqual(t, (await gradOf(x)) ?? [], [2, 2, 2, 2], 'x + x');
  const y = f64([1, 2, 3, 4], [2, 2]).withGrad();
  const flat = reshape(y, [4]);
  backward(sum(mul(flat, flat)));
  arraysEqual(t, (await gradOf(y)) ?? [], [2, 4, 6, 8], 'through a view');
});

t.test('the gradients of two leaves never share memory', async (t) => {
  const a = f64([1, 2]).withGrad();
  const b = f64([3, 4]).withGrad();
  const upstream = f64([5, 6]);
  backward(add(a, b), upstream);
  a.grad?.write(Float64Array.of(-1, -1));
  arraysEqual(t, (await gradOf(b)) ?? [], [5, 6], 'b keeps its own');
  arraysEqual(t, await upstream.data(), [5, 6], 'so does the caller');
});

t.test('the gradient of a leaf itself', async (t) => {
  const x = f64(3).withGrad();
  backward(x);
  arraysEqual(t, (await gradOf(x)) ?? [], [1], 'd x / d x');
});

t.test('backward with a gradient of the shape of the result', async (t) => {
  const x = f64([1, 2]).withGrad();
  square(x).backward(f64([10, 100]));
  arraysEqual(t, (await gradOf(x)) ?? [], [20, 400], 'weighted');
  t.throws(() => square(x).backward(), {
    name: 'ShapeError',
    message: 'backward: a loss of more than one element needs a gradient of its shape; got [2]',
  });
  t.throws(() => square(x).backward(f64([1, 2, 3])), {
    name: 'ShapeError',
    message: 'backward: the gradient must have the shape of the loss; got [3] and [2]',
  });
  const one = f64([[3]]).withGrad();
  square(one).backward();
  arraysEqual(t, (await gradOf(one)) ?? [], [6], 'one element of any rank needs none');
});

t.test('a tape is consumed by backward unless retained', async (t) => {
  const x = f64([1, 2]).withGrad();
  const loss = sum(square(x));
  backward(loss, undefined, { retain: true });
  backward(loss);
  arraysEqual(t, (await gradOf(x)) ?? [], [4, 8], 'twice the gradient');
  t.throws(() => backward(loss), {
    name: 'TapeError',
    message: 'backward: the tape of reshape was consumed by an earlier backward; pass { retain: true } there',
  });
  const shared = exp(x);
  backward(sum(shared));
  t.throws(() => backward(sum(neg(shared))), /the tape of exp was consumed/, 'a shared part counts as consumed');
});

t.test('tensors without history', async (t) => {
  const constant = f64([1]);
  const message = 'backward: this tensor does not depend on anything that requires a gradient';
  t.throws(() => backward(sum(constant)), { name: 'TapeError', message });
  const x = f64([1]).withGrad();
  const off = noGrad(() => sum(square(x)));
  t.notOk(off.requiresGrad);
  t.throws(() => backward(off), { name: 'TapeError', message });
  backward(sum(add(square(x), constant)));
  t.equal(constant.grad, null, 'constants collect nothing');
});

t.test('detach cuts the history and shares the value', async (t) => {
  const x = f64([3]).withGrad();
  const y = square(x);
  const cut = y.detach();
  t.equal(cut.storage, y.storage);
  backward(sum(mul(y, cut)));
  arraysEqual(t, (await gradOf(x)) ?? [], [9 * 6], 'cut counts as the constant 9');
});

t.test('noGrad and withGrad nest and survive exceptions', async (t) => {
  const x = f64([3]).withGrad();
  t.ok(isRecording());
  noGrad(() => {
    t.notOk(isRecording());
    t.ok(withGrad(() => square(x)).requiresGrad, 'recording again inside');
    noGrad(() => t.notOk(isRecording()));
    t.notOk(isRecording());
  });
  t.throws(() => noGrad(() => add(f64([1, 2]), f64([1, 2, 3]))), ShapeError);
  t.ok(isRecording(), 'back on after a throw');
  t.throws(() => noGrad(async () => x), { name: 'TapeError', message: 'noGrad: the callback must not be async' });
  t.ok(isRecording());
});

t.test('withGrad marks leaves of floating point only', async (t) => {
  const x = f64([1]).withGrad();
  t.equal(x.withGrad(), x);
  t.throws(() => square(x).withGrad(), {
    name: 'TapeError',
    message: 'withGrad: only leaves collect gradients; detach() this tensor first',
  });
  t.throws(() => tensor(Int32Array.of(1)).withGrad(), {
    name: 'DTypeError',
    message: 'withGrad: int32 tensors have no gradient',
  });
  t.throws(() => square(x).write(Float64Array.of(1)), {
    name: 'TapeError',
    message: 'write: computed tensors are immutable',
  });
});

t.test('operands must share a backend and a dtype', async (t) => {
  const other = Object.assign(createReferenceBackend(), { name: 'elsewhere' });
  const x = f64([1]);
  t.throws(() => add(x, tensor([1], undefined, { dtype: 'float64', device: other })), {
    name: 'BackendError',
    message: 'add: operands live on different backends (reference and elsewhere)',
  });
  t.throws(() => matmul(f64([[1]]), tensor([[1]])), {
    name: 'DTypeError',
    message: 'matmul: operands differ in dtype (float64 and float32)',
  });
  t.throws(() => where(tensor(Int32Array.of(1)) as unknown as Tensor, x, x), DTypeError);
});

t.test('messages name the operation, the disagreement and every operand', async (t) => {
  const zeros = (...shape: number[]) => f64(new Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const cases: [work: () => unknown, message: string][] = [
    [() => add(zeros(2, 3), zeros(4)), 'add: cannot broadcast extents 3 and 4 of axis -1; got [2, 3] and [4]'],
    [
      () => matmul(zeros(32, 784), zeros(785, 10)),
      'matmul: inner dimensions differ (784 and 785); got [32, 784] and [785, 10]',
    ],
    [() => matmul(zeros(), zeros(3, 1)), 'matmul: operands need at least 1 axis; got [] and [3, 1]'],
    [() => matmul(zeros(3), zeros(4, 1)), 'matmul: inner dimensions differ (3 and 4); got [3] and [4, 1]'],
    [() => zeros(2, 3).reshape([4]), 'reshape: the element counts differ; got [2, 3] and [4]'],
    [() => zeros(2, 3).reshape([-1, 4]), 'reshape: no extent for −1 makes a shape of 6 elements; got [-1, 4]'],
    [() => zeros(2, 3).permute([0, 0]), 'permute: [0, 0] is not an order of 2 axes; got [2, 3]'],
    [() => zeros(2, 3).expand([2, 4]), 'expand: cannot expand extent 3 of axis 1 to 4; got [2, 3] and [2, 4]'],
    [() => zeros(5).slice(0, 2, 9), 'slice: 2:9:1 does not fit axis 0; got [5]'],
    [() => zeros(2, 3).sum({ axes: 2 }), 'sum: axis 2 does not exist in a tensor of 2 axes'],
    [() => zeros(2, 0).max({ axes: 1 }), 'max: no elements to take the maximum of; got [2, 0]'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});

t.test('a row is held to its promises', async (t) => {
  const x = f64([1, 2]).withGrad();
  const grows = row({ name: 'grows', shape: ([s]) => [...s, 1], value: ([v]) => v, vjp: [(g) => g] });
  t.throws(() => apply(grows, [x], {}), {
    name: 'ShapeError',
    message: 'grows: the kernel returned another shape than the row promises; got [2] and [2, 1]',
  });
  const misshapen = row({
    name: 'misshapen',
    shape: 'broadcast',
    value: ([v]) => value.backendOf(v).copy(v),
    vjp: [(g) => value.sum(g, [0])],
  });
  t.throws(() => backward(apply(misshapen, [x], {}), f64([1, 1])), {
    name: 'ShapeError',
    message: 'misshapen: the gradient to argument 0 has another shape than the argument; got [1] and [2]',
  });
  const secretive = row({
    name: 'secretive',
    shape: 'broadcast',
    value: ([v]) => value.backendOf(v).copy(v),
    vjp: [(_, saved) => saved.input(0)],
  });
  t.throws(() => backward(apply(secretive, [x], {}), f64([1, 1])), {
    name: 'TapeError',
    message: 'secretive: the gradient rule reads 0 without declaring it in saves',
  });
});

t.test('a rule runs only if its argument wants a gradient', async (t) => {
  const called: number[] = [];
  const spying = row({
    name: 'spying',
    shape: 'broadcast',
    value: ([a, b]) => value.sub(a, b),
    vjp: [
      (g) => {
        called.push(0);
        return g;
      },
      (g) => {
        called.push(1);
        return g;
      },
    ],
  });
  backward(apply(spying, [f64([1]), f64([1]).withGrad()], {}));
  t.same(called, [1]);
});

/** x/‖x‖₁ and, as further outputs, ‖x‖₁ and its square. */
const normalize = row({
  name: 'normalize',
  shape: ([x]) => [x, [], []],
  value: ([x]) => {
    const l1 = value.reshape(value.sum(value.unary('abs', x), [0]), []);
    return [value.div(x, l1), l1, value.unary('square', l1)];
  },
  saves: ['output', 'output1'],
  // d(x/n)/dx with n = Σ|x|: (g − sign(x)·Σ g·y)/n, and sign(x) is that of y.
  vjp: [
    (g, { output }) => {
      const along = value.reshape(value.sum(value.mul(g, output()), [0]), []);
      return value.div(value.sub(g, value.mul(value.unary('sign', output(0)), along)), output(1));
    },
  ],
});

t.test('a row of several outputs: the first has a history, the others are constants of the point', async (t) => {
  const x = f64([1, -3, 4]).withGrad();
  const [y, l1, square1] = applyAll(normalize, [x], {});
  arraysEqual(t, await y.data(), [1 / 8, -3 / 8, 4 / 8], 'first output');
  t.same([await l1.item(), await square1.item()], [8, 64], 'the others');
  t.same([l1.shape, square1.shape], [[], []]);
  t.ok(y.requiresGrad);
  t.notOk(l1.requiresGrad || square1.requiresGrad, 'no history');
  t.equal(apply(normalize, [x], {}).shape.length, 1, 'apply gives the first');
  backward(sum(mul(mul(y, f64([1, 2, 3])), l1)));
  // g = 8·[1, 2, 3]; Σ g·y = 1 − 6 + 12 = 7.
  arraysEqual(t, (await gradOf(x)) ?? [], [(8 - 7) / 8, (16 + 7) / 8, (24 - 7) / 8], 'l1 counts as the constant 8');
  t.ok((await checkGrads((v) => apply(normalize, [v], {}), [f64([1, -3, 4])])).error < 1e-7);
  t.notOk(noGrad(() => applyAll(normalize, [x], {})).some(({ requiresGrad }) => requiresGrad));
});

t.test('each output is held to its shape, and rules to the outputs they declare', async (t) => {
  const x = f64([1, 2]).withGrad();
  const short = row({ name: 'short', shape: ([s]) => [s, [3]], value: ([v]) => [v, v] });
  t.throws(() => applyAll(short, [x], {}), {
    name: 'ShapeError',
    message: 'short: the kernel returned another shape than the row promises; got [2] and [3]',
  });
  for (const [name, count] of [
    ['single', 1],
    ['triple', 3],
  ] as const) {
    const other = row({ name, shape: ([s]) => [s, s], value: ([v]) => Array.from({ length: count }, () => v) });
    t.throws(() => applyAll(other, [x], {}), {
      name: 'TapeError',
      message: `${name}: the row promises 2 outputs; there are ${count}`,
    });
  }
  const curious = row({
    name: 'curious',
    shape: ([s]) => [s, s],
    value: ([v]) => [value.mul(v, 2), value.mul(v, 3)],
    saves: ['output'],
    vjp: [(_, saved) => saved.output(1)],
  });
  t.throws(() => backward(sum(applyAll(curious, [x], {})[0])), {
    name: 'TapeError',
    message: 'curious: the gradient rule reads output1 without declaring it in saves',
  });
});

t.test('what no row can work with is refused by name', (t) => {
  const constant = row({ name: 'constant', shape: 'broadcast', value: () => f64(1) });
  t.throws(() => apply(constant, [], {}), { name: 'ShapeError', message: 'constant: needs at least one tensor' });
  const halfRule = row({ name: 'halfRule', shape: 'broadcast', value: ([a, b]) => value.mul(a, b), vjp: (g) => [g] });
  t.throws(() => backward(apply(halfRule, [f64(1).withGrad(), f64(2).withGrad()], {})), {
    name: 'TapeError',
    message: 'halfRule: vjp returned 1 gradients for 2 inputs',
  });
  t.end();
});

t.test('deep chains need no stack', async (t) => {
  const x = f64(1).withGrad();
  let y = sub(x, 0);
  for (let i = 0; i < 20_000; i++) y = add(y, 1);
  backward(y);
  arraysEqual(t, (await gradOf(x)) ?? [], [1], 'slope 1');
});
