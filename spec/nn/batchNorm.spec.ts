import '../startReference.js';
import t from 'tap';
import { noGrad } from '../../lib/autograd/tape.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { BatchNorm2d } from '../../lib/nn/index.js';
import { tensor, zeros } from '../../lib/tensor/create.js';
import { memory, scope } from '../../lib/tensor/storage.js';
import { type GoldenArray, readGolden } from '../goldenFile.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { channelStats, numberArray } from '../oracle.js';
import { backends, fromGolden, gradients, randomTensor, useReference } from './support.js';

interface GoldenBatchNorm {
  readonly name: string;
  readonly params: { readonly training: boolean; readonly momentum: number; readonly eps: number };
  readonly inputs: Readonly<Record<'x' | 'weight' | 'bias', GoldenArray>>;
  readonly y: GoldenArray;
  readonly grad_out: GoldenArray;
  readonly grads: Readonly<Record<'x' | 'weight' | 'bias', GoldenArray>>;
  readonly running_mean_before: GoldenArray;
  readonly running_var_before: GoldenArray;
  readonly running_mean_after: GoldenArray;
  readonly running_var_after: GoldenArray;
}

const golden = readGolden<{ batch_norm: GoldenBatchNorm[] }>('ops');

for (const { name, skip } of backends) {
  t.test(`golden batch norms on ${name}`, { skip: skip || golden.skip }, async (t) => {
    setBackend(backendNamed(name));
    for (const { name, params, inputs, grads, ...entry } of golden.content?.batch_norm ?? []) {
      const norm = new BatchNorm2d(inputs.weight.data.length, { epsilon: params.eps, momentum: params.momentum });
      norm.train(params.training);
      norm.weight.assign(fromGolden(inputs.weight));
      norm.bias.assign(fromGolden(inputs.bias));
      norm.runningMean.assign(fromGolden(entry.running_mean_before));
      norm.runningVar.assign(fromGolden(entry.running_var_before));
      const x = fromGolden(inputs.x).withGrad();
      const y = norm.forward(x);
      closeTo(t, await y.data(), entry.y.data, 1e-5, `${name}: y`);
      closeTo(t, await norm.runningMean.data(), entry.running_mean_after.data, 1e-5, `${name}: running mean`);
      closeTo(t, await norm.runningVar.data(), entry.running_var_after.data, 1e-5, `${name}: running variance`);
      const got = await gradients(y, fromGolden(entry.grad_out), [x, norm.weight, norm.bias]);
      closeTo(t, got[0], grads.x.data, 1e-5, `${name}: gradient to x`);
      closeTo(t, got[1], grads.weight.data, 1e-5, `${name}: gradient to γ`);
      closeTo(t, got[2], grads.bias.data, 1e-5, `${name}: gradient to β`);
    }
  });
}

t.test('running statistics: momentum, unbiased variance, a count', async (t) => {
  useReference();
  const norm = new BatchNorm2d(1);
  arraysEqual(t, await norm.runningMean.data(), [0], 'mean 0 at the start');
  arraysEqual(t, await norm.runningVar.data(), [1], 'variance 1 at the start');
  norm.forward(tensor([[1], [3], [5]]));
  closeTo(t, await norm.runningMean.data(), [0.3], 1e-6, '0.9·0 + 0.1·3');
  closeTo(t, await norm.runningVar.data(), [0.9 + 0.4], 1e-6, '0.9·1 + 0.1·4; the biased variance would be 8/3');
  t.equal(norm.numBatchesTracked.value, 1);
  noGrad(() => norm.forward(tensor([[1], [3], [5]])));
  closeTo(t, await norm.runningMean.data(), [0.57], 1e-6, 'also without recording');
  t.equal(norm.numBatchesTracked.value, 2);
});

t.test('running statistics over many batches against an oracle', async (t) => {
  useReference();
  const norm = new BatchNorm2d(3, { momentum: 0.25 });
  let [mean, variance] = [
    [0, 0, 0],
    [1, 1, 1],
  ];
  for (let batch = 0; batch < 10; batch++) {
    const x = randomTensor([4, 3, 2, 5], batch);
    scope(() => norm.forward(x));
    const stats = channelStats(numberArray(x.shape, await x.data()));
    mean = mean.map((value, c) => 0.75 * value + 0.25 * stats.mean.data[c]);
    variance = variance.map((value, c) => 0.75 * value + (0.25 * stats.variance.data[c] * 40) / 39);
  }
  closeTo(t, await norm.runningMean.data(), mean, 1e-6, 'mean');
  closeTo(t, await norm.runningVar.data(), variance, 1e-6, 'variance');
});

t.test('evaluation folds the running statistics into scale and shift, and leaves them alone', async (t) => {
  useReference();
  const norm = new BatchNorm2d(2, { epsilon: 0 }).eval();
  norm.weight.write(Float32Array.of(3, 1));
  norm.bias.write(Float32Array.of(5, 0));
  norm.runningMean.write(Float32Array.of(2, -1));
  norm.runningVar.write(Float32Array.of(4, 1));
  const { scale, shift } = norm.folded();
  arraysEqual(t, await scale.data(), [1.5, 1], 'scale');
  arraysEqual(t, await shift.data(), [2, 1], 'shift');
  arraysEqual(t, await norm.forward(tensor([[4, 7]])).data(), [8, 8], 'one sample will do');
  const image = norm.forward(tensor([4, 0, 7, 1], [1, 2, 1, 2]));
  arraysEqual(t, await image.data(), [8, 2, 8, 2], 'images');
  arraysEqual(t, await norm.runningMean.data(), [2, -1], 'the mean stays');
  t.equal(norm.numBatchesTracked.value, 0);
});

t.test('training steps leave nothing behind but the result', async (t) => {
  useReference();
  const norm = new BatchNorm2d(2);
  const x = zeros([4, 2, 3, 3]);
  const { device } = x;
  const before = memory(device).bytes;
  for (let i = 0; i < 10; i++) scope(() => norm.forward(x).size);
  t.equal(memory(device).bytes, before);
});

t.test('what does not fit', async (t) => {
  useReference();
  t.throws(() => new BatchNorm2d(3).forward(zeros([2, 4, 1, 1])), {
    name: 'ShapeError',
    message: 'BatchNorm2d: x must have 3 channels on axis 1; got [2, 4, 1, 1]',
  });
  t.throws(() => new BatchNorm2d(3).forward(zeros([1, 3])), {
    name: 'ShapeError',
    message: 'batchNorm: training needs more than one value a channel; got [1, 3]',
  });
  t.throws(() => new BatchNorm2d(3, { momentum: 1.5 }), {
    name: 'A2QError',
    message: 'BatchNorm2d: momentum must be 0 … 1; it is 1.5',
  });
  t.throws(() => new BatchNorm2d(3, { epsilon: -1 }), {
    name: 'A2QError',
    message: 'BatchNorm2d: epsilon must not be negative; it is -1',
  });
});
