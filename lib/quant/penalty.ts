import { add } from '../autograd/ops.js';
import type { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import { quantLayers } from './layers.js';

/** λ of the papers. */
export const PENALTY_WEIGHT = 1e-3;

/**
 * `R = Σ_layers Σ_channels max(g − T·s, 0)` (A2Q, eq. 22); the loss is `L_task + λ·R`.
 * @returns a scalar, or null if no layer of the model has a penalty
 */
export function accumulatorPenalty(model: Module): Tensor | null {
  let total: Tensor | null = null;
  for (const [, layer] of quantLayers(model)) {
    const penalty = layer.weightQuant.penalty();
    if (penalty) total = total ? add(total, penalty) : penalty;
  }
  return total;
}
