import type { DatasetOutline } from '../data/node/entry.js';
import type { DataShape, ModelEntry } from '../nn/models/entry.js';
import { MODELS } from '../nn/models/index.js';
import type { Module, StateDict } from '../nn/module.js';
import { EDGE_BITS, layerPolicy } from '../quant/policy.js';
import { asList, asNumbers, asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import { Random } from '../tensor/random.js';
import { checkedConfig, type RunConfig } from './config.js';
import { limitWeights, type WeightSource } from './weightLimit.js';

/** What a model must know of a dataset. */
export function shapeOf(dataset: DatasetOutline): DataShape {
  const { inputShape, normalisation } = asOptions('shapeOf', dataset, 'the dataset');
  asNumbers('shapeOf', 'inputShape', inputShape);
  asNumbers('shapeOf', 'mean', asOptions('shapeOf', normalisation, 'the normalisation').mean);
  const facts = { inputShape, signed: normalisation.mean.some((mean) => mean > 0) };
  if (dataset.kind === 'labels') asList('shapeOf', 'classes', dataset.classes);
  else asNumbers('shapeOf', 'targetShape', dataset.targetShape);
  return dataset.kind === 'labels'
    ? { kind: 'labels', ...facts, classes: dataset.classes.length }
    : { kind: 'images', ...facts, factor: dataset.targetShape[1] / inputShape[1] };
}

/** The fields of a configuration that make the model. */
const MODEL_FIELDS = [
  'model',
  'module',
  'shape',
  'method',
  'weightBits',
  'actBits',
  'accumulatorBits',
  'powerOfTwoScales',
  'tile',
  'collectStatsSteps',
  'seed',
] as const;
export type ModelConfig = Pick<RunConfig, (typeof MODEL_FIELDS)[number]>;

/** What people call the model of a run: its name, or the file it is from. */
export function modelName({ model, module }: Pick<RunConfig, 'model' | 'module'>): string {
  return model ?? module ?? 'model';
}

export interface BuildOptions {
  /** What builds it. Default: the model that is named. */
  readonly entry?: ModelEntry;
  /** What will be loaded into it; a model of more weights is refused before it is made. */
  readonly source?: WeightSource;
}

/** A state as what a model is made for. */
export function sourceOf(state: StateDict, name: string): WeightSource {
  let count = 0;
  for (const { data } of state.values()) count += data.length;
  return { name, count };
}

/** What a model of each kind is told that is given data of the other. */
const KIND_ADVICE: Readonly<Record<DataShape['kind'], string>> = {
  labels:
    'trains on images with labels; the dataset holds pairs of images: choose --dataset glyphs, cifar10 or folder, ' +
    'or --model espcn to up-scale',
  images:
    'trains on pairs of images; the dataset holds labels: choose --dataset bsd300, which up-scales photographs of ' +
    'your own too (docs/train.md), or a model that classifies',
};

/**
 * A fresh model with random weights, drawn from the run's seed.
 *
 * @throws DataError if model and data do not go together, or the source holds too little; QuantError on bits out of
 *   range or a P too small
 */
export function buildModel(config: ModelConfig, options: BuildOptions = {}): Module {
  const { shape } = checkedConfig('buildModel', config, MODEL_FIELDS);
  const { entry = entryNamed(config), source } = asOptions('buildModel', options);
  const name = modelName(config);
  if (entry.kind !== shape.kind) {
    throw new DataError(name, KIND_ADVICE[entry.kind]);
  }
  const [channels, height, width] = shape.inputShape;
  if (entry.channels !== undefined && entry.channels !== channels) {
    const wants = entry.channels === 3 ? 'RGB' : 'grey';
    throw new DataError(name, `wants ${wants} images; these have ${channels} channel${channels === 1 ? '' : 's'}`);
  }
  if (height !== width) throw new DataError(name, `wants square images; these are ${width}x${height}`);
  const make = layerPolicy({
    method: config.method,
    weightBits: config.weightBits ?? EDGE_BITS,
    actBits: config.actBits ?? EDGE_BITS,
    ...(config.accumulatorBits === undefined ? {} : { accumulatorBits: config.accumulatorBits }),
    ...(config.tile === undefined ? {} : { tile: config.tile }),
    powerOfTwoScales: config.powerOfTwoScales ?? false,
    collectStatsSteps: config.collectStatsSteps,
    random: new Random(config.seed),
  });
  // The kinds agree, which the compiler does not follow from one union to the other.
  return entry.build(source ? limitWeights(make, source) : make, shape as never);
}

function entryNamed({ model, module }: ModelConfig): ModelEntry {
  if (model === undefined) throw new DataError('model', `${module} is a file; its function must be loaded first`);
  return MODELS[model];
}
