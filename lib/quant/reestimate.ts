import { noGrad } from '../autograd/tape.js';
import type { Module } from '../nn/module.js';
import { DataError } from '../tensor/errors.js';
import { scope } from '../tensor/storage.js';
import type { Batches } from './calibrate.js';
import { activationQuantizers } from './layers.js';

/**
 * Batch-norm re-estimation: EP-init takes most of the weights out of a layer, and with them the mean and the variance
 * that the batch norm behind it remembers. Batches run in training mode with unquantized activations, so that the
 * running statistics become those of the new weights. Without it thresholds are calibrated, and training starts, on
 * activations of a network that is no more (pruning calls this adaptive batch norm: Li et al., EagleEye, ECCV 2020).
 *
 * Activation quantizers start their statistics anew: calibrate them afterwards.
 *
 * @param batches of n batches, a share `(1 − momentum)^n` of the old statistics is left
 * @returns number of batches
 * @throws DataError if there are none
 */
export async function reestimateBatchNorms(model: Module, batches: Batches): Promise<number> {
  const quantizers = [...activationQuantizers(model)].map(([, quantizer]) => quantizer);
  const wasTraining = model.training;
  model.train();
  for (const quantizer of quantizers) quantizer.calibrating = true;
  let count = 0;
  try {
    for await (const batch of batches) {
      scope(() => noGrad(() => void model.forward(batch)));
      count += 1;
    }
  } finally {
    for (const quantizer of quantizers) {
      quantizer.calibrating = false;
      quantizer.restartStats();
    }
    model.train(wasTraining);
  }
  if (count === 0) throw new DataError('reestimateBatchNorms', 'needs at least one batch');
  return count;
}
