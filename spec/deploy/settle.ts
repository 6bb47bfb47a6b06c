import { noGrad } from '../../lib/autograd/tape.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import type { Module } from '../../lib/nn/module.js';
import { activationQuantizers } from '../../lib/quant/layers.js';
import { uniform } from '../../lib/tensor/create.js';
import type { Random } from '../../lib/tensor/random.js';
import { scope } from '../../lib/tensor/storage.js';

/** Learned-like state: thresholds of quantizers from one batch, batch norms with slopes of either sign and of zero. */
export function settle(model: Module, shape: readonly number[], random: Random): void {
  for (const [, module] of model.namedModules()) {
    if (!(module instanceof BatchNorm2d)) continue;
    const draw = (low: number, high: number) =>
      Float32Array.from({ length: module.channels }, () => random.uniform(low, high));
    const slopes = draw(0.5, 1.5).map((value, c) => (c % 5 === 1 ? -value : c % 7 === 3 ? 0 : value));
    module.weight.write(slopes);
    module.bias.write(draw(-0.5, 0.8));
    module.runningMean.write(draw(-0.1, 0.1));
    module.runningVar.write(draw(0.1, 1));
  }
  const quantizers = [...activationQuantizers(model)].map(([, quantizer]) => quantizer);
  for (const quantizer of quantizers) quantizer.calibrating = true;
  model.eval();
  scope(() => noGrad(() => void model.forward(uniform(shape, random, -1, 1))));
  for (const quantizer of quantizers) {
    quantizer.calibrating = false;
    quantizer.finishStats();
  }
}
