import type { BatchOptions } from '../data/batches.js';
import { type Batchable, batchesOf } from '../data/batchSource.js';
import { asDataset } from '../data/dataset.js';
import type { Rounding } from '../deploy/axe/rounding.js';
import { type RoundedLayer, roundWeights } from '../deploy/axe/roundWeights.js';
import { asModule, type Module, type StateDict } from '../nn/module.js';
import { calibrateActivations, correctBias } from '../quant/calibrate.js';
import { epInit, initializeQuantizers } from '../quant/epInit.js';
import { quantLayers } from '../quant/layers.js';
import { reestimateBatchNorms } from '../quant/reestimate.js';
import { asOptions } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { Random } from '../tensor/random.js';
import { dispose } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { breathe } from './breathe.js';
import type { StartConfig } from './config.js';
import { drawHeWeights } from './heWeights.js';
import { leavesOutLastBatch } from './lastBatch.js';
import { loadFloatWeights } from './weights.js';

/** What a fresh model goes through before its first step. */
export interface PrepareConfig {
  readonly start: Omit<StartConfig, 'initFrom'>;
  /** Draws He's weights and chooses the images. */
  readonly seed: number;
  readonly batchSize: number;
  /** How weights are rounded, once and for all; left out for a model that is to be trained. */
  readonly rounding?: Rounding;
  readonly scaleSearch?: boolean;
}

/** The state of a checkpoint, and what errors call it. */
export interface NamedState {
  readonly state: StateDict;
  readonly name: string;
  /** The names of its classes in the order of its outputs, where it knows them. */
  readonly classNames?: readonly string[];
}

/** Whom to tell of the stages, and who may end them. */
export interface PrepareOptions {
  /** Told the name of each stage as it begins. */
  readonly onStage?: (stage: string) => void;
  /** Told what became of the layers of a model that was rounded. */
  readonly onRounded?: (layers: readonly RoundedLayer[]) => void;
  /** Gives up between two batches, by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A model on its way from fresh to ready. */
export interface Preparation extends PrepareConfig, Pick<PrepareOptions, 'onStage' | 'onRounded'> {
  readonly model: Module;
  /** What the weights come from; null keeps random ones. */
  readonly source: NamedState | null;
  /**
   * Plain training images `[N, C, H, W]` in batches: `count` of them, the same ones at every call.
   * @param mode `training` leaves out a last batch of one image that a batch norm cannot take
   */
  images(count: number, mode?: 'training'): AsyncIterable<Tensor>;
}

/** One step from weights to a model ready to train. */
export interface PrepareStage {
  readonly name: string;
  /** What it does, in one sentence. */
  readonly about: string;
  applies(given: Preparation): boolean;
  run(given: Preparation): unknown;
}

/** Tells the generator of He's weights from that of the model's own. */
const HE_STREAM = 1;

const isQuantized = ({ model }: Preparation) => !quantLayers(model).next().done;

/**
 * The stages in their order. One that rescales weights (cross-layer equalization) belongs between weights and scales.
 * Norms are re-estimated before calibration, since thresholds hold for the activations they give.
 */
export const PREPARE_STAGES: readonly PrepareStage[] = [
  {
    name: 'weights',
    about: 'Loads weights, biases and norms of a checkpoint.',
    applies: ({ source }) => source !== null,
    run: ({ model, source }) => source && loadFloatWeights(model, source.state, source.name),
  },
  {
    name: 'He initialization',
    about: 'Draws random weights by He’s rule in place of PyTorch’s.',
    applies: ({ source, start }) => source === null && start.heInit,
    run: ({ model, seed }) => drawHeWeights(model, new Random(seed).fork(HE_STREAM)),
  },
  {
    name: 'weight scales',
    about: 'Sets scales and norms of the weight quantizers from the weights.',
    applies: isQuantized,
    run: ({ model }) => initializeQuantizers(model),
  },
  {
    name: 'EP-init',
    about: 'Projects the weights of every channel onto the l1 ball of its accumulator.',
    applies: (given) => isQuantized(given) && given.start.epInit,
    run: ({ model }) => epInit(model),
  },
  {
    name: 'batch-norm re-estimation',
    about: 'Moves running means and variances to those of the quantized weights.',
    applies: (given) => isQuantized(given) && given.start.reestimationSamples > 0,
    run: ({ model, start, images }) => reestimateBatchNorms(model, images(start.reestimationSamples, 'training')),
  },
  {
    name: 'activation calibration',
    about: 'Takes the thresholds of activations from a percentile of their values.',
    applies: (given) => isQuantized(given) && given.start.calibrationSamples > 0,
    run: ({ model, start, images, rounding }) => {
      const calibrate = () => calibrateActivations(model, images(start.calibrationSamples));
      return rounding === undefined ? calibrate() : withFloatWeights(model, calibrate);
    },
  },
  {
    name: 'rounding',
    about: 'Rounds the weights of a model that will not be trained, for its accumulators where it has some in mind.',
    applies: (given) => isQuantized(given) && given.rounding !== undefined,
    run: async ({ model, start, images, seed, rounding, scaleSearch = true, onStage, onRounded }) => {
      const layers = await roundWeights(model, () => images(start.calibrationSamples), {
        ...(rounding ? { rounding } : {}),
        onLayer: (layer) => onStage?.(`rounding ${layer}`),
        ...{ scaleSearch, seed },
      });
      onRounded?.(layers);
    },
  },
  {
    name: 'bias correction',
    about: 'Takes the shift of the mean that quantized weights cause off the biases.',
    applies: (given) => isQuantized(given) && given.start.biasCorrection && given.start.calibrationSamples > 0,
    run: ({ model, start, images }) =>
      // A layer without a bias stands before a batch norm, which has the shift in its mean once it is re-estimated.
      correctBias(model, () => images(start.calibrationSamples), { addBiases: start.reestimationSamples === 0 }),
  },
];

/**
 * Brings a fresh model to the point where training begins, stage by stage: {@link PREPARE_STAGES}.
 *
 * @param source the weights of a checkpoint; null keeps random ones
 * @param dataset gives the training images, plain, in an order drawn from the seed
 * @throws DataError if the checkpoint does not fit the model; the signal's reason
 */
export async function prepareModel(
  model: Module,
  config: PrepareConfig,
  source: NamedState | null,
  dataset: Batchable,
  { onStage, onRounded, signal }: PrepareOptions = {},
): Promise<void> {
  asModule('prepareModel', model);
  const { start, seed, batchSize, rounding, scaleSearch } = asOptions('prepareModel', config, 'the configuration');
  const order = new Random(seed).permutation(asDataset('prepareModel', dataset).length);
  const images = (count: number, mode?: 'training') => {
    const part = order.slice(0, count);
    const facts = { ...dataset, length: part.length };
    const dropLast = mode === 'training' && leavesOutLastBatch(model, facts, { batchSize });
    return inputsOf(dataset, { batchSize, part, dropLast }, signal);
  };
  const given: Preparation = {
    ...{ model, source, start, seed, batchSize, images },
    ...(rounding === undefined ? {} : { rounding }),
    ...(scaleSearch === undefined ? {} : { scaleSearch }),
    ...(onStage ? { onStage } : {}),
    ...(onRounded ? { onRounded } : {}),
  };
  for (const stage of PREPARE_STAGES) {
    if (!stage.applies(given)) continue;
    onStage?.(stage.name);
    await stage.run(given);
  }
}

/** Runs `work` on a model whose weights stay in floats. */
async function withFloatWeights(model: Module, work: () => Promise<unknown>): Promise<void> {
  const layers = [...quantLayers(model)].map(([, layer]) => layer);
  for (const layer of layers) layer.quantizeWeights = false;
  try {
    await work();
  } finally {
    for (const layer of layers) layer.quantizeWeights = true;
  }
}

/** The inputs of some samples as tensors; each is freed when the next is asked for. */
export async function* inputsOf(
  dataset: Batchable,
  options: BatchOptions,
  signal?: AbortSignal,
): AsyncGenerator<Tensor> {
  for await (const { inputs, inputShape } of batchesOf(dataset, options)) {
    const x = tensor(inputs, inputShape);
    try {
      yield x;
    } finally {
      dispose(x);
    }
    await breathe();
    signal?.throwIfAborted();
  }
}
