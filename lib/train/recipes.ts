import type { Module } from '../nn/module.js';
import { Adam, AdamW, decayGroups, type Optimizer, SGD } from '../nn/optim/index.js';
import { constantLR, cosineAnnealingLR, exponentialLR, multiStepLR, type Schedule, stepLR } from '../nn/schedule.js';
import type { OptimizerConfig, ScheduleConfig } from './config.js';
import type { DatasetName, ModelName } from './names.js';

/** How a model is trained on a dataset, unless the user says otherwise. */
export interface Recipe {
  readonly optimizer: OptimizerConfig;
  readonly schedule: ScheduleConfig;
  readonly epochs: number;
  readonly batchSize: number;
  /** Training images for activation calibration when starting from a checkpoint. */
  readonly calibrationSamples: number;
  /** Random weights by He's rule. */
  readonly heInit: boolean;
}

/** Of the papers, everywhere; none for biases, norms, scales and thresholds. */
const WEIGHT_DECAY = 1e-5;

const adam = (learningRate: number): OptimizerConfig => ({
  type: 'adam',
  learningRate,
  momentum: 0,
  weightDecay: WEIGHT_DECAY,
});

/** The papers do not print their momentum; 0.9 is what their learning rates are usual with. */
const sgd = (learningRate: number): OptimizerConfig => ({
  type: 'sgd',
  learningRate,
  momentum: 0.9,
  weightDecay: WEIGHT_DECAY,
});

const fromCheckpoint = { calibrationSamples: 1000, heInit: false } as const;

/** A2Q+ (arXiv 2401.10432), appendix: quantized training that starts from a float checkpoint. */
const mobilenetCifar: Recipe = {
  optimizer: sgd(1e-3),
  schedule: { kind: 'exponential', gamma: 0.9 },
  epochs: 100,
  batchSize: 64,
  ...fromCheckpoint,
};

const resnetCifar: Recipe = {
  optimizer: sgd(1e-3),
  schedule: { kind: 'step', stepSize: 30, gamma: 0.1 },
  epochs: 100,
  batchSize: 256,
  ...fromCheckpoint,
};

const imageNet: Recipe = {
  optimizer: sgd(1e-4),
  schedule: { kind: 'multistep', milestones: [30, 50], gamma: 0.1 },
  epochs: 60,
  batchSize: 64,
  calibrationSamples: 3000,
  heInit: false,
};

/** Super-resolution starts from He's weights and finds its thresholds while training. */
const bsd300: Recipe = {
  optimizer: adam(1e-3),
  schedule: { kind: 'exponential', gamma: 0.999 },
  epochs: 300,
  batchSize: 8,
  calibrationSamples: 0,
  heInit: true,
};

/** Our own, for what the papers did not train. */
const fineTune = (epochs: number): Recipe => ({
  optimizer: adam(1e-3),
  schedule: { kind: 'cosine' },
  epochs,
  batchSize: 64,
  ...fromCheckpoint,
});
const scratch = (epochs: number): Recipe => ({ ...fineTune(epochs), calibrationSamples: 0 });
const largeScratch: Recipe = { ...scratch(100), optimizer: sgd(0.05), batchSize: 128 };

/**
 * The recipe of METHOD's table for (model, dataset); for a large classifier trained from random weights, and for the
 * small one, our own.
 *
 * @param checkpoint whether training starts from a float checkpoint
 */
export function recipeFor(model: ModelName, dataset: DatasetName, checkpoint: boolean): Recipe {
  if (dataset === 'bsd300') return bsd300;
  if (model === 'cnn') {
    const [full, short] = dataset === 'glyphs' ? [8, 4] : [30, 15];
    return checkpoint ? fineTune(short) : scratch(full);
  }
  if (!checkpoint) return largeScratch;
  if (dataset === 'folder') return imageNet;
  return model === 'mobilenetv1' ? mobilenetCifar : resnetCifar;
}

/** The optimizer of a model; weight decay applies to the parameters named `….weight` of more than one axis. */
export function makeOptimizer(model: Module, config: OptimizerConfig): Optimizer {
  const groups = decayGroups(
    model.namedParameters(),
    (name, parameter) => name.endsWith('.weight') && parameter.rank > 1,
  );
  const { learningRate, momentum, weightDecay } = config;
  switch (config.type) {
    case 'sgd':
      return new SGD(groups, { learningRate, momentum, weightDecay });
    case 'adam':
      return new Adam(groups, { learningRate, weightDecay });
    case 'adamw':
      return new AdamW(groups, { learningRate, weightDecay });
  }
}

/** The learning rate as a function of the epoch. */
export function makeSchedule(config: ScheduleConfig, epochs: number): Schedule {
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
