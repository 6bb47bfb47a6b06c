import { sizeOf } from '../../tensor/shape.js';
import type { DType } from '../../tensor/storage.js';
import { type View, viewSize } from '../../tensor/view.js';
import type { RequiredKernels, UnaryOp } from '../backend.js';
import { elementJob, floatBits, type Machine } from './machine.js';
import { operandWords } from './operand.js';

const UNARY_OPS = [
  'neg',
  'abs',
  'sign',
  'exp',
  'exp2',
  'log',
  'log2',
  'sqrt',
  'square',
  'relu',
  'tanh',
  'sigmoid',
  'roundHalfEven',
  'trunc',
  'floor',
  'ceil',
];
const BINARY_OPS = [
  'add',
  'sub',
  'mul',
  'div',
  'minimum',
  'maximum',
  'equal',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
];

/** Functions that leave the integers. On int32 they are rare, and computed by the host in float64, fraction dropped. */
const FLOAT_MATH = {
  exp: Math.exp,
  exp2: (x: number) => 2 ** x,
  log: Math.log,
  log2: Math.log2,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
} as const satisfies Partial<Record<UnaryOp, (x: number) => number>>;

function leavesIntegers(op: UnaryOp): op is keyof typeof FLOAT_MATH {
  return op in FLOAT_MATH;
}

/** Estimated nanoseconds an element of the costlier functions takes. */
const TRANSCENDENTAL_COST = 3;

/** Elementwise kernels, fills and copies. */
export function elementwiseKernels(
  machine: Machine,
): Pick<RequiredKernels, 'fill' | 'copy' | 'copyInto' | 'unary' | 'binary' | 'where'> {
  const operand = (view: View) => machine.words(operandWords(machine, view));
  const isInteger = (dtype: DType) => (dtype === 'int32' ? 1 : 0);

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
      const dtype = x.storage.dtype;
      const out = machine.output(x.shape, dtype);
      if (dtype === 'int32' && leavesIntegers(op)) {
        machine.run('copy', elementJob(viewSize(x)), operand(x), machine.address(out));
        const start = machine.address(out) / 4;
        const elements = machine.integers.subarray(start, start + viewSize(x));
        elements.forEach((value, i) => {
          elements[i] = FLOAT_MATH[op](value);
        });
        return out;
      }
      const job = elementJob(viewSize(x), 1, leavesIntegers(op) ? TRANSCENDENTAL_COST : 0.5);
      machine.run('unary', job, UNARY_OPS.indexOf(op), isInteger(dtype), operand(x), machine.address(out));
      return out;
    },

    binary(op, a, b) {
      const dtype = a.storage.dtype;
      const out = machine.output(a.shape, dtype);
      const code = BINARY_OPS.indexOf(op);
      machine.run(
        'binary',
        elementJob(viewSize(a), 2),
        code,
        isInteger(dtype),
        operand(a),
        operand(b),
        machine.address(out),
      );
      return out;
    },

    where(condition, a, b) {
      const out = machine.output(a.shape, a.storage.dtype);
      const integer = isInteger(condition.storage.dtype);
      const to = machine.address(out);
      machine.run('where', elementJob(viewSize(a), 3), integer, operand(condition), operand(a), operand(b), to);
      return out;
    },
  };
}
