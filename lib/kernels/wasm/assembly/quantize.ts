/** Fake quantization by one scale, and its straight-through gradients. Tensors are contiguous. */
import { highDoubles, loadLanes, lowDoubles, storeLanes, sumDoubles } from './simd';

/** Elements whose share of the scale gradient is summed apart; fixed, so that the sum does not depend on threads. */
const PART: i32 = 16384;

/** round(max(x, floor) / s) to even, clipped; NaN stays NaN. */
@inline
export function level(x: v128, floor: v128, s: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.div(f32x4.pmax(x, floor), s)), low), high);
}

/** Elements `begin … end` of `clip(round(max(x, floor) / scale), low, high)·scale`; floor is 0 for a ReLU, else −∞. */
export function fakeQuantize(
  begin: i32, end: i32, scratch: usize, x: usize, scale: usize, floor: f32, low: f32, high: f32, out: usize,
): void {
  const f = f32x4.splat(floor);
  const s = v128.load32_splat(scale);
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  const count = end - begin;
  x += <usize>begin << 2;
  let to = out + (<usize>begin << 2);
  const stop = to + (<usize>(count & ~3) << 2);
  while (to < stop) {
    v128.store(to, f32x4.mul(level(v128.load(x), f, s, l, h), s));
    x += 16;
    to += 16;
  }
  if (count & 3) storeLanes(to, f32x4.mul(level(v128.load(x), f, s, l, h), s), count & 3);
}

/** Parts `begin … end` (of 16384 elements) of the gradient to x; each part's share of the scale gradient as float64. */
export function fakeQuantizeGradient(
  begin: i32, end: i32, scratch: usize,
  g: usize, x: usize, scale: usize, floor: f32, low: f32, high: f32, count: i32, out: usize, parts: usize,
): void {
  const f = f32x4.splat(floor);
  const s = v128.load32_splat(scale);
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  for (let part = begin; part < end; part++) {
    const at = <usize>(part * PART) << 2;
    const total = gradientRun(g + at, x + at, f, s, l, h, min(PART, count - part * PART), out + at);
    store<f64>(parts + (<usize>part << 3), total);
  }
}

function gradientRun(g: usize, x: usize, floor: v128, s: v128, low: v128, high: v128, count: i32, to: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  const stop = to + (<usize>(count & ~3) << 2);
  while (to < stop) {
    const v = v128.load(g);
    const u = v128.load(x);
    const t = f32x4.div(f32x4.pmax(u, floor), s);
    const r = f32x4.nearest(t);
    const inside = v128.and(f32x4.ge(r, low), f32x4.le(r, high));
    const q = f32x4.pmin(f32x4.pmax(r, low), high);
    v128.store(to, v128.and(v, v128.and(inside, f32x4.gt(u, floor))));
    const share = f32x4.mul(v, f32x4.sub(q, v128.and(t, inside)));
    s0 = f64x2.add(s0, lowDoubles(share));
    s1 = f64x2.add(s1, highDoubles(share));
    g += 16;
    x += 16;
    to += 16;
  }
  const rest = count & 3;
  if (rest) {
    const v = loadLanes(g, rest);
    const u = loadLanes(x, rest);
    const t = f32x4.div(f32x4.pmax(u, floor), s);
    const r = f32x4.nearest(t);
    const inside = v128.and(f32x4.ge(r, low), f32x4.le(r, high));
    const q = f32x4.pmin(f32x4.pmax(r, low), high);
    storeLanes(to, v128.and(v, v128.and(inside, f32x4.gt(u, floor))), rest);
    const share = f32x4.mul(v, f32x4.sub(q, v128.and(t, inside)));
    s0 = f64x2.add(s0, lowDoubles(share));
    s1 = f64x2.add(s1, highDoubles(share));
  }
  return sumDoubles(f64x2.add(s0, s1));
}
