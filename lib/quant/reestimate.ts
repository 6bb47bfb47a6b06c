import type { Module } from '../nn/module.js';
import { type Batches, runUnquantized } from './calibrate.js';

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
export function reestimateBatchNorms(model: Module, batches: Batches): Promise<number> {
  const how = { op: 'reestimateBatchNorms', training: true };
  return runUnquantized(model, batches, how, (quantizer) => quantizer.restartStats());
}
