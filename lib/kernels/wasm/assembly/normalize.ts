/**
 * Batch norm in training with what follows it (nothing, a ReLU, quantization), forward and backward, a channel at a time so
 * that a channel is read from memory once. Tensors are contiguous `[images, channels, pixels]`, vectors `[channels]`.
 * Channels of small planes are gathered first: then every pass is one long run.
 */
import { level } from './quantize';
import { firstLanes, storeLanes, sumLanes } from './simd';
import { squaresOf, sumOf } from './sums';

/** Floats whose gradients are summed in float32 before they join float64 totals. */
const RUN: i32 = 512;

/** What follows the norm. */
const NOTHING: i32 = 0;
const RELU: i32 = 1;

/** Description of a call, written by the host. */
@unmanaged
class Norm {
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
  activation: i32 = 0;
  epsilon: f32 = 0;
  /** Quantization: whether a ReLU comes first (only where the lower end is not above 0), and the ends of the grid. */
  rectifies: i32 = 0;
  low: f32 = 0;
  high: f32 = 0;
}

/** Adjacent floats of one channel: how many runs, how long, how far apart. */
@inline
function runsOf(n: Norm): i32 {
  return n.gathers ? 1 : n.images;
}

@inline
function runLength(n: Norm): i32 {
  return n.gathers ? n.images * n.pixels : n.pixels;
}

@inline
function imageBytes(n: Norm): usize {
  return (<usize>n.channels * n.pixels) << 2;
}

/** The first run of channel `c` of a tensor: in place, or gathered into `buffer`, which ends 16 bytes after the channel. */
function open(n: Norm, tensor: usize, c: i32, buffer: usize): usize {
  const bytes = <usize>n.pixels << 2;
  const stride = imageBytes(n);
  let from = tensor + c * bytes;
  if (!n.gathers) return from;
  let to = buffer;
  for (let i = 0; i < n.images; i++) {
    for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, v128.load(from + at));
    from += stride;
    to += bytes;
  }
  return buffer;
}

/** Where channel `c` of the result is computed: in place, or in `buffer`. */
@inline
function target(n: Norm, c: i32, buffer: usize): usize {
  return n.gathers ? buffer : n.out + ((<usize>c * n.pixels) << 2);
}

/** Brings a channel computed in `buffer` to its place. */
function close(n: Norm, c: i32, buffer: usize): void {
  if (!n.gathers) return;
  const bytes = <usize>n.pixels << 2;
  const whole = bytes & ~15;
  const stride = imageBytes(n);
  let to = n.out + c * bytes;
  for (let i = 0; i < n.images; i++) {
    for (let at: usize = 0; at < whole; at += 16) v128.store(to + at, v128.load(buffer + at));
    if (n.pixels & 3) storeLanes(to + whole, v128.load(buffer + whole), n.pixels & 3);
    buffer += bytes;
    to += stride;
  }
}

/** γ/√(variance + ε) of a channel, as a float. */
@inline
function gainOf(n: Norm, at: usize): f32 {
  return load<f32>(n.weight + at) * (<f32>1 / sqrt<f32>(load<f32>(n.variance + at) + n.epsilon));
}

/** Channels `begin … end`: mean, biased variance, and the activated norm. Scratch: a channel, where channels are gathered. */
export function normActivate(begin: i32, end: i32, scratch: usize, norm: usize): void {
  const n = changetype<Norm>(norm);
  const stride = imageBytes(n);
  const runs = runsOf(n);
  const length = runLength(n);
  const count = <f64>n.images * <f64>n.pixels;
  for (let c = begin; c < end; c++) {
    const at = <usize>c << 2;
    const from = open(n, n.x, c, scratch);
    // Sums are taken around the first value, so that a large mean costs no digits.
    const origin = load<f32>(from);
    let total: f64 = 0;
    for (let i = 0; i < runs; i++) total += sumOf(from + i * stride, origin, length);
    const exact = <f64>origin + total / count;
    const mean = <f32>exact;
    let squares: f64 = 0;
    for (let i = 0; i < runs; i++) squares += squaresOf(from + i * stride, mean, length);
    const off = exact - <f64>mean;
    store<f32>(n.mean + at, mean);
    store<f32>(n.variance + at, <f32>max<f64>(squares / count - off * off, 0));
    const gain = gainOf(n, at);
    const to = target(n, c, scratch);
    for (let i = 0; i < runs; i++) {
      activate(n, from + i * stride, length, mean, gain, load<f32>(n.bias + at), to + i * stride);
    }
    close(n, c, scratch);
  }
}

function activate(n: Norm, x: usize, count: i32, mean: f32, gain: f32, bias: f32, to: usize): void {
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

/**
 * Gradients for channels `begin … end`. Scratch: 64 bytes, and two channels where channels are gathered. A first pass writes
 * the gradient to the normalised values and sums it, a second turns it into that to x.
 */
export function normActivateGradient(begin: i32, end: i32, scratch: usize, norm: usize): void {
  const n = changetype<Norm>(norm);
  const stride = imageBytes(n);
  const runs = runsOf(n);
  const length = runLength(n);
  const count = <f64>n.images * <f64>n.pixels;
  const buffer = scratch + 64;
  for (let c = begin; c < end; c++) {
    const at = <usize>c << 2;
    const x = open(n, n.x, c, buffer);
    let g = open(n, n.g, c, buffer + ((<usize>length << 2) + 16));
    const to = target(n, c, g);
    const mean = load<f32>(n.mean + at);
    const gain = gainOf(n, at);
    const bias = load<f32>(n.bias + at);
    v128.store(scratch, i32x4.splat(0));
    v128.store(scratch, i32x4.splat(0), 16);
    const whole = length & ~3;
    for (let i = 0; i < runs; i++) {
      const run = i * stride;
      for (let start = 0; start < whole; start += RUN) {
        const here = run + (<usize>start << 2);
        addRun(n, g + here, x + here, min(RUN, whole - start), mean, gain, bias, to + here, scratch);
      }
      if (whole == length) continue;
      const here = run + (<usize>whole << 2);
      const rest = length & 3;
      v128.store(scratch + 32, v128.and(v128.load(g + here), firstLanes(rest)));
      v128.store(scratch + 48, v128.and(v128.load(x + here), firstLanes(rest)));
      addRun(n, scratch + 32, scratch + 48, 4, mean, gain, bias, scratch + 32, scratch);
      if (n.activation != NOTHING) storeLanes(to + here, v128.load(scratch + 32), rest);
    }
    if (n.activation != NOTHING) g = to;
    const rstd = 1 / Math.sqrt(<f64>load<f32>(n.variance + at) + <f64>n.epsilon);
    const toBias = load<f64>(scratch);
    const toWeight = load<f64>(scratch, 8) * rstd;
    store<f32>(n.biasGradient + at, <f32>toBias);
    store<f32>(n.weightGradient + at, <f32>toWeight);
    if (n.activation > RELU) store<f64>(n.scaleParts + (<usize>c << 3), load<f64>(scratch, 16));
    const shift = <f32>(toBias / count);
    const slope = <f32>((toWeight / count) * rstd);
    for (let i = 0; i < runs; i++) {
      const here = i * stride;
      inputGradient(g + here, x + here, length, mean, gain, shift, slope, to + here);
    }
    close(n, c, to);
  }
}

/** Adds the lanes of two partial sums to the doubles at `to`. */
@inline
function addUp(to: usize, a: v128, b: v128): void {
  store<f64>(to, load<f64>(to) + sumLanes(a));
  store<f64>(to, load<f64>(to, 8) + sumLanes(b), 8);
}

/**
 * Adds the sums of one run of whole vectors to the doubles at `to`: Σ u and Σ u·(x − mean), u the gradient to the normalised
 * values, which is written to `out` where something follows the norm; and what the run adds to the gradient of the scale.
 */
function addRun(
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
 * The scale gets `Σ g·(q − y/s)` inside the grid, `Σ g·q` outside. With a ReLU first the lower end, which is not above 0, has
 * no effect, without one there is no floor: either way two constants less than in general, so that registers suffice.
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
function inputGradient(
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
