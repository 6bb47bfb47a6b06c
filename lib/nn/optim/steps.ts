import type { AdamState, AdamStep, SgdState, SgdStep } from '../../kernels/fast.js';
import { choose } from '../../kernels/trace.js';
import { add, backendOf, compose, div, maximum, mul, sub, unary } from '../../kernels/value.js';
import { offer } from '../../kernels/wasm/fast.js';
import { optimizerKernels } from '../../kernels/wasm/optimizers.js';

offer(optimizerKernels);

/** Optimizer steps in place, with PyTorch's formulas and order of operations; a backend may do many at once. */

/** One step of SGD for parameters on one backend. */
export function sgd(states: readonly SgdState[], step: SgdStep): void {
  const backend = backendOf(states[0].parameter);
  const { fast } = backend;
  const own = fast?.sgd ? () => fast.sgd?.(states, step) ?? null : null;
  choose<true>(backend, 'sgd', 'step', parametersOf(states), own, () => {
    for (const state of states) sgdStep(state, step);
    return true;
  });
}

/** One step of Adam or AdamW for parameters on one backend. */
export function adam(states: readonly AdamState[], step: AdamStep): void {
  const backend = backendOf(states[0].parameter);
  const { fast } = backend;
  const own = fast?.adam ? () => fast.adam?.(states, step) ?? null : null;
  choose<true>(backend, 'adam', 'step', parametersOf(states), own, () => {
    for (const state of states) adamStep(state, step);
    return true;
  });
}

function parametersOf(states: readonly { readonly parameter: SgdState['parameter'] }[]) {
  return states.map(({ parameter }) => parameter);
}

/** `v ← μ·v + (1 − τ)·g`, `θ ← θ − η·v`; Nesterov steps along `g + μ·v`. Decay adds `λ·θ` to the gradient. */
export const sgdStep = compose(({ parameter, gradient, velocity }: SgdState, step: SgdStep): void => {
  const k = backendOf(parameter);
  let direction = step.weightDecay === 0 ? gradient : add(gradient, mul(parameter, step.weightDecay));
  if (velocity !== null) {
    const fresh = step.first ? direction : add(mul(velocity, step.momentum), mul(direction, 1 - step.dampening));
    k.copyInto(fresh, velocity);
    direction = step.nesterov ? add(direction, mul(velocity, step.momentum)) : velocity;
  }
  k.copyInto(sub(parameter, mul(direction, step.learningRate)), parameter);
});

/**
 * `m ← β₁·m + (1 − β₁)·g`, `v ← β₂·v + (1 − β₂)·g²`, `θ ← θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`.
 * AMSGrad takes the largest v so far in its place. Adam adds `λ·θ` to the gradient; AdamW multiplies θ by `1 − η·λ`
 * first.
 */
export const adamStep = compose(({ parameter, gradient, first, second, largest }: AdamState, step: AdamStep): void => {
  const k = backendOf(parameter);
  const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled } = step;
  const decays = weightDecay !== 0;
  const g = decays && !decoupled ? add(gradient, mul(parameter, weightDecay)) : gradient;
  const decayed = decays && decoupled ? mul(parameter, 1 - learningRate * weightDecay) : parameter;
  k.copyInto(add(mul(first, beta1), mul(g, 1 - beta1)), first);
  k.copyInto(add(mul(second, beta2), mul(unary('square', g), 1 - beta2)), second);
  if (largest !== null) k.copyInto(maximum(largest, second), largest);
  const deviation = div(unary('sqrt', largest ?? second), Math.sqrt(1 - beta2 ** step.step));
  const stepSize = learningRate / (1 - beta1 ** step.step);
  k.copyInto(sub(decayed, mul(div(first, add(deviation, epsilon)), stepSize)), parameter);
});
