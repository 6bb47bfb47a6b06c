import { at, build, indices, type NumberArray, position } from './array.js';

/** Round half to even, decided by comparing the distances to both neighbours. */
function roundHalfEven(x: number): number {
  if (!Number.isFinite(x)) return x;
  const below = Math.floor(x);
  const above = Math.ceil(x);
  if (x - below < above - x) return below;
  if (above - x < x - below) return above;
  return below % 2 === 0 ? below : above;
}

/** The integral of 2/√π·e^(−t²) from 0 to x, or 1 less that from x on: Romberg's extrapolation of trapezoids. */
function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) <= 1) return integral(0, x);
  return Math.sign(x) * (1 - integral(Math.abs(x), Math.abs(x) + 5));
}

function integral(from: number, to: number): number {
  const height = (t: number) => (2 / Math.sqrt(Math.PI)) * Math.exp(-t * t);
  let row = [((to - from) / 2) * (height(from) + height(to))];
  for (let panels = 2; panels <= 256; panels *= 2) {
    const step = (to - from) / panels;
    let middle = 0;
    for (let i = 1; i < panels; i += 2) middle += height(from + i * step);
    const next = [row[0] / 2 + step * middle];
    for (const [i, coarse] of row.entries()) next.push(next[i] + (next[i] - coarse) / (4 ** (i + 1) - 1));
    row = next;
  }
  return row[row.length - 1];
}

/** xʸ by multiplication where y is whole, else by way of logarithms. */
function pow(x: number, y: number): number {
  if (x === 1 || y === 0) return 1;
  if (Number.isInteger(y) && Math.abs(y) <= 64) {
    let product = 1;
    for (let i = 0; i < Math.abs(y); i++) product *= x;
    return y < 0 ? 1 / product : product;
  }
  return Math.exp(y * Math.log(Number.isFinite(y) ? x : Math.abs(x)));
}

const UNARY: Record<string, (x: number) => number> = {
  neg: (x) => -x,
  abs: (x) => (x < 0 ? -x : x),
  sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : x),
  exp: (x) => Math.exp(x),
  exp2: (x) => 2 ** x,
  log: (x) => Math.log(x),
  log2: (x) => Math.log(x) / Math.LN2,
  sqrt: (x) => Math.sqrt(x),
  square: (x) => x * x,
  relu: (x) => Math.max(x, 0),
  tanh: (x) => (Math.abs(x) > 30 ? Math.sign(x) : 1 - 2 / (Math.exp(2 * x) + 1)),
  sigmoid: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
  erf,
  roundHalfEven,
  trunc: (x) => (x < 0 ? Math.ceil(x) : Math.floor(x)),
  floor: (x) => Math.floor(x),
  ceil: (x) => -Math.floor(-x),
};

const BINARY: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow,
  minimum: (a, b) => Math.min(a, b),
  maximum: (a, b) => Math.max(a, b),
  equal: (a, b) => (a === b ? 1 : 0),
  less: (a, b) => (a < b ? 1 : 0),
  lessEqual: (a, b) => (a <= b ? 1 : 0),
  greater: (a, b) => (a > b ? 1 : 0),
  greaterEqual: (a, b) => (a >= b ? 1 : 0),
};

export function unary(op: string, x: NumberArray): NumberArray {
  return { shape: x.shape, data: x.data.map((value) => UNARY[op](value)) };
}

export function binary(op: string, a: NumberArray, b: NumberArray): NumberArray {
  return { shape: a.shape, data: a.data.map((value, i) => BINARY[op](value, b.data[i])) };
}

export function where(condition: NumberArray, a: NumberArray, b: NumberArray): NumberArray {
  return { shape: a.shape, data: condition.data.map((yes, i) => (yes !== 0 ? a.data[i] : b.data[i])) };
}

/** Sum or maximum over `axes`, which stay with extent 1. The maximum of a NaN is NaN. */
export function reduce(op: 'sum' | 'max', x: NumberArray, axes: readonly number[]): NumberArray {
  const shape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const out = build(shape, () => (op === 'sum' ? 0 : Number.NEGATIVE_INFINITY));
  const data = [...out.data];
  for (const index of indices(x.shape)) {
    const value = at(x, ...index);
    const to = position(
      shape,
      index.map((i, axis) => (axes.includes(axis) ? 0 : i)),
    );
    if (op === 'sum') data[to] += value;
    else if (Number.isNaN(value) || value > data[to]) data[to] = value;
  }
  return { shape, data };
}

/** `a [B, m, k] · b [B, k, n]` */
export function matmul(a: NumberArray, b: NumberArray): NumberArray {
  return build([a.shape[0], a.shape[1], b.shape[2]], ([batch, i, j]) => {
    let sum = 0;
    for (let p = 0; p < a.shape[2]; p++) sum += at(a, batch, i, p) * at(b, batch, p, j);
    return sum;
  });
}
