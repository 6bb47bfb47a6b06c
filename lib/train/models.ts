import type { Dataset, DatasetFacts } from '../data/dataset.js';
import { kaimingNormal } from '../nn/init.js';
import { WeightedModule } from '../nn/layers/weighted.js';
import { Espcn } from '../nn/models/espcn.js';
import type { LayerFactory } from '../nn/models/factory.js';
import { MobileNetV1 } from '../nn/models/mobileNetV1.js';
import { ResNet18 } from '../nn/models/resNet18.js';
import { SmallCnn } from '../nn/models/smallCnn.js';
import type { Module } from '../nn/module.js';
import { layerPolicy } from '../quant/policy.js';
import { DataError } from '../tensor/errors.js';
import { Random } from '../tensor/random.js';
import { scope } from '../tensor/storage.js';
import type { DataShape, RunConfig } from './config.js';
import type { ModelName } from './names.js';

/** A model that can be trained by name. */
export interface ModelEntry {
  /** What it can be trained on. */
  readonly kind: Dataset['kind'];
  /** One line for `--help`. */
  readonly about: string;
  /** @throws DataError or ShapeError if images of that shape do not suit the model */
  build(make: LayerFactory, shape: DataShape): Module;
}

/** Widths of the small classifier: for images of up to 16 pixels, and for larger ones. */
const SMALL_WIDTHS: readonly number[] = [16, 32, 32];
const LARGE_WIDTHS: readonly number[] = [32, 64, 64, 64];

export const MODELS: Readonly<Record<ModelName, ModelEntry>> = {
  espcn: {
    kind: 'images',
    about: 'super-resolution with a nearest-neighbour resize (Shi et al. 2016, as in the A2Q papers)',
    build: (make, { factor }) => new Espcn(make, { scale: factor as number }),
  },
  cnn: {
    kind: 'labels',
    about: 'three or four 3x3 convolutions and a linear layer',
    build: (make, { inputShape: [inChannels, height], classes, signed }) =>
      new SmallCnn(make, {
        inChannels,
        imageSize: height,
        classes: classes as number,
        widths: height <= 16 ? SMALL_WIDTHS : LARGE_WIDTHS,
        signedInput: signed,
      }),
  },
  mobilenetv1: {
    kind: 'labels',
    about: 'depthwise-separable convolutions (Howard et al. 2017), stem of stride 1',
    build: (make, shape) => new MobileNetV1(make, { classes: colourClasses('mobilenetv1', shape) }),
  },
  resnet18: {
    kind: 'labels',
    about: 'residual network (He et al. 2016) with a 3x3 stem',
    build: (make, shape) => new ResNet18(make, { classes: colourClasses('resnet18', shape) }),
  },
};

function colourClasses(model: ModelName, { inputShape, classes }: DataShape): number {
  if (inputShape[0] !== 3) throw new DataError(model, `wants RGB images; these have ${inputShape[0]} channel`);
  return classes as number;
}

/** What a model must know of a dataset. */
export function shapeOf(dataset: DatasetFacts): DataShape {
  const { inputShape, normalisation } = dataset;
  return {
    inputShape: [...inputShape],
    signed: normalisation.mean.some((mean) => mean > 0),
    classes: dataset.kind === 'labels' ? dataset.classes.length : null,
    factor: dataset.kind === 'images' ? dataset.targetShape[1] / inputShape[1] : null,
  };
}

/** The fields of a configuration that make the model. */
export type ModelConfig = Pick<
  RunConfig,
  'model' | 'shape' | 'method' | 'weightBits' | 'actBits' | 'accumulatorBits' | 'collectStatsSteps' | 'seed'
>;

/**
 * A fresh model with random weights, drawn from the run's seed.
 *
 * @throws DataError if model and data do not go together; QuantError on bits out of range or a P too small
 */
export function buildModel(config: ModelConfig): Module {
  const entry = MODELS[config.model];
  const kind: Dataset['kind'] = config.shape.classes === null ? 'images' : 'labels';
  if (entry.kind !== kind) {
    const wants = entry.kind === 'labels' ? 'images with labels' : 'pairs of images';
    throw new DataError(config.model, `trains on ${wants}; the dataset holds ${kind}`);
  }
  const [, height, width] = config.shape.inputShape;
  if (height !== width) throw new DataError(config.model, `wants square images; these are ${width}x${height}`);
  const make = layerPolicy({
    method: config.method,
    weightBits: config.weightBits ?? 8,
    actBits: config.actBits ?? 8,
    ...(config.accumulatorBits === null ? {} : { accumulatorBits: config.accumulatorBits }),
    collectStatsSteps: config.collectStatsSteps,
    random: new Random(config.seed),
  });
  return entry.build(make, config.shape);
}

/** Draws the weights of every layer anew by He's rule: normal, deviation √(2/fanIn). Biases become 0. */
export function drawHeWeights(model: Module, random: Random): void {
  for (const [, layer] of model.namedModules()) {
    if (!(layer instanceof WeightedModule)) continue;
    scope(() => layer.weight.assign(kaimingNormal(layer.weight.shape, random)));
    layer.bias?.write(new Float32Array(layer.bias.size));
  }
}
