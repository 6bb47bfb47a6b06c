import { kaimingNormal } from '../nn/init.js';
import { WeightedModule } from '../nn/layers/weighted.js';
import type { Module } from '../nn/module.js';
import type { Random } from '../tensor/random.js';
import { scope } from '../tensor/storage.js';

/** Draws the weights of every layer anew by He's rule: normal, deviation √(2/fanIn). Biases become 0. */
export function drawHeWeights(model: Module, random: Random): void {
  for (const [, layer] of model.namedModules()) {
    if (!(layer instanceof WeightedModule)) continue;
    scope(() => layer.weight.assign(kaimingNormal(layer.weight.shape, random)));
    layer.bias?.write(new Float32Array(layer.bias.size));
  }
}
