/**
 * Batch norm. Tensors are contiguous `[images, channels, pixels]`; vectors are contiguous `[channels]`. Statistics are summed
 * in float64, the variance in a second pass around the mean.
 */
import { sumRun } from './reduce';
import { highDoubles, lowDoubles, storeLanes, sumDoubles } from './simd';

/** Σ (x − mean)² of `count` adjacent floats, in float64. */
function squaresRun(x: usize, mean: f32, count: i32): f64 {
  const m = f32x4.splat(mean);
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  const whole = x + (<usize>(count & ~3) << 2);
  while (x < whole) {
    const d = f32x4.sub(v128.load(x), m);
    const low = lowDoubles(d);
    const high = highDoubles(d);
    s0 = f64x2.add(s0, f64x2.mul(low, low));
    s1 = f64x2.add(s1, f64x2.mul(high, high));
    x += 16;
  }
  let total = sumDoubles(f64x2.add(s0, s1));
  for (const end = x + (<usize>(count & 3) << 2); x < end; x += 4) {
    const d = <f64>(load<f32>(x) - mean);
    total += d * d;
  }
  return total;
}

/** Mean and biased variance of channels `begin … end`. */
export function channelStats(
  begin: i32,
  end: i32,
  scratch: usize,
  x: usize,
  images: i32,
  channels: i32,
  pixels: i32,
  mean: usize,
  variance: usize,
): void {
  const stride = <usize>channels * pixels * 4;
  for (let c = begin; c < end; c++) {
    const first = x + ((<usize>c * pixels) << 2);
    const n = <f64>images * <f64>pixels;
    let total: f64 = 0;
    for (let i = 0; i < images; i++) total += sumRun(first + i * stride, pixels);
    const exact = total / n;
    const m = <f32>exact;
    let squares: f64 = 0;
    for (let i = 0; i < images; i++) squares += squaresRun(first + i * stride, m, pixels);
    const shift = exact - <f64>m;
    store<f32>(mean + ((<usize>c) << 2), m);
    store<f32>(variance + ((<usize>c) << 2), <f32>(squares / n - shift * shift));
  }
}

/** `(x − mean)·scale + shift` on planes `begin … end` (image × channel). */
export function channelAffine(
  begin: i32,
  end: i32,
  scratch: usize,
  x: usize,
  mean: usize,
  scale: usize,
  shift: usize,
  channels: i32,
  pixels: i32,
  out: usize,
): void {
  for (let plane = begin; plane < end; plane++) {
    const c = (<usize>(plane % channels)) << 2;
    const m = v128.load32_splat(mean + c);
    const a = v128.load32_splat(scale + c);
    const b = v128.load32_splat(shift + c);
    let from = x + ((<usize>plane * pixels) << 2);
    let to = out + ((<usize>plane * pixels) << 2);
    const stop = to + ((<usize>(pixels & ~3)) << 2);
    while (to < stop) {
      v128.store(to, f32x4.add(f32x4.mul(f32x4.sub(v128.load(from), m), a), b));
      from += 16;
      to += 16;
    }
    if (pixels & 3) {
      storeLanes(to, f32x4.add(f32x4.mul(f32x4.sub(v128.load(from), m), a), b), pixels & 3);
    }
  }
}

/** Adds Σ g and Σ g·(x − mean) of `count` adjacent floats to the two doubles at `to`. */
function gradientRun(g: usize, x: usize, mean: f32, count: i32, to: usize): void {
  const m = f32x4.splat(mean);
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let t0 = f64x2.splat(0);
  let t1 = f64x2.splat(0);
  const whole = x + (<usize>(count & ~3) << 2);
  while (x < whole) {
    const v = v128.load(g);
    const product = f32x4.mul(v, f32x4.sub(v128.load(x), m));
    s0 = f64x2.add(s0, lowDoubles(v));
    s1 = f64x2.add(s1, highDoubles(v));
    t0 = f64x2.add(t0, lowDoubles(product));
    t1 = f64x2.add(t1, highDoubles(product));
    x += 16;
    g += 16;
  }
  let sum = sumDoubles(f64x2.add(s0, s1));
  let product = sumDoubles(f64x2.add(t0, t1));
  for (const end = x + (<usize>(count & 3) << 2); x < end; x += 4) {
    sum += load<f32>(g);
    product += load<f32>(g) * (load<f32>(x) - mean);
    g += 4;
  }
  store<f64>(to, load<f64>(to) + sum);
  store<f64>(to, load<f64>(to, 8) + product, 8);
}

/** All three gradients of batch norm for channels `begin … end`. Scratch: 16 bytes. */
export function batchNormGradient(
  begin: i32,
  end: i32,
  scratch: usize,
  g: usize,
  x: usize,
  mean: usize,
  rstd: usize,
  weight: usize,
  images: i32,
  channels: i32,
  pixels: i32,
  out: usize,
  weightGradient: usize,
  biasGradient: usize,
): void {
  const stride = <usize>channels * pixels * 4;
  for (let c = begin; c < end; c++) {
    const at = (<usize>c) << 2;
    const first = (<usize>c * pixels) << 2;
    const m = load<f32>(mean + at);
    const r = <f64>load<f32>(rstd + at);
    store<f64>(scratch, 0);
    store<f64>(scratch, 0, 8);
    for (let i = 0; i < images; i++) gradientRun(g + first + i * stride, x + first + i * stride, m, pixels, scratch);
    const bias = load<f64>(scratch);
    const scaled = load<f64>(scratch, 8) * r;
    store<f32>(biasGradient + at, <f32>bias);
    store<f32>(weightGradient + at, <f32>scaled);
    const n = <f64>images * <f64>pixels;
    const factor = <f64>load<f32>(weight + at) * r;
    const shift = f32x4.splat(<f32>(bias / n));
    const slope = f32x4.splat(<f32>((scaled / n) * r));
    const gain = f32x4.splat(<f32>factor);
    const centre = f32x4.splat(m);
    for (let i = 0; i < images; i++) {
      const offset = first + i * stride;
      planeGradient(g + offset, x + offset, shift, slope, gain, centre, pixels, out + offset);
    }
  }
}

/** gain·(g − shift − (x − centre)·slope). */
function planeGradient(
  g: usize,
  x: usize,
  shift: v128,
  slope: v128,
  gain: v128,
  centre: v128,
  count: i32,
  to: usize,
): void {
  const stop = to + ((<usize>(count & ~3)) << 2);
  while (to < stop) {
    const d = f32x4.mul(f32x4.sub(v128.load(x), centre), slope);
    v128.store(to, f32x4.mul(f32x4.sub(f32x4.sub(v128.load(g), shift), d), gain));
    g += 16;
    x += 16;
    to += 16;
  }
  if (count & 3) {
    const d = f32x4.mul(f32x4.sub(v128.load(x), centre), slope);
    storeLanes(to, f32x4.mul(f32x4.sub(f32x4.sub(v128.load(g), shift), d), gain), count & 3);
  }
}
