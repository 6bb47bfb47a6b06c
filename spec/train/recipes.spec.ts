import t from 'tap';
import { DATASET_NAMES } from '../../lib/data/node/datasets.js';
import '../../lib/kernels/registry.js';
import { MODEL_NAMES } from '../../lib/nn/models/index.js';
import { parseConfig, type ScheduleConfig } from '../../lib/train/config.js';
import { buildModel } from '../../lib/train/models.js';
import { makeOptimizer, makeSchedule, recipeFor } from '../../lib/train/recipes.js';
import { closeTo } from '../helpers.js';
import { tinyRun } from './runs.js';

t.test('the recipes of the papers', async (t) => {
  t.match(recipeFor('espcn', 'bsd300', false), {
    optimizer: { type: 'adam', learningRate: 1e-3, weightDecay: 1e-5 },
    schedule: { kind: 'exponential', gamma: 0.999 },
    epochs: 300,
    batchSize: 8,
    start: { calibrationSamples: 0, heInit: true },
  });
  t.match(recipeFor('mobilenetv1', 'cifar10', true), {
    optimizer: { type: 'sgd', learningRate: 1e-3, weightDecay: 1e-5 },
    schedule: { kind: 'exponential', gamma: 0.9 },
    epochs: 100,
    batchSize: 64,
    start: { calibrationSamples: 1000, heInit: false },
  });
  t.match(recipeFor('resnet18', 'cifar10', true), {
    optimizer: { type: 'sgd', learningRate: 1e-3 },
    schedule: { kind: 'step', stepSize: 30, gamma: 0.1 },
    epochs: 100,
    batchSize: 256,
  });
  t.match(recipeFor('resnet18', 'folder', true), {
    optimizer: { learningRate: 1e-4 },
    schedule: { kind: 'multistep', milestones: [30, 50], gamma: 0.1 },
    epochs: 60,
    batchSize: 64,
    start: { calibrationSamples: 3000 },
  });
});

t.test('every pair has a recipe that makes a valid run', async (t) => {
  for (const model of MODEL_NAMES) {
    for (const dataset of DATASET_NAMES) {
      for (const checkpoint of [false, true]) {
        const recipe = recipeFor(model, dataset, checkpoint);
        const start = { ...tinyRun().start, ...recipe.start };
        t.doesNotThrow(() => parseConfig({ ...tinyRun(), ...recipe, start }, 'x'), `${model} ${dataset} ${checkpoint}`);
      }
    }
  }
});

t.test('weight decay is for weights alone', async (t) => {
  const model = buildModel(tinyRun());
  const optimizer = makeOptimizer(model, { type: 'sgd', learningRate: 0.1, momentum: 0.9, weightDecay: 0.5 });
  const names = new Map([...model.namedParameters()].map(([name, parameter]) => [parameter, name]));
  const [decaying, exempt] = optimizer.groups.map((group) => group.parameters.map((each) => names.get(each) ?? ''));
  t.same(
    optimizer.groups.map(({ weightDecay }) => weightDecay),
    [0.5, 0],
  );
  t.same(decaying, ['stages.0.conv.weight', 'stages.1.conv.weight', 'stages.2.conv.weight', 'fc.weight']);
  for (const name of ['stages.0.bn.weight', 'fc.bias', 'stages.1.conv.weight_quant.t', 'stages.1.act.value']) {
    t.ok(exempt.includes(name), name);
  }
  t.equal(makeOptimizer(model, { type: 'adamw', learningRate: 1e-3, weightDecay: 1e-5 }).type, 'AdamW');
  t.equal(makeOptimizer(model, tinyRun().optimizer).type, 'Adam');
});

t.test('schedules', async (t) => {
  const at = (config: ScheduleConfig, epochs: readonly number[]) =>
    epochs.map((epoch) => makeSchedule(config, 10)(epoch, 2));
  closeTo(t, at({ kind: 'constant' }, [0, 9]), [2, 2], 0, 'constant');
  closeTo(t, at({ kind: 'exponential', gamma: 0.5 }, [0, 1, 3]), [2, 1, 0.25], 1e-12, 'exponential');
  closeTo(t, at({ kind: 'step', stepSize: 3, gamma: 0.1 }, [2, 3, 6]), [2, 0.2, 0.02], 1e-12, 'step');
  closeTo(t, at({ kind: 'multistep', milestones: [2, 5], gamma: 0.1 }, [1, 2, 5]), [2, 0.2, 0.02], 1e-12, 'multistep');
  closeTo(t, at({ kind: 'cosine' }, [0, 5, 10]), [2, 1, 0], 1e-12, 'half a cosine over ten epochs');
});
