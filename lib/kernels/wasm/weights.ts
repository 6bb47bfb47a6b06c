import type { FusedKernels, WeightBound } from '../backend.js';
import type { Machine } from './machine.js';

/** Accumulator-aware weights and their gradients, one pass of each channel through cache. */
export function weightKernels(machine: Machine): Pick<FusedKernels, 'boundWeights' | 'boundWeightsGrad'> {
  const settings = (length: number, { limit, centred }: WeightBound) => [length, limit, centred ? 1 : 0] as const;
  return {
    boundWeights(w, norm, scale, bound) {
      const [channels, length] = w.shape;
      const out = machine.output(w.shape);
      machine.dense([w, norm, scale], (from, r, s) => {
        const job = { units: channels, cost: length };
        machine.run('boundWeights', job, from, r, s, ...settings(length, bound), machine.address(out));
      });
      return out;
    },

    boundWeightsGrad(g, w, norm, scale, bound) {
      const [channels, length] = w.shape;
      const grads = {
        w: machine.output(w.shape),
        norm: machine.output(norm.shape),
        scale: machine.output(scale.shape),
      };
      machine.dense([g, w, norm, scale], (fromG, from, r, s) => {
        const job = { units: channels, cost: length * 2 };
        const to = [machine.address(grads.w), machine.address(grads.norm), machine.address(grads.scale)] as const;
        machine.run('boundWeightsGradient', job, fromG, from, r, s, ...settings(length, bound), ...to);
      });
      return grads;
    },
  };
}
