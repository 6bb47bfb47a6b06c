import { noGrad } from '../../autograd/tape.js';
import { auditLayer } from '../../deploy/audit.js';
import { hiddenLayers, withAccumulators } from '../../deploy/simulate.js';
import type { Module } from '../../nn/module.js';
import { weightRange } from '../../quant/integerRange.js';
import type { Method } from '../../quant/methods.js';
import { integers } from '../../quant/quantTensor.js';
import { largest } from '../../tensor/extremes.js';
import { dispose, scope } from '../../tensor/storage.js';
import type { RunConfig } from '../../train/config.js';
import { buildModel } from '../../train/models.js';
import type { Halves } from '../../train/node/openBatches.js';
import { type NamedState, prepareModel } from '../../train/prepare.js';
import { testAccuracy, trainModel, type WorkEvents } from './training.js';

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
export interface QuantizedNetwork {
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

/**
 * Trains one quantized network from the float one, proves its accumulator width and tests it on P-bit accumulators.
 * @param trialBits every P to test it on
 */
export async function trainQuantized(
  config: RunConfig,
  float: NamedState,
  { train, test }: Halves,
  trialBits: readonly number[],
  events: WorkEvents,
): Promise<QuantizedNetwork> {
  const { accumulatorBits = null } = config;
  const { signal } = events;
  const method = config.method as QuantizedNetwork['method'];
  const model = buildModel(config);
  try {
    await prepareModel(model, config, float, train, signal ? { signal } : {});
    const weightsBefore = await countIntegers(model, config.weightBits as number);
    const losses = await trainModel(model, config, train, events);
    model.eval();
    const proof = await proveHidden(model);
    const measure = () => testAccuracy(model, config, test, events);
    const accuracy = await measure();
    const trials: AccumulatorTrial[] = [];
    for (const bits of trialBits) {
      const register = { accumulatorBits: bits, overflow: 'wrap' } as const;
      const { result, overflows } = await withAccumulators(model, register, measure);
      trials.push({ accumulatorBits: bits, accuracy: result, overflows });
    }
    const weightsAfter = await countIntegers(model, config.weightBits as number);
    return { method, accumulatorBits, accuracy, trials, ...proof, weightsBefore, weightsAfter, losses };
  } finally {
    model.dispose();
  }
}

/** The exact test of every hidden layer. */
async function proveHidden(model: Module): Promise<Pick<QuantizedNetwork, 'safeBits' | 'sparsity' | 'layers'>> {
  const audits = [];
  for (const [name, layer] of hiddenLayers(model)) audits.push(await auditLayer(name, layer));
  const size = audits.reduce((sum, { channels, length }) => sum + channels * length, 0);
  return {
    safeBits: largest(audits.map(({ safeBits }) => safeBits)),
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
