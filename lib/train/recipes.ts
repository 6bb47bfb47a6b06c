import { DATASETS, type DatasetName } from '../data/node/datasets.js';
import type { ModelName } from '../nn/models/index.js';
import { asModule, type Module } from '../nn/module.js';
import { Adam, AdamW, decayGroups, type Optimizer, SGD } from '../nn/optim/index.js';
import { constantLR, cosineAnnealingLR, exponentialLR, multiStepLR, type Schedule, stepLR } from '../nn/schedule.js';
import { asInteger } from '../tensor/argument.js';
import { checkedConfig, type OptimizerConfig, type RunConfig, type StartConfig } from './config.js';
import type { FitOptions } from './fit.js';
import type { ScheduleConfig } from './schedules.js';

/** How a model is trained on a dataset, unless the user says otherwise. */
export interface Recipe {
  readonly optimizer: OptimizerConfig;
  readonly schedule: ScheduleConfig;
  readonly epochs: number;
  readonly batchSize: number;
  readonly start: Pick<StartConfig, 'heInit' | 'calibrationSamples'>;
}

/** Of the papers, everywhere; none for biases, norms, scales and thresholds. */
const WEIGHT_DECAY = 1e-5;

const adam = (learningRate: number): OptimizerConfig => ({ type: 'adam', learningRate, weightDecay: WEIGHT_DECAY });

/** The papers do not print their momentum; 0.9 is what their learning rates are usual with. */
const sgd = (learningRate: number): OptimizerConfig => ({
  type: 'sgd',
  learningRate,
  momentum: 0.9,
  weightDecay: WEIGHT_DECAY,
});

const calibrated = (calibrationSamples: number) => ({ start: { calibrationSamples, heInit: false } });

/** A2Q+ (arXiv 2401.10432), appendix: quantized training that starts from a float checkpoint. */
const mobilenetCifar: Recipe = {
  optimizer: sgd(1e-3),
  schedule: { kind: 'exponential', gamma: 0.9 },
  epochs: 100,
  batchSize: 64,
  ...calibrated(1000),
};

const resnetCifar: Recipe = {
  optimizer: sgd(1e-3),
  schedule: { kind: 'step', stepSize: 30, gamma: 0.1 },
  epochs: 100,
  batchSize: 256,
  ...calibrated(1000),
};

const imageNet: Recipe = {
  optimizer: sgd(1e-4),
  schedule: { kind: 'multistep', milestones: [30, 50], gamma: 0.1 },
  epochs: 60,
  batchSize: 64,
  ...calibrated(3000),
};

/** Super-resolution starts from He's weights and finds its thresholds while training. */
const bsd300: Recipe = {
  optimizer: adam(1e-3),
  schedule: { kind: 'exponential', gamma: 0.999 },
  epochs: 300,
  batchSize: 8,
  start: { calibrationSamples: 0, heInit: true },
};

/** Our own, for what the papers did not train. */
const fineTune = (epochs: number): Recipe => ({
  optimizer: adam(1e-3),
  schedule: { kind: 'cosine' },
  epochs,
  batchSize: 64,
  ...calibrated(1000),
});
const scratch = (epochs: number): Recipe => ({ ...fineTune(epochs), ...calibrated(0) });
const largeScratch: Recipe = { ...scratch(100), optimizer: sgd(0.05), batchSize: 128 };

/** Recipes of one model, for data sets with labels. */
interface ModelRecipes {
  /** From random weights. */
  readonly random: Recipe;
  /** From a float checkpoint, by data set; the first is for any other. */
  readonly checkpoint: Readonly<Partial<Record<DatasetName, Recipe>>>;
}

/** The models that the papers trained. */
const RECIPES: Readonly<Partial<Record<ModelName, ModelRecipes>>> = {
  mobilenetv1: { random: largeScratch, checkpoint: { cifar10: mobilenetCifar, folder: imageNet } },
  resnet18: { random: largeScratch, checkpoint: { cifar10: resnetCifar, folder: imageNet } },
};

/**
 * The recipe of METHOD's table for (model, data set); our own for what the papers did not train, as users' models.
 *
 * @param model a name of `MODELS`; anything else is taken for a model of one's own
 * @param checkpoint whether training starts from a float checkpoint
 */
export function recipeFor(model: unknown, dataset: unknown, checkpoint: boolean): Recipe {
  if (DATASETS[dataset as DatasetName]?.kind === 'images') return bsd300;
  const known = RECIPES[model as ModelName];
  if (!known) {
    const [full, short] = dataset === 'glyphs' ? [8, 4] : [30, 15];
    return checkpoint ? fineTune(short) : scratch(full);
  }
  if (!checkpoint) return known.random;
  return known.checkpoint[dataset as DatasetName] ?? (Object.values(known.checkpoint)[0] as Recipe);
}

/** The optimizer of a model; weight decay applies to the parameters named `….weight` of more than one axis. */
export function makeOptimizer(model: Module, config: OptimizerConfig): Optimizer {
  checkedConfig('makeOptimizer', { optimizer: config }, ['optimizer']);
  const groups = decayGroups(
    asModule('makeOptimizer', model).namedParameters(),
    (name, parameter) => name.endsWith('.weight') && parameter.rank > 1,
  );
  switch (config.type) {
    case 'sgd':
      return new SGD(groups, config);
    case 'adam':
      return new Adam(groups, config);
    case 'adamw':
      return new AdamW(groups, config);
  }
}

/** The learning rate as a function of the epoch. */
export function makeSchedule(config: ScheduleConfig, epochs: number): Schedule {
  checkedConfig('makeSchedule', { schedule: config }, ['schedule']);
  asInteger('makeSchedule', 'epochs', epochs, 1);
  switch (config.kind) {
    case 'constant':
      return constantLR();
    case 'exponential':
      return exponentialLR(config);
    case 'step':
      return stepLR(config);
    case 'multistep':
      return multiStepLR(config);
    case 'cosine':
      return cosineAnnealingLR({ period: epochs });
  }
}

/** What the configuration of a run says to `fit`. */
export function fitSettings(config: RunConfig) {
  const { batchSize, epochs, seed, penaltyWeight, freezeNorms, limitBatches } = config;
  const schedule = makeSchedule(config.schedule, epochs);
  const limits = { freezeNorms: freezeNorms ?? null, limitBatches: limitBatches ?? null };
  return { schedule, batchSize, epochs, seed, penaltyWeight, ...limits } satisfies Partial<FitOptions>;
}
