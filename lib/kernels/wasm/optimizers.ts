import { viewSize } from '../../tensor/view.js';
import type { FusedKernels } from '../backend.js';
import { elementJob, type Machine } from './machine.js';

/** Optimizer steps in place. */
export function optimizerKernels(machine: Machine): Pick<FusedKernels, 'sgdStep' | 'adamStep'> {
  return {
    sgdStep(parameter, gradient, velocity, step) {
      machine.dense([gradient], (g) =>
        machine.run(
          'sgd',
          elementJob(viewSize(parameter), 0, 1),
          ...([machine.address(parameter), g, velocity ? machine.address(velocity) : 0] as const),
          ...([step.learningRate, step.momentum, step.dampening, step.nesterov ? 1 : 0] as const),
          ...([step.weightDecay, step.first ? 1 : 0] as const),
        ),
      );
    },

    adamStep(parameter, gradient, first, second, step) {
      const { beta1, beta2, learningRate, weightDecay, decoupled } = step;
      machine.dense([gradient], (g) =>
        machine.run(
          'adam',
          elementJob(viewSize(parameter), 0, 2),
          ...([machine.address(parameter), g, machine.address(first), machine.address(second)] as const),
          ...([beta1, 1 - beta1, beta2, 1 - beta2] as const),
          ...([learningRate / (1 - beta1 ** step.step), Math.sqrt(1 - beta2 ** step.step), step.epsilon] as const),
          ...([decoupled ? 0 : weightDecay, decoupled ? 1 - learningRate * weightDecay : 1] as const),
        ),
      );
    },
  };
}
