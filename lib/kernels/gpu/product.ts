import { sizeOf } from '../../tensor/shape.js';
import type { RequiredKernels } from '../backend.js';
import type { Machine } from './machine.js';
import { operand } from './map.js';
import { address, coordinates, input, kernelSource } from './source.js';

/** Products added up before their sum is added to the total, so that long sums do not drift. */
const CHUNK = 128;

/**
 * Statements that add `term(p)` for `p` below `count` to `s`, in chunks. `term` gives an expression, written twice at
 * most.
 */
export function chunkedSum(count: number, term: (p: string) => string): string {
  const chunks = Math.floor(count / CHUNK);
  const rest = count - chunks * CHUNK;
  let code = 'let s = 0;\n';
  if (chunks > 0) {
    code += `for (let chunk = 0; chunk < ${chunks}; chunk++) {
let part = 0;
for (let q = 0; q < ${CHUNK}; q++) {
const p = q + chunk * ${CHUNK};
part = part + ${term('p')};
}
s = s + part;
}
`;
  }
  if (rest > 0) {
    code += `let tail = 0;
for (let q = 0; q < ${rest}; q++) {
const p = q + ${chunks * CHUNK};
tail = tail + ${term('p')};
}
s = s + tail;
`;
  }
  return code;
}

/** Batched matrix products, one dot product per thread. */
export function productKernels(machine: Machine) {
  return {
    matmul(a, b) {
      const shape = [a.shape[0], a.shape[1], b.shape[2]];
      const length = sizeOf(shape);
      const depth = a.shape[2];
      if (length === 0 || depth === 0) return machine.result(machine.filled(length, 0), shape);
      machine.checkLength(length);
      const [left, right] = [operand(machine, a), operand(machine, b)];
      const { code, at } = coordinates('i', shape, 'c');
      const [batch, row, column] = at;
      const product = (p: string) =>
        `${input(0)}[${address(left, [batch, row, p])}] * ${input(1)}[${address(right, [batch, p, column])}]`;
      const source = kernelSource(2, 0, `${code}${chunkedSum(depth, product)}return s;`);
      return machine.result(machine.run(source, length, [left.content, right.content]), shape);
    },
  } satisfies Partial<RequiredKernels>;
}
