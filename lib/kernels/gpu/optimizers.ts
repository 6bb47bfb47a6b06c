import type { AdamState, AdamStep, FastSteps, SgdState, SgdStep } from '../fast.js';
import type { Machine } from './machine.js';
import { map, operand } from './map.js';
import { assign } from './moves.js';

/** Optimizer steps with PyTorch's formulas. Rates are kernel scalars: schedules compile nothing. State is replaced. */
export function optimizerKernels(machine: Machine) {
  const kernels = {
    sgd({ parameter, gradient, velocity }: SgdState, step: SgdStep): void {
      const { learningRate, momentum, dampening, nesterov, weightDecay, first } = step;
      const { shape } = parameter;
      const [theta, g] = [operand(machine, parameter), operand(machine, gradient)];
      const direction = (p: string, d: string, decay: string) =>
        weightDecay === 0 ? `const g = ${d};\n` : `const g = ${d} + ${p} * ${decay};\n`;
      if (velocity === null) {
        const body = ([p, d]: readonly string[], [rate, decay]: readonly string[]) =>
          `${direction(p, d, decay)}return ${p} - ${rate} * g;`;
        assign(machine, map(machine, shape, [theta, g], body, [learningRate, weightDecay]), parameter);
        return;
      }
      const accumulate = ([p, d, v]: readonly string[], [decay, inertia, fresh]: readonly string[]) =>
        `${direction(p, d, decay)}return ${first ? 'g' : `${v} * ${inertia} + g * ${fresh}`};`;
      const scalars = [weightDecay, momentum, 1 - dampening];
      assign(machine, map(machine, shape, [theta, g, operand(machine, velocity)], accumulate, scalars), velocity);
      const move = ([p, d, v]: readonly string[], [rate, decay, inertia]: readonly string[]) =>
        nesterov
          ? `${direction(p, d, decay)}return ${p} - ${rate} * (g + ${v} * ${inertia});`
          : `return ${p} - ${rate} * ${v};`;
      const operands = [theta, g, operand(machine, velocity)];
      assign(machine, map(machine, shape, operands, move, [learningRate, weightDecay, momentum]), parameter);
    },

    adam({ parameter, gradient, first, second }: AdamState, options: AdamStep): void {
      const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, step } = options;
      const { shape } = parameter;
      const [theta, g] = [operand(machine, parameter), operand(machine, gradient)];
      const added = weightDecay !== 0 && !decoupled ? weightDecay : 0;
      const moment =
        (squared: boolean) =>
        ([p, d, m]: readonly string[], [decay, beta, fresh]: readonly string[]) =>
          `const g = ${d} + ${p} * ${decay};\nreturn ${m} * ${beta} + g * ${squared ? 'g * ' : ''}${fresh};`;
      const updated = [
        map(machine, shape, [theta, g, operand(machine, first)], moment(false), [added, beta1, 1 - beta1]),
        map(machine, shape, [theta, g, operand(machine, second)], moment(true), [added, beta2, 1 - beta2]),
      ];
      assign(machine, updated[0], first);
      assign(machine, updated[1], second);
      const scalars = [
        weightDecay !== 0 && decoupled ? 1 - learningRate * weightDecay : 1,
        learningRate / (1 - beta1 ** step),
        Math.sqrt(1 - beta2 ** step),
        epsilon,
      ];
      const move = ([p, m, v]: readonly string[], [kept, rate, correction, guard]: readonly string[]) =>
        `return ${p} * ${kept} - ${m} / (Math.sqrt(${v}) / ${correction} + ${guard}) * ${rate};`;
      const operands = [theta, operand(machine, first), operand(machine, second)];
      assign(machine, map(machine, shape, operands, move, scalars), parameter);
    },
  };
  return {
    sgd(states, step) {
      for (const state of states) kernels.sgd(state, step);
      return true;
    },
    adam(states, step) {
      for (const state of states) kernels.adam(state, step);
      return true;
    },
  } satisfies FastSteps;
}
