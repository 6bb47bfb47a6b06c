import type { View } from '../../tensor/view.js';
import type { AdamState, AdamStep, FusedKernels, SgdState, SgdStep } from '../backend.js';
import { add, backendOf, div, mul, sub, unary } from '../value.js';
import { compose, type Kernels } from './compose.js';

/** Optimizer steps, with PyTorch's formulas and order of operations. */
export function optimizers(k: Kernels) {
  return {
    /** `v ← μ·v + (1 − τ)·g`, `θ ← θ − η·v`; Nesterov steps along `g + μ·v`. Decay adds `λ·θ` to the gradient. */
    sgdStep: compose((parameter: View, gradient: View, velocity: View | null, step: SgdStep) => {
      let direction = step.weightDecay === 0 ? gradient : add(gradient, mul(parameter, step.weightDecay));
      if (velocity !== null) {
        const fresh = step.first ? direction : add(mul(velocity, step.momentum), mul(direction, 1 - step.dampening));
        k.copyInto(fresh, velocity);
        direction = step.nesterov ? add(direction, mul(velocity, step.momentum)) : velocity;
      }
      k.copyInto(sub(parameter, mul(direction, step.learningRate)), parameter);
    }),

    /**
     * `m ← β₁·m + (1 − β₁)·g`, `v ← β₂·v + (1 − β₂)·g²`, `θ ← θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`.
     * Adam adds `λ·θ` to the gradient; AdamW multiplies θ by `1 − η·λ` first.
     */
    adamStep: compose((parameter: View, gradient: View, first: View, second: View, step: AdamStep) => {
      const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled } = step;
      const decays = weightDecay !== 0;
      const g = decays && !decoupled ? add(gradient, mul(parameter, weightDecay)) : gradient;
      const decayed = decays && decoupled ? mul(parameter, 1 - learningRate * weightDecay) : parameter;
      k.copyInto(add(mul(first, beta1), mul(g, 1 - beta1)), first);
      k.copyInto(add(mul(second, beta2), mul(unary('square', g), 1 - beta2)), second);
      const deviation = div(unary('sqrt', second), Math.sqrt(1 - beta2 ** step.step));
      const stepSize = learningRate / (1 - beta1 ** step.step);
      k.copyInto(sub(decayed, mul(div(first, add(deviation, epsilon)), stepSize)), parameter);
    }),

    sgdSteps(states: readonly SgdState[], step: SgdStep): void {
      for (const { parameter, gradient, velocity } of states) {
        backendOf(parameter).sgdStep(parameter, gradient, velocity, step);
      }
    },

    adamSteps(states: readonly AdamState[], step: AdamStep): void {
      for (const { parameter, gradient, first, second } of states) {
        backendOf(parameter).adamStep(parameter, gradient, first, second, step);
      }
    },
  } satisfies Partial<FusedKernels>;
}
