import type { View } from '../../tensor/view.js';
import type { RequiredKernels } from '../backend.js';
import type { IntegerBound } from '../fast.js';
import type { Machine } from './machine.js';

/** Integer weights that fit their accumulator. */
export function accumulatorKernels(machine: Machine): Pick<RequiredKernels, 'fitAccumulator'> {
  return {
    fitAccumulator(q: View, bound: IntegerBound): View {
      const [rows, length] = q.shape;
      const out = machine.output(q.shape);
      const job = { units: rows, cost: length * 4 };
      machine.dense([q], (from) =>
        machine.run('fitAccumulator', job, from, length, ...registerOf(bound), machine.address(out)),
      );
      return out;
    },
  };
}

/** A register as kernels are told it: P, c and d. */
export function registerOf({ accumulator: { bits, low, high } }: IntegerBound) {
  return [bits, low, high] as const;
}
