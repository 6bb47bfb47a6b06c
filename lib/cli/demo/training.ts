import type { Batchable } from '../../data/batchSource.js';
import type { Module } from '../../nn/module.js';
import type { RunConfig } from '../../train/config.js';
import { evaluate } from '../../train/evaluate.js';
import { fit } from '../../train/fit.js';
import { fitSettings, makeOptimizer } from '../../train/recipes.js';
import { taskOf } from '../../train/task.js';

/** Whom to tell about each step, and who may stop the work. */
export interface WorkEvents {
  onStep(loss: number): void;
  /** After each batch of a test. */
  onTest(): void;
  readonly signal?: AbortSignal;
}

/**
 * Trains a model that is ready for it, as `a2q train` does.
 * @returns the loss of every step, before it was taken
 * @throws the signal's reason
 */
export async function trainModel(
  model: Module,
  config: RunConfig,
  dataset: Batchable,
  { onStep, signal }: WorkEvents,
): Promise<number[]> {
  const optimizer = makeOptimizer(model, config.optimizer);
  const losses: number[] = [];
  try {
    await fit({
      ...fitSettings(config),
      model,
      optimizer,
      dataset,
      task: taskOf(dataset),
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

/** Share of test images a network tells right, as `a2q eval` measures it. */
export async function testAccuracy(
  model: Module,
  { batchSize, limitBatches }: RunConfig,
  test: Batchable,
  { onTest, signal }: WorkEvents,
): Promise<number> {
  const { metric } = await evaluate(model, test, taskOf(test), {
    ...{ batchSize, limitBatches: limitBatches ?? null },
    onBatch: () => onTest(),
    ...(signal ? { signal } : {}),
  });
  return metric;
}
