/**
 * Batch norm in training with what follows it (nothing, a ReLU, quantization), forward and backward, a channel at a
 * time so that a channel is read from memory once. Tensors are contiguous `[images, channels, pixels]`, vectors
 * `[channels]`. Channels of small planes are gathered first: then every pass is one long run.
 */
import { NOTHING, QUANTIZER } from './blocking';
import { activate, addRun, inputGradient, Norm } from './normRuns';
import { firstLanes, storeLanes } from './simd';
import { squaresOf, sumOf } from './sums';

/** Floats whose gradients are summed in float32 before they join float64 totals. */
const RUN: i32 = 512;

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

/** The first run of channel `c` of a tensor: in place, or gathered into `buffer`, which ends 16 bytes after it. */
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

/** Channels `begin … end`: mean, biased variance, and the activated norm. Scratch: a channel, if gathered. */
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

/**
 * Gradients for channels `begin … end`. Scratch: 64 bytes, and two channels where channels are gathered. A first pass
 * writes the gradient to the normalised values and sums it, a second turns it into that to x.
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
    if (n.activation == QUANTIZER) store<f64>(n.scaleParts + (<usize>c << 3), load<f64>(scratch, 16));
    const shift = <f32>(toBias / count);
    const slope = <f32>((toWeight / count) * rstd);
    for (let i = 0; i < runs; i++) {
      const here = i * stride;
      inputGradient(g + here, x + here, length, mean, gain, shift, slope, to + here);
    }
    close(n, c, to);
  }
}
