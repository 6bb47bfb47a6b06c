import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { BinaryOp, UnaryOp } from '../backend.js';
import { map, operand } from './map.js';
import type { Runtime } from './runtime.js';
import {
  binaryLogarithm,
  errorFunction,
  exponential,
  hyperbolicTangent,
  logarithm,
  power,
  powerOfTwo,
} from './transcendental.js';

/** Elementwise kernels without `x != x` and infinite literals, which some GPUs get wrong; NaN stays NaN regardless. */

/** `y` becomes `x` rounded to the nearest whole number, ties to even; keeps −0, infinities and NaN. */
export function roundHalfEven(x: string, y: string): string {
  return `let ${y} = Math.floor(${x});
const ${y}Rest = ${x} - ${y};
if (${y}Rest > 0.5) { ${y} = ${y} + 1; }
if (${y}Rest == 0.5) { if (Math.floor(${y} * 0.5) * 2 != ${y}) { ${y} = ${y} + 1; } }
if (${y} == 0 && ${x} < 0) { ${y} = -${y}; }
`;
}

const UNARY: Readonly<Record<UnaryOp, (x: string) => string>> = {
  neg: (x) => `return -${x};`,
  abs: (x) => `return Math.abs(${x});`,
  sign: (x) => `let y = ${x};\nif (${x} > 0) { y = 1; }\nif (${x} < 0) { y = -1; }\nreturn y;`,
  exp: (x) => `${exponential(x)}return y;`,
  exp2: (x) => `${powerOfTwo(x)}return y;`,
  log: (x) => `${logarithm(x)}return y;`,
  log2: (x) => `${binaryLogarithm(x)}return y;`,
  sqrt: (x) => `return Math.sqrt(${x});`,
  square: (x) => `return ${x} * ${x};`,
  relu: (x) => `let y = ${x};\nif (${x} < 0) { y = 0; }\nreturn y;`,
  tanh: (x) => `${hyperbolicTangent(x)}return y;`,
  sigmoid: (x) => `const minus = -${x};\n${exponential('minus')}return 1 / (1 + y);`,
  erf: (x) => `${errorFunction(x)}return y;`,
  roundHalfEven: (x) => `${roundHalfEven(x, 'y')}return y;`,
  trunc: (x) => `let y = Math.floor(${x});\nif (${x} < 0) { y = Math.ceil(${x}); }\nreturn y;`,
  floor: (x) => `return Math.floor(${x});`,
  ceil: (x) => `return Math.ceil(${x});`,
};

/** 1 where `test` holds, else 0. */
const indicator = (test: string) => `let y = 0;\nif (${test}) { y = 1; }\nreturn y;`;

const BINARY: Readonly<Record<BinaryOp, (a: string, b: string) => string>> = {
  add: (a, b) => `return ${a} + ${b};`,
  sub: (a, b) => `return ${a} - ${b};`,
  mul: (a, b) => `return ${a} * ${b};`,
  div: (a, b) => `return ${a} / ${b};`,
  pow: (a, b) => `${power(a, b)}return y;`,
  minimum: (a, b) => `let y = ${a};\nif (${b} < ${a} || !(${b} == ${b})) { y = ${b}; }\nreturn y;`,
  maximum: (a, b) => `let y = ${a};\nif (${b} > ${a} || !(${b} == ${b})) { y = ${b}; }\nreturn y;`,
  equal: (a, b) => indicator(`${a} == ${b}`),
  less: (a, b) => indicator(`${a} < ${b}`),
  lessEqual: (a, b) => indicator(`${a} <= ${b}`),
  greater: (a, b) => indicator(`${a} > ${b}`),
  greaterEqual: (a, b) => indicator(`${a} >= ${b}`),
};

/** Statements that return `x` if the condition is not 0 (NaN is not), else `y`. */
export const choice = ([condition, x, y]: readonly string[]) =>
  `let z = ${y};\nif (!(${condition} == 0)) { z = ${x}; }\nreturn z;`;

export function elementwiseKernels(runtime: Runtime) {
  const read = (view: View) => operand(runtime, view);
  return {
    fill: (shape: Shape, value: number) => runtime.result(runtime.filled(sizeOf(shape), value), shape),
    unary: (op: UnaryOp, x: View) =>
      runtime.result(
        map(runtime, x.shape, [read(x)], ([value]) => UNARY[op](value)),
        x.shape,
      ),
    binary: (op: BinaryOp, a: View, b: View) =>
      runtime.result(
        map(runtime, a.shape, [read(a), read(b)], ([x, y]) => BINARY[op](x, y)),
        a.shape,
      ),
    where: (condition: View, a: View, b: View) =>
      runtime.result(map(runtime, a.shape, [read(condition), read(a), read(b)], choice), a.shape),
  };
}
