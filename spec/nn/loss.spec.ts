import '../startReference.js';
import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { crossEntropy, mse, oneHot } from '../../lib/nn/index.js';
import { tensor, zeros } from '../../lib/tensor/create.js';
import { type GoldenArray, readGolden } from '../goldenFile.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { backends, fromGolden, gradients, randomTensor, useReference } from './support.js';

interface GoldenLoss {
  readonly name: string;
  readonly inputs: Readonly<Record<'logits' | 'x' | 'target', GoldenArray>>;
  readonly y: GoldenArray;
  readonly grad_out: GoldenArray;
  readonly grads: Readonly<Record<'logits' | 'x' | 'target', GoldenArray>>;
}

const golden = readGolden<{ misc: GoldenLoss[] }>('ops');

for (const { name, skip } of backends) {
  t.test(`golden losses on ${name}`, { skip: skip || golden.skip }, async (t) => {
    setBackend(backendNamed(name));
    const cases = golden.content?.misc ?? [];
    const entropies = cases.filter((entry) => entry.name.startsWith('cross_entropy'));
    const errors = cases.filter((entry) => entry.name.startsWith('mse'));
    t.ok(entropies.length >= 2 && errors.length >= 2, `${entropies.length} and ${errors.length} cases`);
    for (const { name, inputs, y, grad_out, grads } of entropies) {
      const { shape, data } = inputs.target;
      for (const labels of [data, Int32Array.from(data), oneHot(data, inputs.logits.shape[1])]) {
        const logits = fromGolden(inputs.logits).withGrad();
        const loss = crossEntropy(logits, labels);
        closeTo(t, await loss.data(), y.data, 1e-5, `${name}: ${shape[0]} samples`);
        const [grad] = await gradients(loss, fromGolden(grad_out), [logits]);
        closeTo(t, grad, grads.logits.data, 1e-5, `${name}: gradient`);
      }
    }
    for (const { name, inputs, y, grad_out, grads } of errors) {
      const leaves = [fromGolden(inputs.x).withGrad(), fromGolden(inputs.target).withGrad()];
      const loss = mse(leaves[0], leaves[1]);
      closeTo(t, await loss.data(), y.data, 1e-5, name);
      const got = await gradients(loss, fromGolden(grad_out), leaves);
      closeTo(t, got[0], grads.x.data, 1e-5, `${name}: gradient to x`);
      closeTo(t, got[1], grads.target.data, 1e-5, `${name}: gradient to the target`);
    }
  });
}

t.test('gradients in float64', async (t) => {
  useReference();
  const logits = randomTensor([4, 3], 1, 'float64');
  t.ok((await checkGrads((x) => crossEntropy(x, [0, 2, 1, 2]), [logits])).error <= 1e-7);
  const soft = tensor([0.2, 0.8, 0, 1, 0, 0, 0.5, 0.25, 0.25, 0, 0, 1], [4, 3], { dtype: 'float64' });
  t.ok((await checkGrads((x) => crossEntropy(x, soft), [logits])).error <= 1e-7, 'soft labels');
  const pair = [randomTensor([2, 3], 2, 'float64'), randomTensor([2, 3], 3, 'float64')] as const;
  t.ok((await checkGrads((a, b) => mse(a, b), pair)).error <= 1e-7);
});

t.test('cross entropy by hand, in nats', async (t) => {
  useReference();
  closeTo(t, await crossEntropy(zeros([3, 4]), [0, 1, 2]).data(), [Math.log(4)], 1e-6, 'ignorance costs log C');
  const sure = crossEntropy(tensor([[1000, 0]]), [0]);
  t.equal(await sure.item(), 0, 'certainty costs nothing');
  const wrong = tensor([[1000, 0]]).withGrad();
  const loss = crossEntropy(wrong, [1]);
  t.equal(await loss.item(), 1000, 'no overflow');
  loss.backward();
  arraysEqual(t, (await wrong.grad?.data()) ?? [], [1, -1], 'softmax minus target');
});

t.test('mse by hand', async (t) => {
  useReference();
  t.equal(await mse(tensor([1, 2, 3]), tensor([1, 0, 6])).item(), Math.fround(13 / 3));
});

t.test('one-hot rows', async (t) => {
  useReference();
  const rows = oneHot([2, 0], 3);
  t.same(rows.shape, [2, 3]);
  arraysEqual(t, await rows.data(), [0, 0, 1, 1, 0, 0], 'rows');
  t.equal(oneHot([1], 2, { dtype: 'float64' }).dtype, 'float64');
  t.same(oneHot([], 3).shape, [0, 3]);
});

t.test('labels out of range and shapes that do not fit', async (t) => {
  useReference();
  const logits = zeros([2, 3]);
  for (const label of [3, -1, 0.5, Number.NaN]) {
    t.throws(() => crossEntropy(logits, [0, label]), {
      name: 'DataError',
      message: `oneHot: label ${label} at position 1 is not a class of 0 … 2`,
    });
  }
  const cases: [work: () => unknown, message: string][] = [
    [() => crossEntropy(logits, [0]), 'crossEntropy: 1 labels for 2 samples; got [2, 3]'],
    [() => crossEntropy(zeros([2]), [0, 1]), 'crossEntropy: logits must be [N, C], not empty; got [2]'],
    [() => crossEntropy(zeros([0, 3]), []), 'crossEntropy: logits must be [N, C], not empty; got [0, 3]'],
    [
      () => crossEntropy(logits, zeros([2, 4])),
      'crossEntropy: probabilities must have the shape of the logits; got [2, 4] and [2, 3]',
    ],
    [() => mse(zeros([2, 1]), zeros([2])), 'mse: x and target must have one shape, not empty; got [2, 1] and [2]'],
    [() => mse(zeros([0]), zeros([0])), 'mse: x and target must have one shape, not empty; got [0] and [0]'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});
