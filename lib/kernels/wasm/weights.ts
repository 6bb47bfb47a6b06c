import { sizeOf } from '../../tensor/shape.js';
import type { AccumulatorBound, FastRows } from '../fast.js';
import { registerOf } from './accumulator.js';
import type { Machine } from './machine.js';

/**
 * Accumulator-aware weights, their penalty and the gradients of both: one call a layer, a channel at a time in cache.
 */
export function weightKernels(machine: Machine) {
  const settings = (length: number, { limit, budget, centred }: AccumulatorBound) =>
    [length, limit, budget, centred ? 1 : 0] as const;
  return {
    a2qWeights: {
      value([w, d, t], bound) {
        const [channels, ...rest] = w.shape;
        const length = sizeOf(rest);
        const out = machine.output(w.shape);
        machine.dense([w, d, t], (from, fromD, fromT) => {
          const job = { units: channels, cost: length * 0.7 + 50, scratch: () => 64 };
          const given = [...settings(length, bound), ...registerOf(bound)] as const;
          machine.run('a2qWeights', job, from, fromD, fromT, ...given, machine.address(out));
          machine.borrow(channels * 4, (scales) => {
            machine.run('powerScale', { units: channels, cost: 10 }, fromD, 1, scales);
            const start = scales / 4;
            machine.grids.note(out, { scales: machine.floats.slice(start, start + channels), most: bound.limit });
          });
        });
        return out;
      },
      vjp(g, { input, attrs }) {
        const inputs = [input(0), input(1), input(2)];
        const [channels, ...rest] = inputs[0].shape;
        const length = sizeOf(rest);
        const grads = inputs.map(({ shape }) => machine.output(shape));
        machine.dense([g, ...inputs], (fromG, from, fromD, fromT) => {
          const job = { units: channels, cost: length * 1.2 + 50, scratch: () => 128 };
          const [toW, toD, toT] = grads.map((grad) => machine.address(grad));
          const given = [fromG, from, fromD, fromT, ...settings(length, attrs)] as const;
          machine.run('a2qWeightsGradient', job, ...given, toW, toD, toT);
        });
        return grads;
      },
    },
    a2qPenalty: {
      value([d, t], { budget }) {
        const out = machine.output([]);
        machine.dense([d, t], (fromD, fromT) =>
          machine.runOnce('a2qPenalty', fromD, fromT, sizeOf(d.shape), budget, machine.address(out)),
        );
        return out;
      },
      vjp(g, { input, attrs: { budget } }) {
        const inputs = [input(0), input(1)];
        const grads = inputs.map(({ shape }) => machine.output(shape));
        const [toD, toT] = grads.map((grad) => machine.address(grad));
        machine.dense(inputs, (fromD, fromT) => {
          const given = [machine.address(g), fromD, fromT, sizeOf(inputs[0].shape), budget] as const;
          machine.runOnce('a2qPenaltyGradient', ...given, toD, toT);
        });
        return grads;
      },
    },
  } satisfies FastRows;
}
