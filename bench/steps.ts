import { add, mul } from '../lib/autograd/ops.js';
import { backward } from '../lib/autograd/tape.js';
import { crossEntropy, mse } from '../lib/nn/loss.js';
import { Espcn } from '../lib/nn/models/espcn.js';
import { MobileNetV1 } from '../lib/nn/models/mobileNetV1.js';
import { ResNet18 } from '../lib/nn/models/resNet18.js';
import type { Module } from '../lib/nn/module.js';
import { Adam } from '../lib/nn/optim/adam.js';
import type { Optimizer } from '../lib/nn/optim/optimizer.js';
import { SGD } from '../lib/nn/optim/sgd.js';
import type { Method } from '../lib/quant/methods.js';
import { accumulatorPenalty, PENALTY_WEIGHT } from '../lib/quant/penalty.js';
import { layerPolicy } from '../lib/quant/policy.js';
import { uniform } from '../lib/tensor/create.js';
import { Random } from '../lib/tensor/random.js';
import { scope } from '../lib/tensor/storage.js';
import type { Tensor } from '../lib/tensor/tensor.js';

/** The training steps whose cost is compared: forward, backward, penalty, optimizer. */
export const STEP_MODELS = ['espcn', 'resnet18', 'mobilenetv1'] as const;
export type StepModel = (typeof STEP_MODELS)[number];

/** One training step, ready to run; its loss is returned so that nothing can be skipped. */
export interface Step {
  readonly name: string;
  run(): Promise<number>;
  dispose(): void;
}

/** Images of a step's batch. */
export const STEP_BATCHES: Readonly<Record<StepModel, number>> = { espcn: 8, resnet18: 16, mobilenetv1: 32 };

/** A step of a paper model on random data: ESPCN on images of 3×64×64 (×2), CIFAR ResNet18 and MobileNetV1. */
export function makeStep(
  model: StepModel,
  method: Method,
  accumulatorBits = 13,
  batch: number = STEP_BATCHES[model],
): Step {
  const random = new Random(1);
  const make = layerPolicy({ method, weightBits: 4, actBits: 4, accumulatorBits, random, collectStatsSteps: 1 });
  const name = `${model} ${method === 'float' ? 'float' : `${method} W4A4`} step`;
  if (model === 'espcn') {
    const network = new Espcn(make, { scale: 2 });
    const x = uniform([batch, 3, 64, 64], random);
    const target = uniform([batch, 3, 128, 128], random);
    const optimizer = new Adam(network.parameters(), { learningRate: 1e-4 });
    return step(name, network, optimizer, [x, target], () => mse(network.forward(x), target));
  }
  const network = model === 'resnet18' ? new ResNet18(make, { classes: 10 }) : new MobileNetV1(make, { classes: 10 });
  const x = uniform([batch, 3, 32, 32], random, -1, 1);
  const labels = Int32Array.from({ length: batch }, (_, i) => i % 10);
  const optimizer = new SGD(network.parameters(), { learningRate: 1e-4, momentum: 0.9 });
  return step(name, network, optimizer, [x], () => crossEntropy(network.forward(x), labels));
}

function step(name: string, model: Module, optimizer: Optimizer, data: readonly Tensor[], loss: () => Tensor): Step {
  return {
    name,
    async run() {
      const total = scope(() => {
        optimizer.zeroGrad();
        const penalty = accumulatorPenalty(model);
        const all = penalty ? add(loss(), mul(penalty, PENALTY_WEIGHT)) : loss();
        backward(all);
        optimizer.step();
        return all;
      });
      const value = await total.item();
      total.dispose();
      return value;
    },
    dispose() {
      model.dispose();
      optimizer.dispose();
      for (const each of data) each.dispose();
    },
  };
}
