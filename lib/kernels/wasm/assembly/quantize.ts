/** Fake quantization by one scale, and its straight-through gradients. Tensors are contiguous. */
import { loadLanes, storeLanes, sumLanes } from './simd';

/** Elements whose share of the scale gradient is summed apart; fixed, so that the sum does not depend on threads. */
const PART: i32 = 16384;
const BLOCK: i32 = 256;

/** round(x / s) to even, clipped; NaN stays NaN. */
@inline
function level(x: v128, s: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.div(x, s)), low), high);
}

/** Elements `begin … end` of `clip(round(x / scale), low, high)·scale`. */
export function fakeQuantize(
  begin: i32, end: i32, scratch: usize, x: usize, scale: usize, low: f32, high: f32, out: usize,
): void {
  const s = v128.load32_splat(scale);
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  const count = end - begin;
  x += <usize>begin << 2;
  let to = out + (<usize>begin << 2);
  const stop = to + (<usize>(count & ~3) << 2);
  while (to < stop) {
    v128.store(to, f32x4.mul(level(v128.load(x), s, l, h), s));
    x += 16;
    to += 16;
  }
  if (count & 3) storeLanes(to, f32x4.mul(level(v128.load(x), s, l, h), s), count & 3);
}

/** Parts `begin … end` (of 16384 elements) of the gradient to x; each part's share of the scale gradient as float64. */
export function fakeQuantizeGradient(
  begin: i32, end: i32, scratch: usize,
  g: usize, x: usize, scale: usize, low: f32, high: f32, count: i32, out: usize, parts: usize,
): void {
  const s = v128.load32_splat(scale);
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  for (let part = begin; part < end; part++) {
    let start = part * PART;
    const stop = min(start + PART, count);
    let total: f64 = 0;
    while (start < stop) {
      const n = min(BLOCK, stop - start);
      const at = <usize>start << 2;
      total += gradientRun(g + at, x + at, s, l, h, n, out + at);
      start += n;
    }
    store<f64>(parts + (<usize>part << 3), total);
  }
}

function gradientRun(g: usize, x: usize, s: v128, low: v128, high: v128, count: i32, to: usize): f64 {
  let sum = f32x4.splat(0);
  const stop = to + (<usize>(count & ~3) << 2);
  while (to < stop) {
    const v = v128.load(g);
    const t = f32x4.div(v128.load(x), s);
    const r = f32x4.nearest(t);
    const inside = v128.and(f32x4.ge(r, low), f32x4.le(r, high));
    const q = f32x4.pmin(f32x4.pmax(r, low), high);
    v128.store(to, v128.and(v, inside));
    sum = f32x4.add(sum, f32x4.mul(v, f32x4.sub(q, v128.and(t, inside))));
    g += 16;
    x += 16;
    to += 16;
  }
  const rest = count & 3;
  if (rest) {
    const v = loadLanes(g, rest);
    const t = f32x4.div(loadLanes(x, rest), s);
    const r = f32x4.nearest(t);
    const inside = v128.and(f32x4.ge(r, low), f32x4.le(r, high));
    const q = f32x4.pmin(f32x4.pmax(r, low), high);
    storeLanes(to, v128.and(v, inside), rest);
    sum = f32x4.add(sum, f32x4.mul(v, f32x4.sub(q, v128.and(t, inside))));
  }
  return sumLanes(sum);
}

/** Sum of `count` float64 parts, as one float. One unit. */
export function sumParts(begin: i32, end: i32, scratch: usize, parts: usize, count: i32, out: usize): void {
  let total: f64 = 0;
  for (let i: usize = 0; i < <usize>count; i++) total += load<f64>(parts + (i << 3));
  store<f32>(out, <f32>total);
}
