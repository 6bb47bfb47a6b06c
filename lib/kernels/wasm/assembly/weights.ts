/**
 * Accumulator-aware weights (A2Q, A2Q+): every channel's weights centred, normalised to an l1 norm and put on their grid,
 * and the straight-through gradients of that. `w` is contiguous `[channels, length]`; vectors are `[channels]`.
 */
import { loadLanes, storeLanes, sumLanes } from './simd';

/** Sums are carried over to float64 that often, in floats. */
const BLOCK: i32 = 512;
const SMALLEST: f32 = 1e-10;

/** Up to four weights less their mean; lanes beyond the end are 0. */
@inline
function centred(w: usize, mean: v128, left: i32): v128 {
  if (left >= 4) return f32x4.sub(v128.load(w), mean);
  const inside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left));
  return v128.and(f32x4.sub(loadLanes(w, left), mean), inside);
}

@inline
function put(to: usize, v: v128, left: i32): void {
  if (left >= 4) v128.store(to, v);
  else storeLanes(to, v, left);
}

/** Mean of a channel. */
function meanOf(w: usize, length: i32): f32 {
  let total: f64 = 0;
  for (let at = 0; at < length; at += BLOCK) {
    const n = min(BLOCK, length - at);
    let sum = f32x4.splat(0);
    for (let i = 0; i < n; i += 4) {
      sum = f32x4.add(sum, centred(w + (<usize>(at + i) << 2), f32x4.splat(0), n - i));
    }
    total += sumLanes(sum);
  }
  return <f32>(total / <f64>length);
}

/** ‖w − mean‖₁ of a channel. */
function normOf(w: usize, mean: v128, length: i32): f32 {
  let total: f64 = 0;
  for (let at = 0; at < length; at += BLOCK) {
    const n = min(BLOCK, length - at);
    let sum = f32x4.splat(0);
    for (let i = 0; i < n; i += 4) sum = f32x4.add(sum, f32x4.abs(centred(w + (<usize>(at + i) << 2), mean, n - i)));
    total += sumLanes(sum);
  }
  return <f32>total;
}

/** Channels `begin … end` of `scale·clip(trunc((w − mean)/p), ±limit)`, `p = ‖w − mean‖₁ / norm`. */
export function boundWeights(
  begin: i32,
  end: i32,
  scratch: usize,
  w: usize,
  norm: usize,
  scale: usize,
  length: i32,
  limit: f32,
  isCentred: i32,
  out: usize,
): void {
  const high = f32x4.splat(limit);
  const low = f32x4.splat(-limit);
  for (let c = begin; c < end; c++) {
    const row = <usize>c * length * 4;
    const m = f32x4.splat(isCentred ? meanOf(w + row, length) : 0);
    const p = f32x4.splat(max(normOf(w + row, m, length) / load<f32>(norm + (<usize>c << 2)), SMALLEST));
    const s = v128.load32_splat(scale + (<usize>c << 2));
    for (let i = 0; i < length; i += 4) {
      const at = row + (<usize>i << 2);
      const q = f32x4.trunc(f32x4.div(centred(w + at, m, length - i), p));
      put(out + at, f32x4.mul(f32x4.pmin(f32x4.pmax(q, low), high), s), length - i);
    }
  }
}

/** Gradients of `boundWeights` to `w`, `norm` and `scale` for channels `begin … end`. */
export function boundWeightsGradient(
  begin: i32,
  end: i32,
  scratch: usize,
  g: usize,
  w: usize,
  norm: usize,
  scale: usize,
  length: i32,
  limit: f32,
  isCentred: i32,
  out: usize,
  normGradient: usize,
  scaleGradient: usize,
): void {
  const high = f32x4.splat(limit);
  const low = f32x4.splat(-limit);
  const one = f32x4.splat(1);
  for (let c = begin; c < end; c++) {
    const row = <usize>c * length * 4;
    const vector = <usize>c << 2;
    const mean = f32x4.splat(isCentred ? meanOf(w + row, length) : 0);
    const l1 = normOf(w + row, mean, length);
    const r = load<f32>(norm + vector);
    const pre = max(l1 / r, SMALLEST);
    const p = f32x4.splat(pre);
    const s = v128.load32_splat(scale + vector);
    let toScale: f64 = 0;
    let toPre: f64 = 0;
    let flow: f64 = 0;
    let signs: f64 = 0;
    for (let at = 0; at < length; at += BLOCK) {
      const n = min(BLOCK, length - at);
      let a = f32x4.splat(0);
      let b = f32x4.splat(0);
      let d = f32x4.splat(0);
      let e = f32x4.splat(0);
      for (let i = 0; i < n; i += 4) {
        const here = row + (<usize>(at + i) << 2);
        const v = centred(w + here, mean, n - i);
        const u = f32x4.div(v, p);
        const t = f32x4.trunc(u);
        const gradient = n - i >= 4 ? v128.load(g + here) : loadLanes(g + here, n - i);
        const q = f32x4.pmin(f32x4.pmax(t, low), high);
        const passed = v128.and(f32x4.mul(gradient, s), f32x4.le(f32x4.abs(t), high));
        a = f32x4.add(a, f32x4.mul(gradient, q));
        b = f32x4.add(b, f32x4.mul(passed, u));
        d = f32x4.add(d, passed);
        e = f32x4.add(e, signOf(v, one));
      }
      toScale += sumLanes(a);
      toPre -= sumLanes(b);
      flow += sumLanes(d);
      signs += sumLanes(e);
    }
    toPre /= <f64>pre;
    const toNorm = toPre / <f64>r;
    store<f32>(scaleGradient + vector, <f32>toScale);
    store<f32>(normGradient + vector, <f32>((-toPre * <f64>l1) / (<f64>r * <f64>r)));
    const shift = isCentred ? (flow / <f64>pre + signs * toNorm) / <f64>length : 0;
    writeGradient(g + row, w + row, mean, p, s, high, f32x4.splat(<f32>toNorm), f32x4.splat(<f32>shift), length, out + row);
  }
}

/** −1, 0 or 1. */
@inline
function signOf(v: v128, one: v128): v128 {
  const zero = f32x4.splat(0);
  return f32x4.sub(v128.and(f32x4.gt(v, zero), one), v128.and(f32x4.lt(v, zero), one));
}

/** `passed/p + sign(v)·toNorm − shift`. */
function writeGradient(
  g: usize,
  w: usize,
  mean: v128,
  p: v128,
  s: v128,
  high: v128,
  toNorm: v128,
  shift: v128,
  length: i32,
  out: usize,
): void {
  const one = f32x4.splat(1);
  for (let i = 0; i < length; i += 4) {
    const at = <usize>i << 2;
    const v = centred(w + at, mean, length - i);
    const t = f32x4.trunc(f32x4.div(v, p));
    const gradient = length - i >= 4 ? v128.load(g + at) : loadLanes(g + at, length - i);
    const passed = v128.and(f32x4.mul(gradient, s), f32x4.le(f32x4.abs(t), high));
    const own = f32x4.add(f32x4.div(passed, p), f32x4.mul(signOf(v, one), toNorm));
    put(out + at, f32x4.sub(own, shift), length - i);
  }
}
