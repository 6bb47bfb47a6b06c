import '../startReference.js';
import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { type CrossEntropyOptions, crossEntropy, type Labels, mse, oneHot } from '../../lib/nn/index.js';
import { full, ones, tensor, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
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

/** Loss, and what backward leaves on the logits. */
async function lossAndGradient(x: Tensor, labels: Labels | Tensor, options?: CrossEntropyOptions) {
  const logits = x.withGrad();
  const loss = crossEntropy(logits, labels, options);
  loss.backward(ones(loss.shape, { dtype: loss.dtype }));
  return { loss: await loss.data(), grad: (await logits.grad?.data()) ?? [] };
}

for (const { name, skip } of backends) {
  t.test(`a masked class adds nothing to a cross entropy on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    const masked = () => tensor([[2, Number.NEGATIVE_INFINITY, 1]]);
    // −log softmax([2, 1])[0], and softmax minus target.
    const value = Math.log(1 + Math.exp(-1));
    const slope = 1 / (1 + Math.E);
    for (const labels of [[0], tensor([[1, 0, 0]])]) {
      const { loss, grad } = await lossAndGradient(masked(), labels);
      closeTo(t, loss, [value], 1e-6, 'loss');
      closeTo(t, grad, [-slope, 0, slope], 1e-6, 'gradient');
    }
    const soft = await lossAndGradient(masked(), tensor([[0.5, 0, 0.5]]));
    closeTo(t, soft.loss, [value + 0.5], 1e-6, 'soft targets: loss');
    closeTo(t, soft.grad, [0.5 - slope, 0, slope - 0.5], 1e-6, 'soft targets: gradient');
    const weighted = await lossAndGradient(masked(), [0], { weight: [3, 2, 1] });
    closeTo(t, weighted.loss, [value], 1e-6, 'class weights');
    closeTo(t, weighted.grad, [-slope, 0, slope], 1e-6, 'class weights: gradient');
    t.equal((await lossAndGradient(masked(), [1])).loss[0], Number.POSITIVE_INFINITY, 'a masked label is impossible');
    const smoothed = await lossAndGradient(masked(), [0], { labelSmoothing: 0.1 });
    t.equal(smoothed.loss[0], Number.POSITIVE_INFINITY, 'smoothing gives every class a share');
    const target = tensor([[1, 0, 0]]).withGrad();
    crossEntropy(masked(), target).backward();
    closeTo(t, (await target.grad?.data()) ?? [], [value, 0, value + 1], 1e-6, 'gradient to probabilities');
  });

  t.test(`large logits on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    for (const [large, apart] of [
      [1e38, 2e38],
      [3e38, Number.POSITIVE_INFINITY],
    ]) {
      for (const [label, want] of [
        [0, 0],
        [1, apart],
      ]) {
        const { loss, grad } = await lossAndGradient(tensor([[large, -large]]), [label]);
        arraysEqual(t, loss, [Math.fround(want)], `±${large}: loss of ${label}`);
        arraysEqual(t, grad, label === 0 ? [0, 0] : [1, -1], `±${large}: gradient of ${label}`);
      }
      const soft = await lossAndGradient(tensor([[large, -large]]), tensor([[1, 0]]));
      arraysEqual(t, [...soft.loss, ...soft.grad], [0, 0, 0], `±${large}: probabilities`);
    }
    const { loss } = await lossAndGradient(full([1, 2], Number.NEGATIVE_INFINITY), [0]);
    arraysEqual(t, loss, [Number.NaN], 'nothing is possible: NaN, as in PyTorch');
  });
}

t.test('class weights, ignored labels, smoothing and reductions by hand', async (t) => {
  useReference();
  // Uniform logits: every class costs log 2 a unit of target.
  const zero = () => zeros([3, 2]);
  const unit = Math.log(2);
  const cases: [options: CrossEntropyOptions, labels: Labels, want: number[]][] = [
    [{ weight: [1, 3] }, [0, 1, 1], [unit]],
    [{ weight: [1, 3], reduction: 'sum' }, [0, 1, 1], [7 * unit]],
    [{ weight: tensor([1, 3]), reduction: 'none' }, [0, 1, 1], [unit, 3 * unit, 3 * unit]],
    [{ ignoreIndex: -100, reduction: 'sum' }, [0, -100, 1], [2 * unit]],
    [{ ignoreIndex: 0, reduction: 'none' }, [0, 1, 1], [0, unit, unit]],
    [{ ignoreIndex: -1, reduction: 'sum' }, [-1, -1, -1], [0]],
    [{ ignoreIndex: 255 }, [0, 255, 1], [unit]],
    [{ labelSmoothing: 0.5 }, [0, 1, 1], [unit]],
    // Targets 0.9 and 0.1 times weights 1 and 3, divided by the weights of the labels.
    [{ labelSmoothing: 0.2, weight: [1, 3] }, [0, 0, 0], [1.2 * unit]],
  ];
  for (const [options, labels, want] of cases) {
    closeTo(t, await crossEntropy(zero(), labels, options).data(), want, 1e-6, JSON.stringify(options));
  }
});

t.test('dense predictions: classes are axis 1', async (t) => {
  useReference();
  const x = randomTensor([2, 3, 2, 2], 4, 'float64');
  const labels = [0, 2, 1, 1, 2, 0, 0, 9];
  const rows = x.permute([0, 2, 3, 1]).reshape([8, 3]);
  for (const options of [{}, { weight: [1, 2, 0.5] }, { labelSmoothing: 0.1 }]) {
    const settings = { ...options, ignoreIndex: 9 };
    const each = crossEntropy(x, labels, { ...settings, reduction: 'none' });
    t.same(each.shape, [2, 2, 2]);
    closeTo(
      t,
      await each.data(),
      await crossEntropy(rows, labels, { ...settings, reduction: 'none' }).data(),
      1e-14,
      'a',
    );
    closeTo(
      t,
      await crossEntropy(x, labels, settings).data(),
      await crossEntropy(rows, labels, settings).data(),
      1e-14,
      'b',
    );
    t.ok((await checkGrads((v) => crossEntropy(v, labels, settings), [x])).error <= 1e-7);
  }
  const soft = randomTensor([2, 3, 2, 2], 5, 'float64').square();
  const softRows = soft.permute([0, 2, 3, 1]).reshape([8, 3]);
  for (const options of [{}, { weight: [1, 2, 0.5], labelSmoothing: 0.1 }]) {
    const want = await crossEntropy(rows, softRows, options).data();
    closeTo(t, await crossEntropy(x, soft, options).data(), want, 1e-14, 'probabilities');
    t.ok((await checkGrads((v, p) => crossEntropy(v, p, options), [x, soft])).error <= 1e-7);
  }
});

t.test('settings of a cross entropy that are refused', async (t) => {
  useReference();
  const logits = zeros([2, 3]);
  const cases: [work: () => unknown, name: string, message: string][] = [
    [() => crossEntropy(logits, [0, 1], { ignoreIndex: 0.5 }), 'A2QError', 'ignoreIndex must be an integer; it is 0.5'],
    [() => crossEntropy(logits, [0, 1], { labelSmoothing: 2 }), 'A2QError', 'labelSmoothing must be 0 … 1; it is 2'],
    [
      () => crossEntropy(logits, [0, 1], { reduction: 'avg' as 'sum' }),
      'A2QError',
      'reduction must be mean, sum, none; it is avg',
    ],
    [
      () => crossEntropy(logits, zeros([2, 3]), { ignoreIndex: 1 }),
      'A2QError',
      'ignoreIndex is for class numbers; give ignored samples no probability instead',
    ],
    [
      () => crossEntropy(logits, [7, 7], { ignoreIndex: 7 }),
      'DataError',
      'all labels are ignored (7); there is nothing to take the mean of',
    ],
    [
      () => crossEntropy(logits, tensor(Int32Array.of(0, 1)) as unknown as Tensor),
      'DTypeError',
      'class numbers come as Int32Array or number[], probabilities as floats',
    ],
  ];
  for (const [work, name, message] of cases) t.throws(work, { name, message: `crossEntropy: ${message}` });
});

t.test('mse broadcasts, and reduces as told', async (t) => {
  useReference();
  const [x, target] = [tensor([[1], [2]]), tensor([1, 3, 5])];
  const squares = [0, 4, 16, 1, 1, 9];
  const each = mse(x, target, { reduction: 'none' });
  t.same(each.shape, [2, 3]);
  arraysEqual(t, await each.data(), squares, 'none');
  t.equal(await mse(x, target, { reduction: 'sum' }).item(), 31);
  t.equal(await mse(x, target).item(), Math.fround(31 / 6));
  t.equal(await mse(zeros([0]), zeros([0]), { reduction: 'sum' }).item(), 0);
  const pair = [randomTensor([2, 1, 3], 2, 'float64'), randomTensor([4, 1], 3, 'float64')] as const;
  t.ok((await checkGrads((a, b) => mse(a, b), pair)).error <= 1e-7);
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
      message: `crossEntropy: label ${label} at position 1 is not a class of 0 … 2`,
    });
  }
  const cases: [work: () => unknown, message: string][] = [
    [() => crossEntropy(logits, [0]), 'crossEntropy: 1 labels for 2 samples; got [2, 3]'],
    [() => crossEntropy(zeros([2]), [0, 1]), 'crossEntropy: logits must be [N, C, …], not empty; got [2]'],
    [() => crossEntropy(zeros([0, 3]), []), 'crossEntropy: logits must be [N, C, …], not empty; got [0, 3]'],
    [
      () => crossEntropy(logits, zeros([2, 4])),
      'crossEntropy: probabilities must have the shape of the logits; got [2, 4] and [2, 3]',
    ],
    [() => crossEntropy(zeros([2, 3, 2]), [0, 1]), 'crossEntropy: 2 labels for 4 samples; got [2, 3, 2]'],
    [
      () => crossEntropy(logits, [0, 1], { weight: [1, 2] }),
      'crossEntropy: weight must hold one number a class; got [2] and [2, 3]',
    ],
    [() => mse(zeros([2]), zeros([3])), 'mse: cannot broadcast extents 2 and 3 of axis -1; got [2] and [3]'],
    [() => mse(zeros([0]), zeros([0])), 'mse: there are no elements to take the mean of; got [0] and [0]'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});
