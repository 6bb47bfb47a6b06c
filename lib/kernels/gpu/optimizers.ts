import type { AdamState, AdamStep, FastSteps, SgdState, SgdStep } from '../fast.js';
import { map, operand } from './map.js';
import { assign } from './moves.js';
import type { Runtime } from './runtime.js';

/** Optimizer steps with PyTorch's formulas. Rates are kernel scalars: schedules compile nothing. State is replaced. */
export function optimizerKernels(runtime: Runtime) {
  const kernels = {
    sgd({ parameter, gradient, velocity }: SgdState, step: SgdStep): void {
      const { learningRate, momentum, dampening, nesterov, weightDecay, first } = step;
      const { shape } = parameter;
      const [theta, g] = [operand(runtime, parameter), operand(runtime, gradient)];
      const direction = (p: string, d: string, decay: string) =>
        weightDecay === 0 ? `const g = ${d};\n` : `const g = ${d} + ${p} * ${decay};\n`;
      if (velocity === null) {
        const body = ([p, d]: readonly string[], [rate, decay]: readonly string[]) =>
          `${direction(p, d, decay)}return ${p} - ${rate} * g;`;
        assign(runtime, map(runtime, shape, [theta, g], body, [learningRate, weightDecay]), parameter);
        return;
      }
      const accumulate = ([p, d, v]: readonly string[], [decay, inertia, fresh]: readonly string[]) =>
        `${direction(p, d, decay)}return ${first ? 'g' : `${v} * ${inertia} + g * ${fresh}`};`;
      const scalars = [weightDecay, momentum, 1 - dampening];
      assign(runtime, map(runtime, shape, [theta, g, operand(runtime, velocity)], accumulate, scalars), velocity);
      const move = ([p, d, v]: readonly string[], [rate, decay, inertia]: readonly string[]) =>
        nesterov
          ? `${direction(p, d, decay)}return ${p} - ${rate} * (g + ${v} * ${inertia});`
          : `return ${p} - ${rate} * ${v};`;
      const operands = [theta, g, operand(runtime, velocity)];
      assign(runtime, map(runtime, shape, operands, move, [learningRate, weightDecay, momentum]), parameter);
    },

    adam({ parameter, gradient, first, second }: AdamState, options: AdamStep): void {
      const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, step } = options;
      const { shape } = parameter;
      const [theta, g] = [operand(runtime, parameter), operand(runtime, gradient)];
      const added = weightDecay !== 0 && !decoupled ? weightDecay : 0;
      const moment =
        (squared: boolean) =>
        ([p, d, m]: readonly string[], [decay, beta, fresh]: readonly string[]) =>
          `const g = ${d} + ${p} * ${decay};\nreturn ${m} * ${beta} + g * ${squared ? 'g * ' : ''}${fresh};`;
      const updated = [
        map(runtime, shape, [theta, g, operand(runtime, first)], moment(false), [added, beta1, 1 - beta1]),
        map(runtime, shape, [theta, g, operand(runtime, second)], moment(true), [added, beta2, 1 - beta2]),
      ];
      assign(runtime, updated[0], first);
      assign(runtime, updated[1], second);
      const scalars = [
        weightDecay !== 0 && decoupled ? 1 - learningRate * weightDecay : 1,
        learningRate / (1 - beta1 ** step),
        Math.sqrt(1 - beta2 ** step),
        epsilon,
      ];
      const move = ([p, m, v]: readonly string[], [kept, rate, correction, guard]: readonly string[]) =>
        `return ${p} * ${kept} - ${m} / (Math.sqrt(${v}) / ${correction} + ${guard}) * ${rate};`;
      const operands = [theta, operand(runtime, first), operand(runtime, second)];
      assign(runtime, map(runtime, shape, operands, move, scalars), parameter);
    },
  };
  return {
    sgd(states, step) {
      for (const state of states) kernels.sgd(state, step);
      return true;
    },
    adam(states, step) {
      if (states.some(({ largest }) => largest !== null)) return null;
      for (const state of states) kernels.adam(state, step);
      return true;
    },
  } satisfies FastSteps;
}
