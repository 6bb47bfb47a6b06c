/** Fake quantization by one scale, and its straight-through gradients. Tensors are contiguous. */
import { PART } from './blocking';
import { firstLanes, storeLanes, sumLanes } from './simd';

/** Elements summed in float32 before they join a float64 total. */
const RUN: i32 = 512;

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

/** Parts `begin … end` (of PART elements) of the gradient to x; each part's share of the scale gradient as float64. */
export function fakeQuantizeGradient(
  begin: i32, end: i32, scratch: usize,
  g: usize, x: usize, scale: usize, floor: f32, low: f32, high: f32, count: i32, out: usize, parts: usize,
): void {
  const f = f32x4.splat(floor);
  const s = v128.load32_splat(scale);
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  for (let part = begin; part < end; part++) {
    const stop = min((part + 1) * PART, count);
    let total: f64 = 0;
    for (let start = part * PART; start < stop; start += RUN) {
      const at = <usize>start << 2;
      total += gradientRun(g + at, x + at, f, s, l, h, min(RUN, stop - start), out + at);
    }
    store<f64>(parts + (<usize>part << 3), total);
  }
}

/** One run: writes the gradient to x, returns what the run adds to that of the scale. */
function gradientRun(g: usize, x: usize, floor: v128, s: v128, low: v128, high: v128, count: i32, to: usize): f64 {
  let share = f32x4.splat(0);
  for (const stop = to + (<usize>(count & ~3) << 2); to < stop; to += 16) {
    const v = v128.load(g);
    const u = v128.load(x);
    const t = f32x4.div(f32x4.pmax(u, floor), s);
    const r = f32x4.nearest(t);
    const q = f32x4.pmin(f32x4.pmax(r, low), high);
    const inside = f32x4.eq(q, r);
    v128.store(to, v128.and(v, v128.and(inside, f32x4.gt(u, floor))));
    share = f32x4.add(share, f32x4.mul(v, f32x4.sub(q, v128.and(t, inside))));
    g += 16;
    x += 16;
  }
  if (count & 3) {
    const v = v128.and(v128.load(g), firstLanes(count & 3));
    const u = v128.and(v128.load(x), firstLanes(count & 3));
    const t = f32x4.div(f32x4.pmax(u, floor), s);
    const r = f32x4.nearest(t);
    const q = f32x4.pmin(f32x4.pmax(r, low), high);
    const inside = f32x4.eq(q, r);
    storeLanes(to, v128.and(v, v128.and(inside, f32x4.gt(u, floor))), count & 3);
    share = f32x4.add(share, f32x4.mul(v, f32x4.sub(q, v128.and(t, inside))));
  }
  return sumLanes(share);
}
