import { BackendError } from '../../tensor/errors.js';
import { reducedShape, type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { BinaryOp, UnaryOp } from '../backend.js';
import type { Content } from './content.js';
import { choice } from './elementwise.js';
import type { Machine } from './machine.js';
import { map, type Operand, operand, whole } from './map.js';
import { addProduct, halves, numbers, REDUCE, settle, settled, split } from './planes.js';
import { reduceTerms } from './reduction.js';
import { address, coordinates, input, kernelSource } from './source.js';

/** Statements that declare `low` and `high` of the result, from the halves of the operands. */
type Arithmetic = (halves: readonly string[]) => string;

const declare = (low: string, high: string) => `let low = ${low};\nlet high = ${high};\n`;
const when = (test: string) => `let low = 0;\nlet high = 0;\nif (${test}) { low = 1; }\n`;
const less = ([al, ah, bl, bh]: readonly string[]) => `${ah} < ${bh} || (${ah} == ${bh} && ${al} < ${bl})`;
const greater = ([al, ah, bl, bh]: readonly string[]) => `${ah} > ${bh} || (${ah} == ${bh} && ${al} > ${bl})`;
const product = (a: readonly string[], b: readonly string[]) =>
  `let low = 0;\nlet high = 0;\n${addProduct(a, b)}${REDUCE}`;

const UNARY: Readonly<Partial<Record<UnaryOp, Arithmetic>>> = {
  neg: ([l, h]) => declare(`-${l}`, `-${h}`),
  abs: ([l, h]) => `${declare(l, h)}if (${h} < 0) { low = -${l}; high = -${h}; }\n`,
  sign: ([l, h]) => `${when(`${l} > 0 || ${h} > 0`)}if (${h} < 0) { low = -1; }\n`,
  square: (x) => product(x, x),
  relu: ([l, h]) => `${declare(l, h)}if (${h} < 0) { low = 0; high = 0; }\n`,
  roundHalfEven: ([l, h]) => declare(l, h),
  trunc: ([l, h]) => declare(l, h),
  floor: ([l, h]) => declare(l, h),
  ceil: ([l, h]) => declare(l, h),
};

const BINARY: Readonly<Partial<Record<BinaryOp, Arithmetic>>> = {
  add: ([al, ah, bl, bh]) => declare(`${al} + ${bl}`, `${ah} + ${bh}`),
  sub: ([al, ah, bl, bh]) => declare(`${al} - ${bl}`, `${ah} - ${bh}`),
  mul: ([al, ah, bl, bh]) => product([al, ah], [bl, bh]),
  minimum: (x) => `${declare(x[0], x[1])}if (${greater(x)}) { low = ${x[2]}; high = ${x[3]}; }\n`,
  maximum: (x) => `${declare(x[0], x[1])}if (${less(x)}) { low = ${x[2]}; high = ${x[3]}; }\n`,
  equal: ([al, ah, bl, bh]) => when(`${al} == ${bl} && ${ah} == ${bh}`),
  less: (x) => when(less(x)),
  lessEqual: (x) => when(`!(${greater(x)})`),
  greater: (x) => when(greater(x)),
  greaterEqual: (x) => when(`!(${less(x)})`),
};

/** Kernels on int32, exact modulo 2³². */
export interface IntegerKernels {
  fill(shape: Shape, value: number): View;
  unary(op: UnaryOp, x: View): View;
  binary(op: BinaryOp, a: View, b: View): View;
  where(condition: View, a: View, b: View): View;
  reduce(op: 'sum' | 'max', x: View, axes: readonly number[]): View;
  integerMatmul(a: View, b: View): View;
}

export function integerKernels(machine: Machine): IntegerKernels {
  const result = (content: Content, shape: Shape) => machine.result(content, shape, 'int32');

  const arithmetic = (op: string, rule: Arithmetic | undefined, views: readonly View[]): View => {
    if (!rule) throw new BackendError(machine.name, `${op} of int32 is not to be had here; use float32`);
    const { shape } = views[0];
    const operands = views.flatMap((view) => halves(machine, view));
    return result(
      map(machine, [2, ...shape], operands, (x) => `${rule(x)}${settled(sizeOf(shape))}`),
      shape,
    );
  };

  const filled = (length: number, value: number): Content => {
    const pair = machine.upload(split(Int32Array.of(value)));
    const all = map(machine, [2, length], [{ content: pair, strides: [1, 0], offset: 0 }], ([x]) => `return ${x};`);
    pair.release();
    return all;
  };

  /** The largest high half, then the largest low half among those that have it. */
  const maximum = (x: View, axes: readonly number[]): Content => {
    const kept = reducedShape(x.shape, axes);
    const low = operand(machine, x);
    const high: Operand = { ...low, offset: low.offset + x.storage.length };
    const highest = reduceTerms(machine, 'max', x.shape, [high], axes);
    const among = whole(highest, kept);
    const expanded = { ...among, strides: among.strides.map((stride, axis) => (axes.includes(axis) ? 0 : stride)) };
    const term = ([l, h, m]: readonly string[]) => `let v = -1;\nif (${h} == ${m}) { v = ${l}; }`;
    const lowest = reduceTerms(machine, 'max', x.shape, [low, high, expanded], axes, { term, start: '-1' });
    const length = sizeOf(kept);
    const parts = [lowest, highest].map((content) => ({ content, strides: [0, 1], offset: 0 }));
    const both = map(
      machine,
      [2, length],
      parts,
      ([l, h]) => `let y = ${l};\nif (i >= ${length}) { y = ${h}; }\nreturn y;`,
    );
    lowest.release();
    highest.release();
    return both;
  };

  return {
    fill(shape, value) {
      return result(filled(sizeOf(shape), value), shape);
    },

    unary: (op, x) => arithmetic(op, UNARY[op], [x]),
    binary: (op, a, b) => arithmetic(op, BINARY[op], [a, b]),

    where(condition, a, b) {
      const [low, high] = halves(machine, condition);
      const choices = [a, b].map((view) => operand(machine, numbers(view)));
      const body = ([l, h, x, y]: readonly string[]) => choice([`(Math.abs(${l}) + Math.abs(${h}))`, x, y]);
      return result(map(machine, [2, ...a.shape], [low, high, ...choices], body), a.shape);
    },

    reduce(op, x, axes) {
      const shape = reducedShape(x.shape, axes);
      if (sizeOf(shape) > 0 && sizeOf(x.shape) === 0) {
        return result(filled(sizeOf(shape), op === 'sum' ? 0 : -(2 ** 31)), shape);
      }
      if (op === 'max') return result(maximum(x, axes), shape);
      const both = numbers(x);
      const shifted = axes.map((axis) => axis + 1);
      const sum = reduceTerms(machine, 'sum', both.shape, [operand(machine, both)], shifted, {
        between: (content) => settle(machine, content),
      });
      return result(sum, shape);
    },

    integerMatmul(a, b) {
      const shape = [a.shape[0], a.shape[1], b.shape[2]];
      const length = sizeOf(shape);
      const depth = a.shape[2];
      if (length === 0 || depth === 0) return result(filled(length, 0), shape);
      machine.checkLength(2 * length);
      const { code, at } = coordinates('i', [2, ...shape], 'c');
      const [, batch, row, column] = at;
      const factors = [a, b].flatMap((view, n) => {
        const low = operand(machine, view);
        const place = address(low, n === 0 ? [batch, row, 'k'] : [batch, 'k', column]);
        return [`${input(n)}[${place}]`, `${input(n)}[${place} + ${view.storage.length}]`];
      });
      const loads = factors.map((factor, n) => `const x${n} = ${factor};`).join('\n');
      const source = kernelSource(
        2,
        0,
        `${code}let low = 0;
let high = 0;
for (let k = 0; k < ${depth}; k++) {
${loads}
${addProduct(['x0', 'x1'], ['x2', 'x3'])}${REDUCE}}
${settled(length)}`,
      );
      const inputs = [a, b].map((view) => machine.contentOf(view));
      return result(machine.run(source, 2 * length, inputs), shape);
    },
  };
}
