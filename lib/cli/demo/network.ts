import type { LabelledDataset } from '../../data/dataset.js';
import { SmallCnn } from '../../nn/models/smallCnn.js';
import type { Module } from '../../nn/module.js';
import { Adam, decayGroups } from '../../nn/optim/index.js';
import { cosineAnnealingLR } from '../../nn/schedule.js';
import type { Method } from '../../quant/methods.js';
import { layerPolicy } from '../../quant/policy.js';
import { Random } from '../../tensor/random.js';
import { fit } from '../../train/fit.js';
import { classification } from '../../train/task.js';
import type { DemoPlan, Stint } from './plan.js';

/** Whom to tell about each step, and who may stop the work. */
export interface Watch {
  onStep(loss: number): void;
  /** After each batch of a test. */
  onTest(): void;
  readonly signal?: AbortSignal;
}

/** The network of the demo under a method, with random weights. @param accumulatorBits P; null for none */
export function buildNetwork(
  plan: DemoPlan,
  method: Method,
  accumulatorBits: number | null,
  dataset: LabelledDataset,
): Module {
  const [inChannels, imageSize] = dataset.inputShape;
  const make = layerPolicy({
    method,
    weightBits: plan.weightBits,
    actBits: plan.actBits,
    ...(accumulatorBits === null ? {} : { accumulatorBits }),
    random: new Random(plan.seed),
  });
  return new SmallCnn(make, {
    inChannels,
    imageSize,
    classes: dataset.classes.length,
    widths: plan.widths,
    // Normalised images are around zero.
    signedInput: true,
  });
}

/**
 * Trains for one stint.
 * @param stream tells the sample order of one stint from that of another
 * @returns the loss of every step, before it was taken
 */
export async function train(
  plan: DemoPlan,
  model: Module,
  dataset: LabelledDataset,
  { epochs, learningRate }: Stint,
  stream: number,
  { onStep, signal }: Watch,
): Promise<number[]> {
  const groups = decayGroups(model.namedParameters(), (name) => name.endsWith('.weight'));
  const optimizer = new Adam(groups, { learningRate, weightDecay: plan.weightDecay });
  const losses: number[] = [];
  try {
    await fit({
      model,
      optimizer,
      dataset,
      epochs,
      schedule: cosineAnnealingLR({ period: epochs }),
      task: classification(),
      batchSize: plan.batchSize,
      seed: plan.seed + STREAM * stream,
      onStep: ({ loss }) => {
        losses.push(loss);
        onStep(loss);
      },
      ...(signal ? { signal } : {}),
    });
  } finally {
    optimizer.dispose();
  }
  signal?.throwIfAborted();
  return losses;
}

/** Distance between the seeds of two stints of one demo: far more than anyone runs seeds. */
const STREAM = 1_000_003;
