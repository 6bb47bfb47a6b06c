/**
 * Elementwise functions, and their kernels over operands of any strides. An op is a line here: the build script makes a
 * kernel of every inlined function of one vector (`unary`) or of two (`binary`), and tells the host its name.
 */
import { erfOf, exp2Of, expOf, log2Of, logOf, powOf, sigmoidOf, tanhOf } from './math';
import { binaryValue, unaryValue } from './elementwise.generated';
import { storeLanes } from './simd';
import { CHUNK, locate, step } from './views';

@inline export function neg(x: v128): v128 { return f32x4.neg(x); }
@inline export function abs(x: v128): v128 { return f32x4.abs(x); }
@inline export function sign(x: v128): v128 {
  const zero = f32x4.splat(0);
  const signed = v128.or(v128.and(x, i32x4.splat(0x80000000)), f32x4.splat(1));
  return v128.bitselect(signed, x, v128.or(f32x4.lt(x, zero), f32x4.gt(x, zero)));
}
@inline export function exp(x: v128): v128 { return expOf(x); }
@inline export function exp2(x: v128): v128 { return exp2Of(x); }
@inline export function log(x: v128): v128 { return logOf(x); }
@inline export function log2(x: v128): v128 { return log2Of(x); }
@inline export function sqrt(x: v128): v128 { return f32x4.sqrt(x); }
@inline export function square(x: v128): v128 { return f32x4.mul(x, x); }
@inline export function relu(x: v128): v128 { return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), f32x4.splat(0)); }
@inline export function tanh(x: v128): v128 { return tanhOf(x); }
@inline export function sigmoid(x: v128): v128 { return sigmoidOf(x); }
@inline export function erf(x: v128): v128 { return erfOf(x); }
@inline export function roundHalfEven(x: v128): v128 { return f32x4.nearest(x); }
@inline export function trunc(x: v128): v128 { return f32x4.trunc(x); }
@inline export function floor(x: v128): v128 { return f32x4.floor(x); }
@inline export function ceil(x: v128): v128 { return f32x4.ceil(x); }

@inline export function add(a: v128, b: v128): v128 { return f32x4.add(a, b); }
@inline export function sub(a: v128, b: v128): v128 { return f32x4.sub(a, b); }
@inline export function mul(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
@inline export function div(a: v128, b: v128): v128 { return f32x4.div(a, b); }
@inline export function pow(a: v128, b: v128): v128 { return powOf(a, b); }
@inline export function minimum(a: v128, b: v128): v128 { return f32x4.min(a, b); }
@inline export function maximum(a: v128, b: v128): v128 { return f32x4.max(a, b); }
@inline export function equal(a: v128, b: v128): v128 { return v128.and(f32x4.eq(a, b), f32x4.splat(1)); }
@inline export function less(a: v128, b: v128): v128 { return v128.and(f32x4.lt(a, b), f32x4.splat(1)); }
@inline export function lessEqual(a: v128, b: v128): v128 { return v128.and(f32x4.le(a, b), f32x4.splat(1)); }
@inline export function greater(a: v128, b: v128): v128 { return v128.and(f32x4.gt(a, b), f32x4.splat(1)); }
@inline export function greaterEqual(a: v128, b: v128): v128 { return v128.and(f32x4.ge(a, b), f32x4.splat(1)); }

/** Elements `begin … end` of `out = op(x)`. */
@inline
export function unary(op: i32, begin: i32, end: i32, scratch: usize, x: usize, out: usize): void {
  for (let start = begin; start < end; start += CHUNK) {
    const count = min(CHUNK, end - start);
    let from = locate(x, start, count, scratch);
    const by = step;
    let to = out + (<usize>start << 2);
    for (const stop = to + (<usize>(count & ~3) << 2); to < stop; to += 16) {
      v128.store(to, unaryValue(op, v128.load(from)));
      from += by;
    }
    if (count & 3) storeLanes(to, unaryValue(op, v128.load(from)), count & 3);
  }
}

/** Elements `begin … end` of `out = op(a, b)`. */
@inline
export function binary(op: i32, begin: i32, end: i32, scratch: usize, a: usize, b: usize, out: usize): void {
  for (let start = begin; start < end; start += CHUNK) {
    const count = min(CHUNK, end - start);
    let fromA = locate(a, start, count, scratch);
    const byA = step;
    let fromB = locate(b, start, count, scratch + (CHUNK << 2));
    const byB = step;
    let to = out + (<usize>start << 2);
    for (const stop = to + (<usize>(count & ~3) << 2); to < stop; to += 16) {
      v128.store(to, binaryValue(op, v128.load(fromA), v128.load(fromB)));
      fromA += byA;
      fromB += byB;
    }
    if (count & 3) storeLanes(to, binaryValue(op, v128.load(fromA), v128.load(fromB)), count & 3);
  }
}

@inline
function choose(c: v128, a: v128, b: v128): v128 {
  return v128.bitselect(b, a, f32x4.eq(c, f32x4.splat(0)));
}

/** Elements `begin … end` of `out = condition ≠ 0 ? a : b`. */
export function where(begin: i32, end: i32, scratch: usize, condition: usize, a: usize, b: usize, out: usize): void {
  for (let start = begin; start < end; start += CHUNK) {
    const count = min(CHUNK, end - start);
    let c = locate(condition, start, count, scratch);
    const byC = step;
    let x = locate(a, start, count, scratch + (CHUNK << 2));
    const byX = step;
    let z = locate(b, start, count, scratch + (CHUNK << 3));
    const byZ = step;
    let to = out + (<usize>start << 2);
    const stop = to + (<usize>(count & ~3) << 2);
    while (to < stop) {
      v128.store(to, choose(v128.load(c), v128.load(x), v128.load(z)));
      c += byC;
      x += byX;
      z += byZ;
      to += 16;
    }
    if (count & 3) storeLanes(to, choose(v128.load(c), v128.load(x), v128.load(z)), count & 3);
  }
}
