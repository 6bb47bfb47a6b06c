import type { UnaryOp } from '../../kernels/backend.js';
import { div, greater, greaterEqual, lessEqual, mul, sub, unary, where } from '../../kernels/value.js';
import { type Row, row, type Vjp } from '../row.js';

type None = Record<never, never>;

/** `y = op(x)` with gradient `g · slope`. */
function smooth(op: UnaryOp, saves: Row<None>['saves'], vjp: Vjp<None>): Row<None> {
  return row({ shape: 'broadcast', forward: (k, [x]) => k.unary(op, x), vjp: [vjp], ...(saves ? { saves } : {}) });
}

/** Rounding: the gradient passes unchanged, as if the function were the identity (Bengio et al. 2013). */
function straightThrough(op: UnaryOp): Row<None> {
  return row({ shape: 'broadcast', forward: (k, [x]) => k.unary(op, x), vjp: [(g) => g], surrogate: 'x' });
}

/** Elementwise functions of one argument. */
export const unaryRows = {
  /** −x */
  neg: smooth('neg', undefined, (g) => unary('neg', g)),
  /** |x|; its slope at 0 is 0. */
  abs: smooth('abs', [0], (g, s) => mul(g, unary('sign', s.input(0)))),
  exp: smooth('exp', ['output'], (g, s) => mul(g, s.output())),
  /** 2^x */
  exp2: smooth('exp2', ['output'], (g, s) => mul(mul(g, s.output()), Math.LN2)),
  log: smooth('log', [0], (g, s) => div(g, s.input(0))),
  log2: smooth('log2', [0], (g, s) => div(g, mul(s.input(0), Math.LN2))),
  sqrt: smooth('sqrt', ['output'], (g, s) => div(mul(g, 0.5), s.output())),
  square: smooth('square', [0], (g, s) => mul(g, mul(s.input(0), 2))),
  /** max(x, 0); its slope at 0 is 0. */
  relu: smooth('relu', ['output'], (g, s) => where(greater(s.output(), 0), g, 0)),
  tanh: smooth('tanh', ['output'], (g, s) => mul(g, sub(1, unary('square', s.output())))),
  sigmoid: smooth('sigmoid', ['output'], (g, s) => mul(g, mul(s.output(), sub(1, s.output())))),
  /** −1, 0 or 1; piecewise constant, so without a gradient. */
  sign: row<None>({ shape: 'broadcast', forward: (k, [x]) => k.unary('sign', x) }),
  roundHalfEven: straightThrough('roundHalfEven'),
  trunc: straightThrough('trunc'),
  floor: straightThrough('floor'),
  ceil: straightThrough('ceil'),
} satisfies Record<string, Row<None>>;

/** Elementwise functions of two arguments, which broadcast. */
export const binaryRows = {
  add: row<None>({ shape: 'broadcast', forward: (k, [a, b]) => k.binary('add', a, b), vjp: [(g) => g, (g) => g] }),
  sub: row<None>({
    shape: 'broadcast',
    forward: (k, [a, b]) => k.binary('sub', a, b),
    vjp: [(g) => g, (g) => unary('neg', g)],
  }),
  mul: row<None>({
    shape: 'broadcast',
    forward: (k, [a, b]) => k.binary('mul', a, b),
    saves: [0, 1],
    vjp: [(g, s) => mul(g, s.input(1)), (g, s) => mul(g, s.input(0))],
  }),
  div: row<None>({
    shape: 'broadcast',
    forward: (k, [a, b]) => k.binary('div', a, b),
    saves: [1, 'output'],
    vjp: [(g, s) => div(g, s.input(1)), (g, s) => unary('neg', div(mul(g, s.output()), s.input(1)))],
  }),
  /** min(a, b); where they are equal the whole gradient goes to `a`, as in a clamp of `a`. */
  minimum: row<None>({
    shape: 'broadcast',
    forward: (k, [a, b]) => k.binary('minimum', a, b),
    saves: [0, 1],
    vjp: [
      (g, s) => where(lessEqual(s.input(0), s.input(1)), g, 0),
      (g, s) => where(greater(s.input(0), s.input(1)), g, 0),
    ],
  }),
  /** max(a, b); where they are equal the whole gradient goes to `a`, as in a clamp of `a`. */
  maximum: row<None>({
    shape: 'broadcast',
    forward: (k, [a, b]) => k.binary('maximum', a, b),
    saves: [0, 1],
    vjp: [
      (g, s) => where(greaterEqual(s.input(0), s.input(1)), g, 0),
      (g, s) => where(greater(s.input(1), s.input(0)), g, 0),
    ],
  }),
  equal: row<None>({ shape: 'broadcast', forward: (k, [a, b]) => k.binary('equal', a, b) }),
  less: row<None>({ shape: 'broadcast', forward: (k, [a, b]) => k.binary('less', a, b) }),
  lessEqual: row<None>({ shape: 'broadcast', forward: (k, [a, b]) => k.binary('lessEqual', a, b) }),
  greater: row<None>({ shape: 'broadcast', forward: (k, [a, b]) => k.binary('greater', a, b) }),
  greaterEqual: row<None>({ shape: 'broadcast', forward: (k, [a, b]) => k.binary('greaterEqual', a, b) }),
} satisfies Record<string, Row<None>>;

/** `condition ≠ 0 ? a : b`; the three arguments broadcast. */
export const selectRows = {
  where: row<None>({
    shape: 'broadcast',
    forward: (k, [condition, a, b]) => k.where(condition, a, b),
    saves: [0],
    vjp: [null, (g, s) => where(s.input(0), g, 0), (g, s) => where(s.input(0), 0, g)],
  }),
} satisfies Record<string, Row<None>>;
