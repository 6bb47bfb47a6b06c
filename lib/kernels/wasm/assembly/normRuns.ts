/** The loops of batch norm over one run of adjacent floats of a channel: see normalize.ts. */
import { NOTHING, RELU } from './blocking';
import { level } from './quantize';
import { storeLanes, sumLanes } from './simd';

/** Description of a call, written by the host. */
@unmanaged
export class Norm {
  x: usize = 0;
  g: usize = 0;
  weight: usize = 0;
  bias: usize = 0;
  /** One scale, where what follows is quantization. */
  scale: usize = 0;
  mean: usize = 0;
  variance: usize = 0;
  out: usize = 0;
  weightGradient: usize = 0;
  biasGradient: usize = 0;
  /** One float64 a channel. */
  scaleParts: usize = 0;
  images: i32 = 0;
  channels: i32 = 0;
  pixels: i32 = 0;
  gathers: i32 = 0;
  /** NOTHING, RELU or QUANTIZER. */
  activation: i32 = 0;
  epsilon: f32 = 0;
  /** Quantization: whether a ReLU comes first (only where the lower end is not above 0), and the ends of the grid. */
  rectifies: i32 = 0;
  low: f32 = 0;
  high: f32 = 0;
}

/** The norm of a run and what follows it. */
export function activate(n: Norm, x: usize, count: i32, mean: f32, gain: f32, bias: f32, to: usize): void {
  if (n.activation == NOTHING) affine(x, count, mean, gain, bias, to);
  else if (n.activation == RELU) rectify(x, count, mean, gain, bias, to);
  else quantize(n, x, count, mean, gain, bias, to);
}

/** `(x − m)·a + b`. */
@inline
function normalized(x: usize, m: v128, a: v128, b: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.sub(v128.load(x), m), a), b);
}

function affine(x: usize, count: i32, mean: f32, gain: f32, bias: f32, to: usize): void {
  const m = f32x4.splat(mean);
  const a = f32x4.splat(gain);
  const b = f32x4.splat(bias);
  for (const end = to + (<usize>(count & ~3) << 2); to < end; to += 16) {
    v128.store(to, normalized(x, m, a, b));
    x += 16;
  }
  if (count & 3) storeLanes(to, normalized(x, m, a, b), count & 3);
}

function rectify(x: usize, count: i32, mean: f32, gain: f32, bias: f32, to: usize): void {
  const m = f32x4.splat(mean);
  const a = f32x4.splat(gain);
  const b = f32x4.splat(bias);
  const zero = f32x4.splat(0);
  for (const end = to + (<usize>(count & ~3) << 2); to < end; to += 16) {
    v128.store(to, f32x4.add(f32x4.pmax(normalized(x, m, a, b), zero), zero));
    x += 16;
  }
  if (count & 3) storeLanes(to, f32x4.add(f32x4.pmax(normalized(x, m, a, b), zero), zero), count & 3);
}

function quantize(n: Norm, x: usize, count: i32, mean: f32, gain: f32, bias: f32, to: usize): void {
  const m = f32x4.splat(mean);
  const a = f32x4.splat(gain);
  const b = f32x4.splat(bias);
  const s = v128.load32_splat(n.scale);
  const floor = f32x4.splat(n.rectifies ? 0 : -Infinity);
  const low = f32x4.splat(n.low);
  const high = f32x4.splat(n.high);
  for (const end = to + (<usize>(count & ~3) << 2); to < end; to += 16) {
    v128.store(to, f32x4.mul(level(normalized(x, m, a, b), floor, s, low, high), s));
    x += 16;
  }
  if (count & 3) storeLanes(to, f32x4.mul(level(normalized(x, m, a, b), floor, s, low, high), s), count & 3);
}

/** Adds the lanes of two partial sums to the doubles at `to`. */
@inline
function addUp(to: usize, a: v128, b: v128): void {
  store<f64>(to, load<f64>(to) + sumLanes(a));
  store<f64>(to, load<f64>(to, 8) + sumLanes(b), 8);
}

/**
 * Adds the sums of one run of whole vectors to the doubles at `to`: Σ u and Σ u·(x − mean), u the gradient to the
 * normalised values, written to `out` where something follows the norm; and what the run adds to the scale's gradient.
 */
export function addRun(
  n: Norm, g: usize, x: usize, count: i32, mean: f32, gain: f32, bias: f32, out: usize, to: usize,
): void {
  if (n.activation == NOTHING) plainSums(g, x, count, mean, to);
  else if (n.activation == RELU) rectifiedSums(g, x, count, mean, gain, bias, out, to);
  else if (n.rectifies) rectifiedQuantizedSums(n, g, x, count, mean, gain, bias, out, to);
  else quantizedSums(n, g, x, count, mean, gain, bias, out, to);
}

function plainSums(g: usize, x: usize, count: i32, mean: f32, to: usize): void {
  const m = f32x4.splat(mean);
  let sum = f32x4.splat(0);
  let along = f32x4.splat(0);
  for (const end = x + (<usize>count << 2); x < end; x += 16) {
    const u = v128.load(g);
    sum = f32x4.add(sum, u);
    along = f32x4.add(along, f32x4.mul(u, f32x4.sub(v128.load(x), m)));
    g += 16;
  }
  addUp(to, sum, along);
}

function rectifiedSums(
  g: usize, x: usize, count: i32, mean: f32, gain: f32, bias: f32, out: usize, to: usize,
): void {
  const m = f32x4.splat(mean);
  const k = f32x4.splat(gain);
  const b = f32x4.splat(bias);
  let sum = f32x4.splat(0);
  let along = f32x4.splat(0);
  for (const end = x + (<usize>count << 2); x < end; x += 16) {
    const w = f32x4.sub(v128.load(x), m);
    const u = v128.and(v128.load(g), f32x4.gt(f32x4.add(f32x4.mul(w, k), b), f32x4.splat(0)));
    sum = f32x4.add(sum, u);
    along = f32x4.add(along, f32x4.mul(u, w));
    v128.store(out, u);
    g += 16;
    out += 16;
  }
  addUp(to, sum, along);
}

/**
 * The scale gets `Σ g·(q − y/s)` inside the grid, `Σ g·q` outside. With a ReLU first the lower end, which is not above
 * 0, has no effect, without one there is no floor: either way two constants less, so registers suffice.
 */
@inline
function quantizedRun(
  rectifies: bool, n: Norm, g: usize, x: usize, count: i32, mean: f32, gain: f32, bias: f32, out: usize, to: usize,
): void {
  const m = f32x4.splat(mean);
  const k = f32x4.splat(gain);
  const b = f32x4.splat(bias);
  const s = v128.load32_splat(n.scale);
  const least = f32x4.splat(rectifies ? 0 : n.low);
  const high = f32x4.splat(n.high);
  let sum = f32x4.splat(0);
  let along = f32x4.splat(0);
  let share = f32x4.splat(0);
  for (const end = x + (<usize>count << 2); x < end; x += 16) {
    const w = f32x4.sub(v128.load(x), m);
    const y = f32x4.add(f32x4.mul(w, k), b);
    const t = f32x4.div(rectifies ? f32x4.pmax(y, least) : y, s);
    const r = f32x4.nearest(t);
    const q = f32x4.pmin(rectifies ? r : f32x4.pmax(r, least), high);
    const inside = f32x4.eq(q, r);
    const v = v128.load(g);
    share = f32x4.add(share, f32x4.mul(v, f32x4.sub(q, v128.and(t, inside))));
    const u = v128.and(v, rectifies ? v128.and(inside, f32x4.gt(y, least)) : inside);
    sum = f32x4.add(sum, u);
    along = f32x4.add(along, f32x4.mul(u, w));
    v128.store(out, u);
    g += 16;
    out += 16;
  }
  addUp(to, sum, along);
  store<f64>(to, load<f64>(to, 16) + sumLanes(share), 16);
}

function quantizedSums(
  n: Norm, g: usize, x: usize, count: i32, mean: f32, gain: f32, bias: f32, out: usize, to: usize,
): void {
  quantizedRun(false, n, g, x, count, mean, gain, bias, out, to);
}

function rectifiedQuantizedSums(
  n: Norm, g: usize, x: usize, count: i32, mean: f32, gain: f32, bias: f32, out: usize, to: usize,
): void {
  quantizedRun(true, n, g, x, count, mean, gain, bias, out, to);
}

/** `gain·(g − shift − (x − mean)·slope)`, g the gradient to the normalised values. */
export function inputGradient(
  g: usize, x: usize, count: i32, mean: f32, gain: f32, shift: f32, slope: f32, to: usize,
): void {
  const m = f32x4.splat(mean);
  const k = f32x4.splat(gain);
  const off = f32x4.splat(shift);
  const along = f32x4.splat(slope);
  for (const end = to + (<usize>(count & ~3) << 2); to < end; to += 16) {
    const w = f32x4.mul(f32x4.sub(v128.load(x), m), along);
    v128.store(to, f32x4.mul(f32x4.sub(f32x4.sub(v128.load(g), off), w), k));
    g += 16;
    x += 16;
  }
  if (count & 3) {
    const w = f32x4.mul(f32x4.sub(v128.load(x), m), along);
    storeLanes(to, f32x4.mul(f32x4.sub(f32x4.sub(v128.load(g), off), w), k), count & 3);
  }
}
