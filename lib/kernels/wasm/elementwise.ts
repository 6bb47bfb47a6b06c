import { sizeOf } from '../../tensor/shape.js';
import { type View, viewSize } from '../../tensor/view.js';
import type { RequiredKernels, UnaryOp } from '../backend.js';
import { binaryKernels, unaryKernels } from './binaries.generated.js';
import { elementJob, floatBits, type Machine } from './machine.js';
import { operandWords } from './operand.js';

/** Functions computed by polynomials, and roots. */
const COSTLY: ReadonlySet<UnaryOp> = new Set(['exp', 'exp2', 'log', 'log2', 'sqrt', 'tanh', 'sigmoid', 'erf']);

/** Estimated nanoseconds an element of these takes. */
const COST_OF_COSTLY = 3;

/** Elementwise kernels, fills and copies. */
export function elementwiseKernels(
  machine: Machine,
): Pick<RequiredKernels, 'fill' | 'copy' | 'copyInto' | 'unary' | 'binary' | 'where'> {
  const operand = (view: View) => machine.words(operandWords(machine, view));

  return {
    fill(shape, value, dtype) {
      const out = machine.output(shape, dtype);
      const bits = dtype === 'int32' ? value : floatBits(value);
      machine.run('fill', elementJob(sizeOf(shape), 0, 0.3), bits, machine.address(out));
      return out;
    },

    copy(x) {
      const out = machine.output(x.shape, x.storage.dtype);
      machine.run('copy', elementJob(viewSize(x)), operand(x), machine.address(out));
      return out;
    },

    copyInto(x, into) {
      machine.run('copyInto', elementJob(viewSize(x), 1), operand(x), operand(into));
    },

    unary(op, x) {
      const out = machine.output(x.shape);
      const job = elementJob(viewSize(x), 1, COSTLY.has(op) ? COST_OF_COSTLY : 0.5);
      machine.run(unaryKernels[op], job, operand(x), machine.address(out));
      return out;
    },

    binary(op, a, b) {
      const out = machine.output(a.shape);
      machine.run(binaryKernels[op], elementJob(viewSize(a), 2), operand(a), operand(b), machine.address(out));
      return out;
    },

    where(condition, a, b) {
      const out = machine.output(a.shape);
      const to = machine.address(out);
      machine.run('where', elementJob(viewSize(a), 3), operand(condition), operand(a), operand(b), to);
      return out;
    },
  };
}
