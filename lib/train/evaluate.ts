import { noGrad } from '../autograd/tape.js';
import { batchCount } from '../data/batches.js';
import { type Batchable, batchesOf } from '../data/batchSource.js';
import { asDataset, type Batch, type DatasetFacts } from '../data/dataset.js';
import { asModule, type Module } from '../nn/module.js';
import { asCapable, asOptions } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { dispose, scope } from '../tensor/storage.js';
import { breathe } from './breathe.js';
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
 * Loss and metric of a model over a dataset's plain samples, in evaluation mode, off the tape; its mode is restored.
 *
 * @throws DataError if the dataset is not of the task's kind, or the batch size is not a positive integer
 */
export async function evaluate(
  model: Module,
  dataset: Batchable,
  task: Task,
  options: EvaluateOptions,
): Promise<Evaluation> {
  asModule('evaluate', model);
  const { batchSize, limitBatches, onBatch, onOutput, signal } = asOptions('evaluate', options);
  const limit = limitBatches ?? Number.POSITIVE_INFINITY;
  checkTask('evaluate', dataset, task);
  const total = batchCount(dataset, { batchSize, limit });
  const wasTraining = model.training;
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
    model.train(wasTraining);
  }
  return { loss: loss / samples, metric: score / samples, samples };
}

/** @throws DataError unless the dataset holds what the task is about */
export function checkTask(op: string, dataset: DatasetFacts, task: Task): void {
  asCapable(op, 'the task', task, 'loss');
  if (asDataset(op, dataset).kind === task.kind) return;
  throw new DataError(op, `${dataset.name} holds ${dataset.kind}, but the task (${task.metric}) wants ${task.kind}`);
}
