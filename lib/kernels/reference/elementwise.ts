import ops from 'ndarray-ops';
import { roundHalfEven } from '../../tensor/float32.js';
import type { HostArray } from './arrays.js';

/** Elementwise functions, on `ndarray-ops` where it has them. Computed in float64, rounded once, when stored. */

type Unary = (out: HostArray, x: HostArray) => unknown;
type Binary = (out: HostArray, a: HostArray, b: HostArray) => unknown;

/** A function of one number, applied to every element. `out` is contiguous and fresh. */
function each(f: (x: number) => number): Unary {
  return (out, x) => {
    ops.assign(out, x);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(out.data[i]);
  };
}

/** A function of two numbers, applied to every pair of elements. `out` is contiguous and fresh. */
function eachPair(f: (a: number, b: number) => number): Binary {
  return (out, a, b) => {
    ops.assign(out, b);
    const second = out.data.slice();
    ops.assign(out, a);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(out.data[i], second[i]);
  };
}

/**
 * `2/√π·∫₀ˣ e^(−t²) dt`: the series of positive terms (Kummer) near 0; beyond, 1 less the continued fraction of `erfc`.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  const decay = Math.exp(-a * a) / Math.sqrt(Math.PI);
  if (!(a > 2)) {
    let term = a;
    let sum = a;
    for (let n = 1; term > 1e-18 * sum; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    return 2 * decay * Math.sign(x) * sum;
  }
  let fraction = a;
  for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - decay / fraction);
}

/** `x^y` as IEEE 754 has it, where JavaScript gives NaN for 1 to a power that is NaN or infinite. */
export function pow(x: number, y: number): number {
  return x === 1 ? 1 : x ** y;
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
  erf: each(erf),
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
  pow: eachPair(pow),
  minimum: (out, a, b) => ops.min(out, a, b),
  maximum: (out, a, b) => ops.max(out, a, b),
  equal: (out, a, b) => ops.eq(out, a, b),
  less: (out, a, b) => ops.lt(out, a, b),
  lessEqual: (out, a, b) => ops.leq(out, a, b),
  greater: (out, a, b) => ops.gt(out, a, b),
  greaterEqual: (out, a, b) => ops.geq(out, a, b),
} satisfies Readonly<Record<string, Binary>>;
