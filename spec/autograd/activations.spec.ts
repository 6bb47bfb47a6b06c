import t, { type Test } from 'tap';
import { dropout, gelu, logSoftmax, silu, softmax } from '../../lib/autograd/activations.js';
import { checkGrads } from '../../lib/autograd/check.js';
import { backward } from '../../lib/autograd/tape.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { numberArray } from '../oracle.js';
import { between, f64, gradOf, tensorsOf } from './support.js';

/** Checks the gradients of a composed function at ordinary points. */
async function checked(t: Test, fn: (...x: Tensor[]) => Tensor, inputs: Tensor[]): Promise<void> {
  const { error } = await checkGrads(fn, inputs);
  t.ok(error <= 1e-7, `gradients, relative error ${error.toExponential(1)}`);
}

t.test('logSoftmax neither overflows nor loses small probabilities', async (t) => {
  const y = logSoftmax(f64([[1000, 0, -1000]]));
  arraysEqual(t, await y.data(), [0, -1000, -2000], 'huge logits');
  const x = between(-3, 3, [3, 5]);
  const want = numberArray([3, 5], x.data).data.map((value, i) => {
    const row = x.data.slice(Math.floor(i / 5) * 5, Math.floor(i / 5) * 5 + 5);
    return Math.log(Math.exp(value) / row.reduce((total, v) => total + Math.exp(v), 0));
  });
  closeTo(t, await logSoftmax(tensorsOf([x])[0]).data(), want, 1e-14, 'as defined');
  await checked(t, (v) => logSoftmax(v), tensorsOf([x]));
  await checked(t, (v) => logSoftmax(v, 0), tensorsOf([x]));
});

t.test('softmax of masked, huge and impossible rows', async (t) => {
  const { NEGATIVE_INFINITY: none, NaN: undefinedNumber } = Number;
  arraysEqual(t, await softmax(f64([[none, 0, none]])).data(), [0, 1, 0], 'one class left');
  arraysEqual(
    t,
    await softmax(
      f64([
        [1e300, 1e300],
        [-1e300, 1e300],
      ]),
    ).data(),
    [0.5, 0.5, 0, 1],
    'huge',
  );
  arraysEqual(t, await softmax(f64([[none, none]])).data(), [undefinedNumber, undefinedNumber], 'no class left');
  const x = f64([[none, 1, 0]]).withGrad();
  backward(softmax(x), f64([[5, 1, 0]]));
  const p = 1 / (1 + Math.exp(-1));
  closeTo(t, (await gradOf(x)) ?? [], [0, p * (1 - p), -p * (1 - p)], 1e-15, 'the gradient leaves masked ones out');
});

t.test('axes of a softmax that are refused', (t) => {
  const cases: [work: () => unknown, message: string][] = [
    [() => softmax(f64([1, 2]), 1), 'softmax: axis 1 does not exist in a tensor of 1 axes'],
    [() => logSoftmax(f64(1)), 'logSoftmax: axis -1 does not exist in a tensor of 0 axes'],
    [() => softmax(f64([], [2, 0])), 'softmax: axis -1 has no elements; got [2, 0]'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
  t.same(softmax(f64([], [0, 2])).shape, [0, 2], 'no rows');
  t.end();
});

t.test('gradients of the smooth ones', async (t) => {
  const inputs = tensorsOf([between(-3, 3, [3, 5])]);
  for (const axis of [0, -1]) await checked(t, (v) => softmax(v, axis), inputs);
  await checked(t, silu, inputs);
  await checked(t, (v) => gelu(v), inputs);
  await checked(t, (v) => gelu(v, 'tanh'), inputs);
  await checked(t, (v) => dropout(v, 0.4, new Random(3)), inputs);
});

t.test('dropout: seeded zeros, the rest scaled up; p at its ends', async (t) => {
  const x = f64(new Array(2000).fill(1));
  const y = await dropout(x, 0.25, new Random(5)).data();
  t.strictSame([...new Set(y)].sort(), [0, 1 / 0.75]);
  const zeros = y.filter((value) => value === 0).length;
  t.ok(zeros > 430 && zeros < 570, `${zeros} zeros of 2000`);
  arraysEqual(t, await dropout(x, 0.25, new Random(5)).data(), y, 'the same seed');
  t.equal(dropout(x, 0, new Random(5)), x, 'nothing happens');
  arraysEqual(t, await dropout(f64([1, 2]), 1, new Random(5)).data(), [0, 0], 'all');
  for (const p of [-0.1, 1.5]) {
    t.throws(() => dropout(x, p, new Random(0)), { name: 'A2QError', message: `dropout: p must be 0 … 1; it is ${p}` });
  }
  t.throws(() => dropout(x, 0.5, 7 as unknown as Random), { name: 'ArgumentError' });
  t.throws(() => gelu(x, 'erf' as 'none'), { message: 'gelu: approximate must be none or tanh; it is erf' });
});
