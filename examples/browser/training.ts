import {
  Adam,
  classification,
  cosineAnnealingLR,
  dataTypeAccumulatorBits,
  evaluate,
  fit,
  floatLayers,
  glyphs,
  hiddenLayers,
  inputRange,
  integers,
  layerPolicy,
  type Module,
  prepareModel,
  quantLayers,
  Random,
  SmallCnn,
  testAccumulator,
} from '../../lib/index.js';
import type { Point } from './chart.js';

/** Bits of weights and of activations. */
const BITS = 4;
const BATCH = 64;
/** Steps between two looks at the test images, which are as many as the page says. */
const ROUND = 10;
const TEST_IMAGES = 200;

export interface Plan {
  /** P, bits. */
  readonly accumulatorBits: number;
  /** Steps of each of the two phases, a multiple of 10. */
  readonly steps: number;
}

/** Whom to tell, and who may stop it. */
export interface Watch {
  onLoss(point: Point, milliseconds: number): void;
  onAccuracy(point: Point): void;
  readonly signal: AbortSignal;
}

/** A hidden layer's exact worst case. */
export interface LayerProof {
  readonly name: string;
  /** K, products a sum. */
  readonly products: number;
  readonly bitsByType: number;
  readonly min: number;
  readonly max: number;
  readonly safeBits: number;
  readonly safe: boolean;
}

/**
 * The glyph story on the current backend: a float network, then the same one under A2Q+, then the proof.
 * @throws the signal's reason if it is stopped
 */
export async function tellStory(plan: Plan, watch: Watch): Promise<LayerProof[]> {
  const train = glyphs({ length: 100 * BATCH, normalise: false });
  const test = glyphs({ length: TEST_IMAGES, normalise: false, split: 'test' });
  const shape = { inChannels: 1, imageSize: 16, classes: train.classes.length, widths: [16, 32, 32] };

  const float = new SmallCnn(floatLayers(new Random(0)), shape);
  await phase('float', float, 4e-3);

  const make = layerPolicy({
    ...{ method: 'a2q+', weightBits: BITS, actBits: BITS, accumulatorBits: plan.accumulatorBits },
    random: new Random(1),
  });
  const model = new SmallCnn(make, shape);
  const source = { state: await float.stateDict(), name: 'the float network' };
  float.dispose();
  const start = { heInit: false, epInit: true, reestimationSamples: 0, calibrationSamples: 200, biasCorrection: false };
  await prepareModel(model, { start, seed: 0, batchSize: 100 }, source, train);
  await phase('quantized', model, 3e-3);
  const proof = await prove(model, plan.accumulatorBits);
  model.dispose();
  return proof;

  /** Trains for some rounds, learning rate down to 0 by a cosine, with a look at the test images after each. */
  async function phase(name: Point['phase'], network: Module, learningRate: number): Promise<void> {
    const first = name === 'float' ? 0 : plan.steps;
    const epochs = plan.steps / ROUND;
    const optimizer = new Adam(parameterGroups(network), { learningRate });
    const task = classification();
    await fit({
      ...{ model: network, optimizer, task, dataset: train, batchSize: BATCH, epochs, seed: first },
      ...{ schedule: cosineAnnealingLR({ period: epochs }), limitBatches: ROUND, signal: watch.signal },
      onStep: ({ step, loss, ms }) => watch.onLoss({ step: first + step, value: loss, phase: name }, ms),
      async onEpoch({ step }) {
        const { metric } = await evaluate(network, test, task, { batchSize: 100, signal: watch.signal });
        watch.onAccuracy({ step: first + step, value: metric, phase: name });
      },
    });
    optimizer.dispose();
    watch.signal.throwIfAborted();
  }
}

/** d and t are logarithms, and Adam moves each parameter by about its rate: a scale must not outrun its weights. */
function parameterGroups(model: Module) {
  const logarithms = [...quantLayers(model)].flatMap(([, layer]) => layer.weightQuant.parameters());
  const others = { parameters: model.parameters().filter((parameter) => !logarithms.includes(parameter)) };
  return logarithms.length === 0 ? [others] : [others, { parameters: logarithms, learningRate: 2e-4 }];
}

/** The exact test of every hidden layer, from the integers of its weights alone. */
async function prove(model: Module, accumulatorBits: number): Promise<LayerProof[]> {
  model.eval();
  const proofs: LayerProof[] = [];
  for (const [name, layer] of hiddenLayers(model)) {
    const q = integers(layer.quantWeight());
    const weights = await q.data();
    q.dispose();
    const channels = weights.length / layer.dotLength;
    const {
      safe,
      safeBits,
      channels: tests,
    } = testAccumulator(weights, channels, inputRange(layer.input), accumulatorBits);
    proofs.push({
      name,
      products: layer.dotLength,
      bitsByType: dataTypeAccumulatorBits(layer.dotLength, BITS, layer.input),
      min: Math.min(...tests.map((channel) => channel.min)),
      max: Math.max(...tests.map((channel) => channel.max)),
      safeBits,
      safe,
    });
  }
  return proofs;
}
