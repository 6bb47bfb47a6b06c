import { noGrad } from '../../autograd/tape.js';
import { batches } from '../../data/batches.js';
import { type LabelledDataset, subset } from '../../data/dataset.js';
import { auditLayer } from '../../deploy/audit.js';
import { hiddenLayers, withAccumulators } from '../../deploy/simulate.js';
import type { Module, StateDict } from '../../nn/module.js';
import { calibrateActivations } from '../../quant/calibrate.js';
import { epInit, initializeQuantizers } from '../../quant/epInit.js';
import { weightRange } from '../../quant/integerRange.js';
import type { Method } from '../../quant/methods.js';
import { integers } from '../../quant/quantTensor.js';
import { reestimateBatchNorms } from '../../quant/reestimate.js';
import { tensor } from '../../tensor/create.js';
import { dispose, scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import { evaluate } from '../../train/evaluate.js';
import { loadFloatWeights } from '../../train/prepare.js';
import { classification } from '../../train/task.js';
import { buildNetwork, train, type Watch } from './network.js';
import type { DemoPlan } from './plan.js';

/** A trained network put on accumulators of P bits that wrap around. */
export interface AccumulatorTrial {
  readonly accumulatorBits: number;
  /** 0 … 1, on the test images. */
  readonly accuracy: number;
  /** Partial sums that did not fit. */
  readonly overflows: number;
}

/** What the weights of one hidden layer ask of an accumulator. */
export interface HiddenLayer {
  readonly name: string;
  /** K, terms of one dot product. */
  readonly length: number;
  /** T, the cap on ‖q‖₁ of a channel; null if there is none. */
  readonly budget: number | null;
  /** ‖q‖₁ of each channel, in integer steps. */
  readonly norms: readonly number[];
}

/** One quantized network: how it was trained and what came of it. */
export interface Arm {
  readonly method: Exclude<Method, 'float'>;
  /** P it was trained for; null for QAT, which knows none. */
  readonly accumulatorBits: number | null;
  /** Test accuracy 0 … 1 with accumulators of any width. */
  readonly accuracy: number;
  readonly trials: readonly AccumulatorTrial[];
  /** Narrowest P that is safe for all hidden layers, whatever the input. */
  readonly safeBits: number;
  /** Share of zeros among the hidden weights. */
  readonly sparsity: number;
  readonly layers: readonly HiddenLayer[];
  /** Number of hidden weights of each integer −Q … Q, before and after fine-tuning. */
  readonly weightsBefore: readonly number[];
  readonly weightsAfter: readonly number[];
  /** Loss of each step. */
  readonly losses: readonly number[];
}

/** What every arm of a story shares. */
export interface Bench {
  readonly plan: DemoPlan;
  /** The float network they all start from. */
  readonly checkpoint: StateDict;
  readonly trainSet: LabelledDataset;
  readonly testSet: LabelledDataset;
}

/** Tells fine-tuning's sample order from that of the float network; the same for all arms. */
const FINE_TUNING = 1;

/** Images in a batch of a test. */
export const TEST_BATCH = 250;

/**
 * Trains one quantized network from the float checkpoint, proves its accumulator width and tests it on P-bit accumulators.
 * @param trialBits every P to test it on
 */
export async function runArm(
  bench: Bench,
  method: Arm['method'],
  accumulatorBits: number | null,
  trialBits: readonly number[],
  watch: Watch,
): Promise<Arm> {
  const { plan, trainSet, testSet } = bench;
  const model = buildNetwork(plan, method, accumulatorBits, trainSet);
  try {
    await prepare(bench, method, model);
    const weightsBefore = await countIntegers(model, plan.weightBits);
    const losses = await train(plan, model, trainSet, plan.fineTune, FINE_TUNING, watch);
    model.eval();
    const proof = await proveHidden(model);
    const accuracy = await testAccuracy(model, testSet, watch);
    const trials: AccumulatorTrial[] = [];
    for (const bits of trialBits) trials.push(await tryAccumulator(model, testSet, bits, watch));
    const weightsAfter = await countIntegers(model, plan.weightBits);
    return { method, accumulatorBits, accuracy, trials, ...proof, weightsBefore, weightsAfter, losses };
  } finally {
    model.dispose();
  }
}

/** Times the calibration images pass while batch norms are re-estimated: enough to forget the old statistics. */
const REESTIMATION_PASSES = 3;

/**
 * Float weights, scales and norms from them, EP-init (A2Q and A2Q+), batch norms, activation thresholds. Biases need no
 * correction: a batch norm follows every hidden layer.
 */
async function prepare({ plan, checkpoint, trainSet }: Bench, method: Arm['method'], model: Module): Promise<void> {
  await loadFloatWeights(model, checkpoint, 'the float network');
  initializeQuantizers(model);
  if (method !== 'qat') await epInit(model);
  const images = subset(trainSet, plan.calibrationImages);
  await reestimateBatchNorms(model, inputsOf(images, plan.batchSize, REESTIMATION_PASSES));
  await calibrateActivations(model, inputsOf(images, plan.batchSize, 1));
}

/** The plain images of a set, a few times over; each batch is freed when the next is asked for. */
function* inputsOf(dataset: LabelledDataset, batchSize: number, passes: number): Generator<Tensor> {
  for (let pass = 0; pass < passes; pass++) {
    for (const { inputs, inputShape } of batches(dataset, { batchSize })) {
      const x = tensor(inputs, inputShape);
      try {
        yield x;
      } finally {
        dispose(x);
      }
    }
  }
}

/** Share of test images a network tells right. */
export async function testAccuracy(model: Module, testSet: LabelledDataset, watch: Watch): Promise<number> {
  const { metric } = await evaluate(model, testSet, classification(), {
    batchSize: TEST_BATCH,
    onBatch: () => watch.onTest(),
    ...(watch.signal ? { signal: watch.signal } : {}),
  });
  return metric;
}

async function tryAccumulator(
  model: Module,
  testSet: LabelledDataset,
  accumulatorBits: number,
  watch: Watch,
): Promise<AccumulatorTrial> {
  const { result, overflows } = await withAccumulators(model, { accumulatorBits, overflow: 'wrap' }, () =>
    testAccuracy(model, testSet, watch),
  );
  return { accumulatorBits, accuracy: result, overflows };
}

/** The exact test of every hidden layer. */
async function proveHidden(model: Module): Promise<Pick<Arm, 'safeBits' | 'sparsity' | 'layers'>> {
  const audits = [];
  for (const [name, layer] of hiddenLayers(model)) audits.push(await auditLayer(name, layer));
  const size = audits.reduce((sum, { channels, length }) => sum + channels * length, 0);
  return {
    safeBits: Math.max(...audits.map(({ safeBits }) => safeBits)),
    sparsity: audits.reduce((zeros, each) => zeros + each.sparsity * each.channels * each.length, 0) / size,
    layers: audits.map(({ layer, length, budget, alpha, beta }) => ({
      name: layer,
      length,
      budget,
      norms: alpha.map((positive, i) => positive - beta[i]),
    })),
  };
}

/** How many hidden weights have each integer value −Q … Q. */
async function countIntegers(model: Module, bits: number): Promise<number[]> {
  const { low, high } = weightRange(bits);
  const counts = new Array<number>(high - low + 1).fill(0);
  for (const [, layer] of hiddenLayers(model)) {
    const grid = scope(() => noGrad(() => integers(layer.quantWeight())));
    for (const q of await grid.data()) counts[q - low] += 1;
    dispose(grid);
  }
  return counts;
}
