/**
 * Sums of adjacent floats: float32 in 16 lanes for `RUN`, then float64; error at most 2e-6 of Σ|terms|, usually 1e-7.
 */
import { firstLanes, sumLanes } from './simd';

const RUN: i32 = 512;

@inline
function term(op: i32, v: v128, m: v128): v128 {
  const d = f32x4.sub(v, m);
  if (op == 0) return d;
  if (op == 1) return f32x4.abs(d);
  return f32x4.mul(d, d);
}

@inline
function total(op: i32, x: usize, centre: f32, count: i32): f64 {
  const m = f32x4.splat(centre);
  let sum: f64 = 0;
  while (count > 0) {
    const n = min(RUN, count);
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    let d = f32x4.splat(0);
    const blocks = x + (<usize>(n & ~15) << 2);
    const vectors = x + (<usize>(n & ~3) << 2);
    while (x < blocks) {
      a = f32x4.add(a, term(op, v128.load(x), m));
      b = f32x4.add(b, term(op, v128.load(x, 16), m));
      c = f32x4.add(c, term(op, v128.load(x, 32), m));
      d = f32x4.add(d, term(op, v128.load(x, 48), m));
      x += 64;
    }
    while (x < vectors) {
      a = f32x4.add(a, term(op, v128.load(x), m));
      x += 16;
    }
    if (n & 3) b = f32x4.add(b, v128.and(term(op, v128.load(x), m), firstLanes(n & 3)));
    sum += sumLanes(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
    count -= n;
  }
  return sum;
}

/** Σ (x − centre). */
export function sumOf(x: usize, centre: f32, count: i32): f64 {
  return total(0, x, centre, count);
}

/** Σ |x − centre|. */
export function absolutesOf(x: usize, centre: f32, count: i32): f64 {
  return total(1, x, centre, count);
}

/** Σ (x − centre)². */
export function squaresOf(x: usize, centre: f32, count: i32): f64 {
  return total(2, x, centre, count);
}
