import type { BinaryOp, UnaryOp } from '../../kernels/backend.js';
import * as v from '../../kernels/value.js';
import { full } from '../../tensor/create.js';
import { Tensor } from '../../tensor/tensor.js';
import { type Row, row, type SavedKey, type Vjp } from '../row.js';
import { apply } from '../tape.js';

/**
 * Elementwise primitives: each is a row and the function that users call, which broadcasts by NumPy's rule and takes
 * plain numbers where a tensor of one element would do. In the rules `v` is arithmetic on views, off the tape.
 */

type None = Record<never, never>;

/** A tensor, or a number standing for a scalar tensor. */
export type TensorLike = Tensor | number;

/** An elementwise function with the row behind it. */
export type Elementwise<Arguments extends readonly unknown[]> = ((...args: Arguments) => Tensor) & {
  readonly row: Row<None>;
};

/** A number as a scalar like `like`. */
function lift(x: TensorLike, like: TensorLike): Tensor {
  if (typeof x !== 'number') return x;
  if (!(like instanceof Tensor)) return full([], x);
  return new Tensor(v.backendOf(like).fill([], x, like.dtype));
}

/** `y = op(x)`, and what differentiates it. */
function ofOne(op: UnaryOp, rules: Pick<Row<None>, 'vjp' | 'saves' | 'surrogate'>): Elementwise<[x: Tensor]> {
  const primitive = row<None>({ name: op, shape: 'broadcast', value: ([x]) => v.unary(op, x), ...rules });
  return Object.assign((x: Tensor) => apply(primitive, [x], {}), { row: primitive });
}

/** `y = op(x)` with a rule for its gradient; none where it is flat. */
function unary(op: UnaryOp, vjp: Vjp<None> | null, ...saves: SavedKey[]): Elementwise<[x: Tensor]> {
  return ofOne(op, { ...(vjp ? { vjp: [vjp] } : {}), saves });
}

/** Rounding: the gradient passes unchanged, as if the function were the identity (Bengio et al. 2013). */
function rounding(op: UnaryOp): Elementwise<[x: Tensor]> {
  return ofOne(op, { vjp: [(g) => g], surrogate: 'x' });
}

/** `op(a, b)` with a rule for each gradient; none where it is flat. */
function binary(
  op: BinaryOp,
  vjp: readonly [Vjp<None>, Vjp<None>] | null,
  ...saves: SavedKey[]
): Elementwise<[a: TensorLike, b: TensorLike]> {
  const rules = { ...(vjp ? { vjp } : {}), saves };
  const value: Row<None>['value'] = ([a, b]) => v.backendOf(a).binary(op, a, b);
  const primitive = row<None>({ name: op, shape: 'broadcast', value, ...rules });
  return Object.assign((a: TensorLike, b: TensorLike) => apply(primitive, [lift(a, b), lift(b, a)], {}), {
    row: primitive,
  });
}

export const neg = unary('neg', (g) => v.unary('neg', g));
/** |x|, slope 0 at 0. */
export const abs = unary('abs', (g, s) => v.mul(g, v.unary('sign', s.input(0))), 0);
export const exp = unary('exp', (g, s) => v.mul(g, s.output()), 'output');
/** 2^x. */
export const exp2 = unary('exp2', (g, s) => v.mul(v.mul(g, s.output()), Math.LN2), 'output');
export const log = unary('log', (g, s) => v.div(g, s.input(0)), 0);
export const log2 = unary('log2', (g, s) => v.div(g, v.mul(s.input(0), Math.LN2)), 0);
export const sqrt = unary('sqrt', (g, s) => v.div(v.mul(g, 0.5), s.output()), 'output');
export const square = unary('square', (g, s) => v.mul(g, v.mul(s.input(0), 2)), 0);
/** max(x, 0), slope 0 at 0. */
export const relu = unary('relu', (g, s) => v.where(v.greater(s.output(), 0), g, 0), 'output');
export const tanh = unary('tanh', (g, s) => v.mul(g, v.sub(1, v.unary('square', s.output()))), 'output');
export const sigmoid = unary('sigmoid', (g, s) => v.mul(g, v.mul(s.output(), v.sub(1, s.output()))), 'output');
/** `2/√π·∫₀ˣ e^(−t²) dt`. */
export const erf = unary(
  'erf',
  (g, s) => v.mul(g, v.mul(v.unary('exp', v.unary('neg', v.unary('square', s.input(0)))), 2 / Math.sqrt(Math.PI))),
  0,
);
/** −1, 0 or 1; piecewise constant, so without a gradient. */
export const sign = unary('sign', null);
/** Nearest integer, ties to even; the gradient passes straight through. */
export const roundHalfEven = rounding('roundHalfEven');
/** Toward zero; the gradient passes straight through. */
export const trunc = rounding('trunc');
/** Toward −∞; the gradient passes straight through. */
export const floor = rounding('floor');
/** Toward +∞; the gradient passes straight through. */
export const ceil = rounding('ceil');

export const add = binary('add', [(g) => g, (g) => g]);
export const sub = binary('sub', [(g) => g, (g) => v.unary('neg', g)]);
export const mul = binary('mul', [(g, s) => v.mul(g, s.input(1)), (g, s) => v.mul(g, s.input(0))], 0, 1);
export const div = binary(
  'div',
  [(g, s) => v.div(g, s.input(1)), (g, s) => v.unary('neg', v.div(v.mul(g, s.output()), s.input(1)))],
  1,
  'output',
);
/**
 * aᵇ, NaN for a negative a and a b that is not whole. The gradient to a is 0 where b = 0; that to b is 0 where
 * a = 0 ≤ b, and NaN where a < 0, whose logarithm it takes.
 */
export const pow = binary(
  'pow',
  [
    (g, s) => {
      const slope = v.mul(s.input(1), v.pow(s.input(0), v.sub(s.input(1), 1)));
      return v.mul(g, v.where(s.input(1), slope, 0));
    },
    (g, s) => {
      const flat = v.mul(v.equal(s.input(0), 0), v.greaterEqual(s.input(1), 0));
      return v.mul(g, v.where(flat, 0, v.mul(s.output(), v.unary('log', s.input(0)))));
    },
  ],
  0,
  1,
  'output',
);
/** min(a, b); where they are equal the whole gradient goes to `a`, as in a clamp of `a`. */
export const minimum = binary(
  'minimum',
  [
    (g, s) => v.where(v.lessEqual(s.input(0), s.input(1)), g, 0),
    (g, s) => v.where(v.greater(s.input(0), s.input(1)), g, 0),
  ],
  0,
  1,
);
/** max(a, b); where they are equal the whole gradient goes to `a`, as in a clamp of `a`. */
export const maximum = binary(
  'maximum',
  [
    (g, s) => v.where(v.greaterEqual(s.input(0), s.input(1)), g, 0),
    (g, s) => v.where(v.greater(s.input(1), s.input(0)), g, 0),
  ],
  0,
  1,
);
export const equal = binary('equal', null);
export const less = binary('less', null);
export const lessEqual = binary('lessEqual', null);
export const greater = binary('greater', null);
export const greaterEqual = binary('greaterEqual', null);

const select = row({
  name: 'where',
  shape: 'broadcast',
  value: ([condition, a, b]) => v.backendOf(condition).where(condition, a, b),
  saves: [0],
  vjp: [null, (g, s) => v.where(s.input(0), g, 0), (g, s) => v.where(s.input(0), 0, g)],
});

/** `condition ≠ 0 ? a : b`, all three broadcast. */
export const where: Elementwise<[condition: Tensor, a: TensorLike, b: TensorLike]> = Object.assign(
  (condition: Tensor, a: TensorLike, b: TensorLike) =>
    apply(select, [condition, lift(a, condition), lift(b, condition)], {}),
  { row: select },
);
