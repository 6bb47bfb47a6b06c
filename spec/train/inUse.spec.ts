import t from 'tap';
import '../../lib/kernels/registry.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import type { Module } from '../../lib/nn/module.js';
import { SGD } from '../../lib/nn/optim/index.js';
import { constantLR } from '../../lib/nn/schedule.js';
import { evaluate } from '../../lib/train/evaluate.js';
import { type FitOptions, fit } from '../../lib/train/fit.js';
import { classification } from '../../lib/train/task.js';
import { pairs, zeroLinear } from './networks.js';

const test = (model: Module) => evaluate(model, pairs(4), classification(), { batchSize: 2 });
const train = (model: Module, more: Partial<FitOptions> = {}) =>
  fit({
    model,
    optimizer: new SGD(model.parameters(), { learningRate: 0.1 }),
    schedule: constantLR(),
    task: classification(),
    dataset: pairs(4),
    batchSize: 2,
    epochs: 2,
    seed: 0,
    ...more,
  });
const evaluated = { name: 'A2QError', message: /already being evaluated: await that first/ };
const trained = { name: 'A2QError', message: /already being trained: await that first/ };

t.test('one at a time: a second use of a model is refused, and the first goes on as if alone', async (t) => {
  const model = zeroLinear();
  const first = test(model);
  await t.rejects(test(model), evaluated);
  await t.rejects(train(model), evaluated);
  await t.rejects(test(new Sequential(model)), evaluated, 'a model that shares modules is no other');
  t.same(await first, await test(zeroLinear()));
  t.equal(model.training, true);
  const run = train(model);
  await t.rejects(test(model), trained);
  await t.rejects(train(model), trained);
  await run;
  const alone = zeroLinear();
  await train(alone);
  t.same(await model.parameters()[0].data(), await alone.parameters()[0].data());
  await t.resolves(Promise.all([test(model), test(alone)]), 'two models are two');
});

t.test('callbacks may evaluate, if that is awaited, and not train', async (t) => {
  const [model, alone] = [zeroLinear(), zeroLinear()];
  let evaluations = 0;
  const onCall = async () => {
    evaluations += (await test(model)).samples / 4;
    t.equal(model.training, true);
  };
  await train(model, { onStep: onCall, onEpoch: onCall });
  t.equal(evaluations, 6);
  await train(alone);
  t.same(await model.parameters()[0].data(), await alone.parameters()[0].data());
  await t.rejects(train(model, { onStep: () => train(model) }), trained);
  let loose: Promise<unknown> = Promise.resolve();
  const notAwaited = () => {
    loose = test(model);
  };
  await t.rejects(train(model, { onStep: notAwaited }), evaluated);
  await loose;
  await t.resolves(test(model), 'free again, whatever went wrong');
  await t.resolves(train(model));
});

t.test('a batch norm that was frozen is so after an evaluation', async (t) => {
  const norm = new BatchNorm2d(1);
  const model = new Sequential(norm, zeroLinear());
  norm.eval();
  await test(model);
  t.same([model.training, norm.training], [true, false]);
});
