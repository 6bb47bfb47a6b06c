import { batchCount } from '../data/batches.js';
import { type Batchable, batchesOf } from '../data/batchSource.js';
import { asDataset, type Batch } from '../data/dataset.js';
import { countCorrect, psnrPerImage } from '../data/metrics.js';
import { asCapable, asFunction, asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import { asGraph } from './graph/argument.js';
import { decodeOutput, quantizeInput } from './graph/decode.js';
import type { IntegerGraph } from './graph/graph.js';
import type { IntegerValue } from './runtime/reference.js';
import type { Runtime } from './runtime/runtime.js';

/** How much to look at, and whom to tell. */
export interface NetworkEvaluationOptions {
  readonly batchSize: number;
  /** Stop after that many batches, of images evenly of all classes where labels are known; default all. */
  readonly limitBatches?: number | null;
  /** Told after each batch how many of how many are done. */
  readonly onBatch?: (done: number, total: number) => void;
}

/** Means over the samples. */
export interface NetworkEvaluation {
  readonly metricName: 'accuracy' | 'psnr';
  /** Accuracy 0 … 1, or PSNR in dB. */
  readonly metric: number;
  readonly samples: number;
}

/**
 * The metric of a deployed network over a dataset's plain samples.
 * @throws DataError if the dataset is empty, or its samples are no inputs of the network
 */
export async function evaluateNetwork(
  runtime: Runtime,
  dataset: Batchable,
  options: NetworkEvaluationOptions,
): Promise<NetworkEvaluation> {
  const { graph } = asCapable('evaluateNetwork', 'the runtime', runtime, 'run');
  const { onBatch } = asOptions('evaluateNetwork', options);
  if (onBatch) asFunction('evaluateNetwork', 'onBatch', onBatch);
  const total = batchCount(dataset, { batchSize: options.batchSize, limit: limitOf(options) });
  let sum = 0;
  let samples = 0;
  let done = 0;
  for await (const { x, score } of scoredBatches(graph, dataset, options)) {
    sum += score(await runtime.run(x));
    samples += x.shape[0];
    onBatch?.(++done, total);
  }
  return { metricName: metricOf(dataset), metric: sum / samples, samples };
}

/** The metric by which answers on a dataset are judged. */
export function metricOf({ kind }: Pick<Batchable, 'kind'>): NetworkEvaluation['metricName'] {
  return kind === 'labels' ? 'accuracy' : 'psnr';
}

/** Inputs of a network, and how well it answers them. */
export interface ScoredBatch {
  /** Integers of the input's grid, `[N, …]`. */
  readonly x: IntegerValue;
  /** The sum of the metric over the N samples, of the integers of the network's output. */
  readonly score: (output: IntegerValue) => number;
}

/** A dataset's plain samples as integers. @throws DataError as {@link evaluateNetwork} */
export async function* scoredBatches(
  graph: IntegerGraph,
  dataset: Batchable,
  options: NetworkEvaluationOptions,
): AsyncGenerator<ScoredBatch> {
  asGraph('scoredBatches', graph);
  const { batchSize } = asOptions('scoredBatches', options);
  if (asDataset('scoredBatches', dataset).length === 0) {
    throw new DataError('scoredBatches', `${dataset.name} has no samples`);
  }
  for await (const batch of batchesOf(dataset, { batchSize, limit: limitOf(options), balanced: true })) {
    const x = quantizeInput(graph, batch.inputs, batch.inputShape);
    yield { x, score: (output) => scoreOf(batch, decodeOutput(graph, output)) };
  }
}

function scoreOf(batch: Batch, output: Float32Array): number {
  if (batch.kind === 'labels') return countCorrect(output, batch.targets);
  return psnrPerImage(output, batch.targets, batch.size).reduce((sum, dB) => sum + dB, 0);
}

const limitOf = ({ limitBatches }: NetworkEvaluationOptions) => limitBatches ?? Number.POSITIVE_INFINITY;
