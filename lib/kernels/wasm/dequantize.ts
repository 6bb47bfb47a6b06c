import { sizeOf } from '../../tensor/shape.js';
import { viewExpand, viewSize } from '../../tensor/view.js';
import type { FastRows } from '../fast.js';
import { reshape } from '../value.js';
import { binaryKernels } from './binaries.generated.js';
import { elementJob, type Machine } from './machine.js';
import { operandWords } from './operand.js';

/** The composition's product, and the note that the result lies on a grid: products with it are sums of integers. */
export function dequantizeKernel(machine: Machine) {
  return {
    dequantize: {
      value([q, scale], { most }) {
        const out = machine.output(q.shape);
        const column = reshape(scale, [q.shape[0], ...q.shape.slice(1).map(() => 1)]);
        const [a, b] = [q, viewExpand(column, q.shape)].map((view) => machine.words(operandWords(machine, view)));
        machine.run(binaryKernels.mul, elementJob(viewSize(q), 2), a, b, machine.address(out));
        machine.dense([scale], (from) => {
          const start = from / 4;
          machine.grids.note(out, { scales: machine.floats.slice(start, start + sizeOf(scale.shape)), most });
        });
        return out;
      },
    },
  } satisfies FastRows;
}
