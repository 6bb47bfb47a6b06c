/** Elementwise kernels of one, two and three operands; op codes are positions in the contract's tables. */
import { exp2Of, expOf, log2Of, logOf, sigmoidOf, tanhOf } from './math';
import { storeLanes } from './simd';
import { CHUNK, locate, step } from './views';

@inline
function apply1(op: i32, x: v128): v128 {
  const one = f32x4.splat(1.0);
  const zero = f32x4.splat(0.0);
  if (op == 0) return f32x4.neg(x);
  if (op == 1) return f32x4.abs(x);
  if (op == 2) {
    const signed = v128.or(v128.and(x, i32x4.splat(0x80000000)), one);
    return v128.bitselect(signed, x, v128.or(f32x4.lt(x, zero), f32x4.gt(x, zero)));
  }
  if (op == 3) return expOf(x);
  if (op == 4) return exp2Of(x);
  if (op == 5) return logOf(x);
  if (op == 6) return log2Of(x);
  if (op == 7) return f32x4.sqrt(x);
  if (op == 8) return f32x4.mul(x, x);
  if (op == 9) return f32x4.add(f32x4.pmax(x, zero), zero);
  if (op == 10) return tanhOf(x);
  if (op == 11) return sigmoidOf(x);
  if (op == 12) return f32x4.nearest(x);
  if (op == 13) return f32x4.trunc(x);
  if (op == 14) return f32x4.floor(x);
  return f32x4.ceil(x);
}

/** The integer functions; rounding leaves integers as they are. */
@inline
function apply1i(op: i32, x: v128): v128 {
  if (op == 0) return i32x4.neg(x);
  if (op == 1) return i32x4.abs(x);
  if (op == 2) return i32x4.sub(i32x4.shr_s(x, 31), i32x4.gt_s(x, i32x4.splat(0)));
  if (op == 8) return i32x4.mul(x, x);
  if (op == 9) return i32x4.max_s(x, i32x4.splat(0));
  return x;
}

@inline
function apply2(op: i32, a: v128, b: v128): v128 {
  const one = f32x4.splat(1.0);
  if (op == 0) return f32x4.add(a, b);
  if (op == 1) return f32x4.sub(a, b);
  if (op == 2) return f32x4.mul(a, b);
  if (op == 3) return f32x4.div(a, b);
  if (op == 4) return f32x4.min(a, b);
  if (op == 5) return f32x4.max(a, b);
  if (op == 6) return v128.and(f32x4.eq(a, b), one);
  if (op == 7) return v128.and(f32x4.lt(a, b), one);
  if (op == 8) return v128.and(f32x4.le(a, b), one);
  if (op == 9) return v128.and(f32x4.gt(a, b), one);
  return v128.and(f32x4.ge(a, b), one);
}

@inline
function apply2i(op: i32, a: v128, b: v128): v128 {
  if (op == 0) return i32x4.add(a, b);
  if (op == 1) return i32x4.sub(a, b);
  if (op == 2) return i32x4.mul(a, b);
  if (op == 3) return divide4(a, b);
  if (op == 4) return i32x4.min_s(a, b);
  if (op == 5) return i32x4.max_s(a, b);
  if (op == 6) return i32x4.neg(i32x4.eq(a, b));
  if (op == 7) return i32x4.neg(i32x4.lt_s(a, b));
  if (op == 8) return i32x4.neg(i32x4.le_s(a, b));
  if (op == 9) return i32x4.neg(i32x4.gt_s(a, b));
  return i32x4.neg(i32x4.ge_s(a, b));
}

/** Quotient truncated toward zero; 0 for a zero divisor, as storing ±∞ or NaN in an Int32Array gives. */
function divide(a: i32, b: i32): i32 {
  return b == 0 ? 0 : b == -1 ? -a : a / b;
}

function divide4(a: v128, b: v128): v128 {
  return i32x4(
    divide(i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)),
    divide(i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)),
    divide(i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)),
    divide(i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)),
  );
}

@inline
function run1<T>(op: i32, x: usize, by: usize, y: usize, count: i32): void {
  const end = y + (<usize>(count & ~3) << 2);
  while (y < end) {
    v128.store(y, isFloat<T>() ? apply1(op, v128.load(x)) : apply1i(op, v128.load(x)));
    x += by;
    y += 16;
  }
  if (count & 3) storeLanes(y, isFloat<T>() ? apply1(op, v128.load(x)) : apply1i(op, v128.load(x)), count & 3);
}

@inline
function run2<T>(op: i32, a: usize, byA: usize, b: usize, byB: usize, y: usize, count: i32): void {
  const end = y + (<usize>(count & ~3) << 2);
  while (y < end) {
    v128.store(y, isFloat<T>() ? apply2(op, v128.load(a), v128.load(b)) : apply2i(op, v128.load(a), v128.load(b)));
    a += byA;
    b += byB;
    y += 16;
  }
  if (count & 3) {
    const v = isFloat<T>() ? apply2(op, v128.load(a), v128.load(b)) : apply2i(op, v128.load(a), v128.load(b));
    storeLanes(y, v, count & 3);
  }
}

function unaryRun<T>(op: i32, x: usize, by: usize, y: usize, count: i32): void {
  switch (op) {
    case 0: run1<T>(0, x, by, y, count); break;
    case 1: run1<T>(1, x, by, y, count); break;
    case 2: run1<T>(2, x, by, y, count); break;
    case 3: run1<T>(3, x, by, y, count); break;
    case 4: run1<T>(4, x, by, y, count); break;
    case 5: run1<T>(5, x, by, y, count); break;
    case 6: run1<T>(6, x, by, y, count); break;
    case 7: run1<T>(7, x, by, y, count); break;
    case 8: run1<T>(8, x, by, y, count); break;
    case 9: run1<T>(9, x, by, y, count); break;
    case 10: run1<T>(10, x, by, y, count); break;
    case 11: run1<T>(11, x, by, y, count); break;
    case 12: run1<T>(12, x, by, y, count); break;
    case 13: run1<T>(13, x, by, y, count); break;
    case 14: run1<T>(14, x, by, y, count); break;
    default: run1<T>(15, x, by, y, count);
  }
}

function binaryRun<T>(op: i32, a: usize, byA: usize, b: usize, byB: usize, y: usize, count: i32): void {
  switch (op) {
    case 0: run2<T>(0, a, byA, b, byB, y, count); break;
    case 1: run2<T>(1, a, byA, b, byB, y, count); break;
    case 2: run2<T>(2, a, byA, b, byB, y, count); break;
    case 3: run2<T>(3, a, byA, b, byB, y, count); break;
    case 4: run2<T>(4, a, byA, b, byB, y, count); break;
    case 5: run2<T>(5, a, byA, b, byB, y, count); break;
    case 6: run2<T>(6, a, byA, b, byB, y, count); break;
    case 7: run2<T>(7, a, byA, b, byB, y, count); break;
    case 8: run2<T>(8, a, byA, b, byB, y, count); break;
    case 9: run2<T>(9, a, byA, b, byB, y, count); break;
    default: run2<T>(10, a, byA, b, byB, y, count);
  }
}

/** Elements `begin … end` of `out = op(x)`; `integer` selects int32. */
export function unary(begin: i32, end: i32, scratch: usize, op: i32, integer: i32, x: usize, out: usize): void {
  for (let start = begin; start < end; start += CHUNK) {
    const count = min(CHUNK, end - start);
    const from = locate(x, start, count, scratch);
    const to = out + (<usize>start << 2);
    if (integer) unaryRun<i32>(op, from, step, to, count);
    else unaryRun<f32>(op, from, step, to, count);
  }
}

/** Elements `begin … end` of `out = op(a, b)`. */
export function binary(
  begin: i32, end: i32, scratch: usize, op: i32, integer: i32, a: usize, b: usize, out: usize,
): void {
  for (let start = begin; start < end; start += CHUNK) {
    const count = min(CHUNK, end - start);
    const fromA = locate(a, start, count, scratch);
    const byA = step;
    const fromB = locate(b, start, count, scratch + (CHUNK << 2));
    const byB = step;
    const to = out + (<usize>start << 2);
    if (integer) binaryRun<i32>(op, fromA, byA, fromB, byB, to, count);
    else binaryRun<f32>(op, fromA, byA, fromB, byB, to, count);
  }
}

@inline
function choose(integer: i32, c: v128, a: v128, b: v128): v128 {
  const zero = i32x4.splat(0);
  return integer ? v128.bitselect(b, a, i32x4.eq(c, zero)) : v128.bitselect(b, a, f32x4.eq(c, zero));
}

/** Elements `begin … end` of `out = condition ≠ 0 ? a : b`; `integer` tells the dtype of the condition. */
export function where(
  begin: i32, end: i32, scratch: usize, integer: i32, condition: usize, a: usize, b: usize, out: usize,
): void {
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
      v128.store(to, choose(integer, v128.load(c), v128.load(x), v128.load(z)));
      c += byC;
      x += byX;
      z += byZ;
      to += 16;
    }
    if (count & 3) storeLanes(to, choose(integer, v128.load(c), v128.load(x), v128.load(z)), count & 3);
  }
}
