import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { AccumulatorBound } from '../fast.js';
import type { Machine } from './machine.js';

/** Accumulator-aware weights, their penalty and the gradients of both: one call a layer, a channel at a time in cache. */
export function weightKernels(machine: Machine) {
  const settings = (length: number, { limit, budget, centred }: AccumulatorBound) =>
    [length, limit, budget, centred ? 1 : 0] as const;
  return {
    a2qWeights(w: View, d: View, t: View, bound: AccumulatorBound) {
      const [channels, ...rest] = w.shape;
      const length = sizeOf(rest);
      const out = machine.output(w.shape);
      machine.dense([w, d, t], (from, fromD, fromT) => {
        const job = { units: channels, cost: length * 0.7 + 50, scratch: () => 64 };
        machine.run('a2qWeights', job, from, fromD, fromT, ...settings(length, bound), machine.address(out));
        machine.borrow(channels * 4, (scales) => {
          machine.run('powerScale', { units: channels, cost: 10 }, fromD, 1, scales);
          const start = scales / 4;
          machine.grids.note(out, { scales: machine.floats.slice(start, start + channels), most: bound.limit });
        });
      });
      return out;
    },

    a2qWeightsGrad(g: View, w: View, d: View, t: View, bound: AccumulatorBound) {
      const [channels, ...rest] = w.shape;
      const length = sizeOf(rest);
      const grads = { w: machine.output(w.shape), d: machine.output(d.shape), t: machine.output(t.shape) };
      machine.dense([g, w, d, t], (fromG, from, fromD, fromT) => {
        const job = { units: channels, cost: length * 1.2 + 50, scratch: () => 128 };
        const to = [machine.address(grads.w), machine.address(grads.d), machine.address(grads.t)] as const;
        machine.run('a2qWeightsGradient', job, fromG, from, fromD, fromT, ...settings(length, bound), ...to);
      });
      return grads;
    },

    a2qPenalty(d: View, t: View, budget: number) {
      const out = machine.output([]);
      machine.dense([d, t], (fromD, fromT) =>
        machine.runOnce('a2qPenalty', fromD, fromT, sizeOf(d.shape), budget, machine.address(out)),
      );
      return out;
    },

    a2qPenaltyGrad(g: View, d: View, t: View, budget: number) {
      const grads = { d: machine.output(d.shape), t: machine.output(t.shape) };
      const to = [machine.address(grads.d), machine.address(grads.t)] as const;
      machine.dense([d, t], (fromD, fromT) =>
        machine.runOnce('a2qPenaltyGradient', machine.address(g), fromD, fromT, sizeOf(d.shape), budget, ...to),
      );
      return grads;
    },
  };
}
