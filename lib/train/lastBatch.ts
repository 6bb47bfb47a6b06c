import { noGrad } from '../autograd/tape.js';
import type { BatchOptions } from '../data/batches.js';
import type { DatasetFacts } from '../data/dataset.js';
import { BatchNorm2d, fewestValuesPerChannel } from '../nn/layers/batchNorm.js';
import type { Module } from '../nn/module.js';
import { zeros } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { scope } from '../tensor/storage.js';

/**
 * Whether the last batch of an epoch is one that the model cannot be trained on: a single image, of which a batch norm
 * gets one value per channel. That has no variance. Found by one pass over a blank image, and only where needed.
 *
 * @throws DataError if every batch is of that kind
 */
export function leavesOutLastBatch(
  model: Module,
  { length, inputShape, name }: Pick<DatasetFacts, 'length' | 'inputShape' | 'name'>,
  { batchSize, limit = Number.POSITIVE_INFINITY }: Pick<BatchOptions, 'batchSize' | 'limit'>,
): boolean {
  const last = length % batchSize || batchSize;
  if (last > 1 || Math.ceil(length / batchSize) > limit || !needsMoreThanOne(model, inputShape)) return false;
  if (length > 1 && batchSize > 1) return true;
  throw new DataError(
    'fit',
    `batches of one image of ${name} give a batch norm one value per channel, which has no variance; ` +
      `${length > 1 ? 'take a batch size of at least 2' : 'there must be more images'}`,
  );
}

/** Whether a single image gives some batch norm one value per channel. */
function needsMoreThanOne(model: Module, inputShape: readonly number[]): boolean {
  if (!model.namedModules().some(([, module]) => module instanceof BatchNorm2d)) return false;
  const wasTraining = model.training;
  model.eval();
  try {
    const pass = () => scope(() => noGrad(() => void model.forward(zeros([1, ...inputShape]))));
    return fewestValuesPerChannel(pass) <= 1;
  } finally {
    model.train(wasTraining);
  }
}
