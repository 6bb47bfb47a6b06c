import { noGrad } from '../autograd/tape.js';
import { batchCount } from '../data/batches.js';
import { type Batchable, batchesOf } from '../data/batchSource.js';
import { asDataset, type Batch, type DatasetFacts } from '../data/dataset.js';
import { asModule, type Module } from '../nn/module.js';
import { asCapable, asFunction, asOptions } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { dispose, scope } from '../tensor/storage.js';
import { breathe } from './breathe.js';
import { Claim } from './inUse.js';
import type { Task } from './task.js';

/** How much to evaluate, and whom to tell. */
export interface EvaluateOptions {
  readonly batchSize: number;
  /** Stop after that many batches, of images evenly of all classes where labels are known; default all. */
  readonly limitBatches?: number | null;
  /** Told after each batch how many of how many are done. */
  readonly onBatch?: (done: number, total: number) => void;
  /** Shown each batch with what the model made of it, in host memory, `[n, …]`. */
  readonly onOutput?: (output: ArrayLike<number>, batch: Batch) => void;
  /** Gives up between two batches, by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Means over the samples. */
export interface Evaluation {
  readonly loss: number;
  /** Accuracy 0 … 1, or PSNR in dB: the task's metric. */
  readonly metric: number;
  readonly samples: number;
}

/**
 * Loss and metric of a model over a dataset's plain samples, in evaluation mode, off the tape; its modes are restored.
 *
 * @throws DataError if the dataset is empty or not of the task's kind, or the batch size is not a positive integer;
 *   A2QError if the model is being trained or evaluated already: one at a time
 */
export async function evaluate(
  model: Module,
  dataset: Batchable,
  task: Task,
  options: EvaluateOptions,
): Promise<Evaluation> {
  asModule('evaluate', model);
  const { batchSize, limitBatches, onBatch, onOutput, signal } = asOptions('evaluate', options);
  if (onBatch) asFunction('evaluate', 'onBatch', onBatch);
  if (onOutput) asFunction('evaluate', 'onOutput', onOutput);
  const limit = limitBatches ?? Number.POSITIVE_INFINITY;
  checkTask('evaluate', dataset, task);
  const total = batchCount(dataset, { batchSize, limit });
  const claim = new Claim('evaluate', model, 'evaluated');
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const);
  model.eval();
  let loss = 0;
  let score = 0;
  let samples = 0;
  try {
    for await (const batch of batchesOf(dataset, { batchSize, limit, balanced: true })) {
      const made = scope(() =>
        noGrad(() => {
          const output = model.forward(tensor(batch.inputs, batch.inputShape));
          return { output, loss: task.loss(output, batch.targets) };
        }),
      );
      loss += (await made.loss.item()) * batch.size;
      const output = await made.output.data();
      score += task.score(output, batch.targets, batch.size);
      onOutput?.(output, batch);
      samples += batch.size;
      dispose(made);
      onBatch?.(batch.position + 1, total);
      await breathe();
      signal?.throwIfAborted();
    }
  } finally {
    for (const [module, wasTraining] of modes) module.training = wasTraining;
    claim.release();
  }
  return { loss: loss / samples, metric: score / samples, samples };
}

/** @throws DataError unless the dataset holds something, and what the task is about */
export function checkTask(op: string, dataset: DatasetFacts, task: Task): void {
  asCapable(op, 'the task', task, 'loss');
  if (asDataset(op, dataset).length === 0) throw new DataError(op, `${dataset.name} has no samples`);
  if (dataset.kind === task.kind) return;
  throw new DataError(op, `${dataset.name} holds ${dataset.kind}, but the task (${task.metric}) wants ${task.kind}`);
}
