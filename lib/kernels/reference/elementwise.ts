import ops from 'ndarray-ops';
import type { HostArray } from './arrays.js';

/**
 * Elementwise functions, on `ndarray-ops` where it has them. Computed in float64, rounded once, by the store to `out`.
 */

type Unary = (out: HostArray, x: HostArray) => unknown;
type Binary = (out: HostArray, a: HostArray, b: HostArray) => unknown;

/** A function of one number, applied to every element. `out` is contiguous and fresh. */
function each(f: (x: number) => number): Unary {
  return (out, x) => {
    ops.assign(out, x);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(out.data[i]);
  };
}

/** The nearest integer; of two equally near ones the even one. Keeps −0, infinities and NaN. */
export function roundHalfEven(x: number): number {
  const isTie = x - Math.floor(x) === 0.5;
  return isTie ? 2 * Math.round(x / 2) : Math.round(x);
}

/** The names of these tables are those every backend has to fulfil (`UnaryOp`, `BinaryOp` in backend.ts). */
export const UNARY = {
  neg: (out, x) => ops.neg(out, x),
  abs: (out, x) => ops.abs(out, x),
  sign: each(Math.sign),
  exp: (out, x) => ops.exp(out, x),
  exp2: each((x) => 2 ** x),
  log: (out, x) => ops.log(out, x),
  log2: each(Math.log2),
  sqrt: (out, x) => ops.sqrt(out, x),
  square: (out, x) => ops.mul(out, x, x),
  relu: (out, x) => ops.maxs(out, x, 0),
  tanh: each(Math.tanh),
  sigmoid: each((x) => 1 / (1 + Math.exp(-x))),
  roundHalfEven: each(roundHalfEven),
  trunc: each(Math.trunc),
  floor: (out, x) => ops.floor(out, x),
  ceil: (out, x) => ops.ceil(out, x),
} satisfies Readonly<Record<string, Unary>>;

export const BINARY = {
  add: (out, a, b) => ops.add(out, a, b),
  sub: (out, a, b) => ops.sub(out, a, b),
  mul: (out, a, b) => ops.mul(out, a, b),
  div: (out, a, b) => ops.div(out, a, b),
  minimum: (out, a, b) => ops.min(out, a, b),
  maximum: (out, a, b) => ops.max(out, a, b),
  equal: (out, a, b) => ops.eq(out, a, b),
  less: (out, a, b) => ops.lt(out, a, b),
  lessEqual: (out, a, b) => ops.leq(out, a, b),
  greater: (out, a, b) => ops.gt(out, a, b),
  greaterEqual: (out, a, b) => ops.geq(out, a, b),
} satisfies Readonly<Record<string, Binary>>;
