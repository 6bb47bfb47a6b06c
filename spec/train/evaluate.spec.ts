import t from 'tap';
import type { ImagePairDataset } from '../../lib/data/dataset.js';
import { identityNormalisation } from '../../lib/data/normalise.js';
import { currentBackend } from '../../lib/kernels/registry.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { UpsampleNearest } from '../../lib/nn/layers/resample.js';
import { Module } from '../../lib/nn/module.js';
import { tensor } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import { memory } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { evaluate } from '../../lib/train/evaluate.js';
import { classification, superResolution, taskOf } from '../../lib/train/task.js';
import { closeTo } from '../helpers.js';
import { pairs, zeroLinear } from './networks.js';

t.test('classification: mean loss and accuracy over samples, not batches', async (t) => {
  const model = zeroLinear();
  // Logits (x0 − 1.5, 0): images 0 and 1 are called odd, the rest even.
  model.parameters()[0].write(Float32Array.of(1, -1.5, 0, 0));
  const seen: string[] = [];
  const result = await evaluate(model, pairs(5), classification(), {
    batchSize: 2,
    onBatch: (done, total) => seen.push(`${done}/${total}`),
  });
  const loss = (index: number) => {
    const logit = index - 1.5;
    return Math.log(1 + Math.exp(index % 2 === 0 ? -logit : logit));
  };
  t.equal(result.samples, 5);
  t.equal(result.metric, 3 / 5, 'right: 1, 2 and 4');
  closeTo(t, [result.loss], [(loss(0) + loss(1) + loss(2) + loss(3) + loss(4)) / 5], 1e-6, 'mean of five');
  t.same(seen, ['1/3', '2/3', '3/3']);
  const first = await evaluate(model, pairs(5), classification(), { batchSize: 2, limitBatches: 1 });
  t.same([first.samples, first.metric], [2, 0.5]);
});

/** Images of one grey value i/10 whose targets are 0.1 brighter, twice as large. */
const brighter: ImagePairDataset = {
  kind: 'images',
  name: 'brighter',
  length: 3,
  inputShape: [1, 2, 2],
  targetShape: [1, 4, 4],
  normalisation: identityNormalisation(1),
  write(index, input, target) {
    input.fill(index / 10);
    target.fill(index / 10 + 0.1);
  },
};

t.test('super-resolution: mean PSNR over images', async (t) => {
  const result = await evaluate(new UpsampleNearest(2), brighter, superResolution(), { batchSize: 2 });
  closeTo(t, [result.loss, result.metric], [0.01, 20], 1e-4, 'mse 0.01 is 20 dB');
});

/** Remembers the mode it was called in. */
class Witness extends Module {
  readonly bn = new BatchNorm2d(1);
  modes: boolean[] = [];

  override forward(x: Tensor): Tensor {
    this.modes.push(this.training);
    return this.bn.forward(x);
  }
}

t.test('leaves mode, statistics and memory as they were', async (t) => {
  const model = new Witness();
  const same: ImagePairDataset = { ...brighter, targetShape: [1, 2, 2] };
  const before = memory(currentBackend()).bytes;
  await evaluate(model, same, superResolution(), { batchSize: 1 });
  t.ok(memory(currentBackend()).bytes <= before, 'no memory is held');
  t.same(model.modes, [false, false, false]);
  t.equal(model.training, true);
  t.same(await model.bn.runningMean.data(), Float32Array.of(0));
  model.eval();
  await evaluate(model, same, superResolution(), { batchSize: 1 });
  t.equal(model.training, false);
});

t.test('errors and interruption', async (t) => {
  await t.rejects(evaluate(zeroLinear(), pairs(2), superResolution(), { batchSize: 1 }), DataError);
  await t.rejects(evaluate(zeroLinear(), pairs(2), classification(), { batchSize: 0 }), DataError);
  const controller = new AbortController();
  controller.abort(new Error('enough'));
  const stopped = evaluate(zeroLinear(), pairs(2), classification(), { batchSize: 1, signal: controller.signal });
  await t.rejects(stopped, { message: 'enough' });
  t.throws(() => classification().loss(tensor([[1, 2]]), Float32Array.of(1)), DataError);
});

t.test('the task follows from the data', async (t) => {
  t.equal(taskOf(pairs(1)).metric, 'accuracy');
  t.equal(taskOf(brighter).metric, 'psnr');
});
