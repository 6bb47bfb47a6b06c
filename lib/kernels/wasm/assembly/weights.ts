/**
 * Accumulator-aware weights (A2Q, A2Q+), a channel at a time: parameters `d` and `t` become the scale s = 2^d and the
 * norm g = 2^t, the weights are centred, normalised to the l1 norm r = min(g/s, T) and put on their grid. And the
 * straight-through gradients of that. `w` is contiguous `[channels, length]`; vectors are `[channels]`.
 */
import { fits, fitRow } from './accumulator';
import { exp2Of } from './math';
import { firstLanes, storeLanes, storeUpTo, sumLanes } from './simd';
import { absolutesOf, sumOf } from './sums';

/** Floats whose gradients are summed in float32 before they join float64 totals. */
const RUN: i32 = 512;
const SMALLEST: f32 = 1e-10;
/** Sums of integers below this are exact in float32, and stay above it once they were. */
const EXACT: f32 = 16777216;
const LN2: f64 = 0.6931471805599453;

/** 2^x, as the elementwise kernel has it. */
function power(x: f32): f32 {
  return f32x4.extract_lane(exp2Of(f32x4.splat(x)), 0);
}

/** What a channel's weights are normalised with. */
@unmanaged
class Channel {
  /** 2^d and 2^t. */
  stepPower: f32 = 0;
  normPower: f32 = 0;
  /** s and g / s. */
  scale: f32 = 0;
  ratio: f32 = 0;
  /** r, the l1 norm wanted on the grid. */
  norm: f32 = 0;
  mean: f32 = 0;
  /** ‖v‖₁ and the pre-scale p = ‖v‖₁ / r. */
  l1: f32 = 0;
  preScale: f32 = 0;
  /** α and b: sums of the positive and of the |negative| integers. */
  positives: f32 = 0;
  negatives: f32 = 0;
}

/** Works out a channel's numbers, in memory at `at`. */
function prepare(at: usize, w: usize, length: i32, d: f32, t: f32, budget: f32, isCentred: i32): Channel {
  const c = changetype<Channel>(at);
  c.stepPower = power(d);
  c.normPower = power(t);
  c.scale = max(c.stepPower, SMALLEST);
  c.ratio = max(c.normPower, SMALLEST) / c.scale;
  c.norm = min(c.ratio, budget);
  c.mean = isCentred ? <f32>(sumOf(w, 0, length) / <f64>length) : 0;
  c.l1 = <f32>absolutesOf(w, c.mean, length);
  c.preScale = max(c.l1 / c.norm, SMALLEST);
  return c;
}

/** Channels `begin … end` of `s·fit(clip(trunc(v/p), ±limit))`. Scratch: 64 bytes. */
export function a2qWeights(
  begin: i32, end: i32, scratch: usize, w: usize, d: usize, t: usize, length: i32, limit: f32, budget: f32,
  isCentred: i32, bits: i32, low: i32, high: i32, out: usize,
): void {
  for (let i = begin; i < end; i++) {
    const row = (<usize>i * length) << 2;
    const vector = <usize>i << 2;
    const c = prepare(scratch, w + row, length, load<f32>(d + vector), load<f32>(t + vector), budget, isCentred);
    quantizeRow(w + row, length, c, limit, c.scale, out + row);
    const isExact = max(c.positives, c.negatives) < EXACT;
    if (isExact && fits(c.positives, c.negatives, bits, low, high)) continue;
    quantizeRow(w + row, length, c, limit, 1, out + row);
    fitRow(out + row, length, bits, low, high);
    scaleRow(out + row, length, c.scale);
  }
}

/** A row's integers times `scale`, and their sums, where a NaN counts as 0. */
function quantizeRow(w: usize, length: i32, c: Channel, limit: f32, scale: f32, to: usize): void {
  const m = f32x4.splat(c.mean);
  const p = f32x4.splat(c.preScale);
  const high = f32x4.splat(limit);
  const low = f32x4.splat(-limit);
  const s = f32x4.splat(scale);
  const zero = f32x4.splat(0);
  let positives = zero;
  let negatives = zero;
  for (const end = w + (<usize>(length & ~3) << 2); w < end; w += 16) {
    const q = integersOf(v128.load(w), m, p, low, high);
    positives = f32x4.add(positives, f32x4.pmax(zero, q));
    negatives = f32x4.sub(negatives, f32x4.pmin(zero, q));
    v128.store(to, f32x4.mul(q, s));
    to += 16;
  }
  if (length & 3) {
    const q = v128.and(integersOf(v128.load(w), m, p, low, high), firstLanes(length & 3));
    positives = f32x4.add(positives, f32x4.pmax(zero, q));
    negatives = f32x4.sub(negatives, f32x4.pmin(zero, q));
    storeLanes(to, f32x4.mul(q, s), length & 3);
  }
  c.positives = <f32>sumLanes(positives);
  c.negatives = <f32>sumLanes(negatives);
}

/** `clip(trunc((w − m)/p), low, high)`. */
@inline
function integersOf(w: v128, m: v128, p: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(f32x4.trunc(f32x4.div(f32x4.sub(w, m), p)), low), high);
}

function scaleRow(x: usize, length: i32, scale: f32): void {
  for (const end = x + (<usize>length << 2); x < end; x += 4) store<f32>(x, load<f32>(x) * scale);
}

/** Gradients of `a2qWeights` to `w`, `d` and `t` for channels `begin … end`. Scratch: 128 bytes. */
export function a2qWeightsGradient(
  begin: i32, end: i32, scratch: usize, g: usize, w: usize, d: usize, t: usize, length: i32, limit: f32, budget: f32,
  isCentred: i32, out: usize, dGradient: usize, tGradient: usize,
): void {
  const sums = scratch + 64;
  for (let i = begin; i < end; i++) {
    const row = (<usize>i * length) << 2;
    const vector = <usize>i << 2;
    const c = prepare(scratch, w + row, length, load<f32>(d + vector), load<f32>(t + vector), budget, isCentred);
    const bound = firstBlocked(c.preScale, limit);
    let onGrid: f64 = 0;
    let along: f64 = 0;
    let flow: f64 = 0;
    let signs: i32 = 0;
    for (let at = 0; at < length; at += RUN) {
      const here = row + (<usize>at << 2);
      signs += sumRun(g + here, w + here, min(RUN, length - at), c.mean, c.preScale, limit, bound, sums);
      onGrid += sumLanes(v128.load(sums));
      along += sumLanes(v128.load(sums, 16));
      flow += sumLanes(v128.load(sums, 32));
    }
    const s = <f64>c.scale;
    const p = <f64>c.preScale;
    const r = <f64>c.norm;
    const toPre = (-along * s) / (p * p);
    const toL1 = toPre / r;
    const gain = <f32>(s / p);
    const shift = isCentred ? (flow * <f64>gain + <f64>signs * toL1) / <f64>length : 0;
    writeRow(g + row, w + row, length, c.mean, bound, gain, <f32>toL1, <f32>shift, out + row);
    const toRatio = c.ratio <= budget ? (-toPre * <f64>c.l1) / (r * r) : 0;
    const toScale = onGrid - (toRatio * <f64>c.ratio) / s;
    store<f32>(dGradient + vector, <f32>(toScale * <f64>c.stepPower * LN2));
    store<f32>(tGradient + vector, <f32>((toRatio / s) * <f64>c.normPower * LN2));
  }
}

/** The smallest |v| whose quotient v/p, truncated, is beyond the limit: from there on the clip blocks. */
function firstBlocked(p: f32, limit: f32): f32 {
  let bits = reinterpret<i32>((limit + 1) * p);
  while (Mathf.trunc(reinterpret<f32>(bits) / p) > limit) bits--;
  while (Mathf.trunc(reinterpret<f32>(bits) / p) <= limit) bits++;
  return reinterpret<f32>(bits);
}

/** Stores Σ g·q, Σ g·v and Σ g of one run as four lanes each, the last two where the clip passes; returns Σ sign(v). */
function sumRun(g: usize, w: usize, count: i32, mean: f32, preScale: f32, limit: f32, bound: f32, to: usize): i32 {
  const m = f32x4.splat(mean);
  const p = f32x4.splat(preScale);
  const high = f32x4.splat(limit);
  const low = f32x4.splat(-limit);
  const beyond = f32x4.splat(bound);
  let onGrid = f32x4.splat(0);
  let along = f32x4.splat(0);
  let flow = f32x4.splat(0);
  let signs = i32x4.splat(0);
  for (const end = w + (<usize>(count & ~3) << 2); w < end; w += 16) {
    const v = f32x4.sub(v128.load(w), m);
    const gradient = v128.load(g);
    const q = f32x4.pmin(f32x4.pmax(f32x4.trunc(f32x4.div(v, p)), low), high);
    const passed = v128.and(gradient, f32x4.lt(f32x4.abs(v), beyond));
    onGrid = f32x4.add(onGrid, f32x4.mul(gradient, q));
    along = f32x4.add(along, f32x4.mul(passed, v));
    flow = f32x4.add(flow, passed);
    signs = i32x4.add(signs, i32x4.sub(f32x4.lt(v, f32x4.splat(0)), f32x4.gt(v, f32x4.splat(0))));
    g += 16;
  }
  if (count & 3) {
    const inside = firstLanes(count & 3);
    const v = v128.and(f32x4.sub(v128.load(w), m), inside);
    const gradient = v128.and(v128.load(g), inside);
    const q = f32x4.pmin(f32x4.pmax(f32x4.trunc(f32x4.div(v, p)), low), high);
    const passed = v128.and(gradient, f32x4.lt(f32x4.abs(v), beyond));
    onGrid = f32x4.add(onGrid, f32x4.mul(gradient, q));
    along = f32x4.add(along, f32x4.mul(passed, v));
    flow = f32x4.add(flow, passed);
    signs = i32x4.add(signs, i32x4.sub(f32x4.lt(v, f32x4.splat(0)), f32x4.gt(v, f32x4.splat(0))));
  }
  v128.store(to, onGrid);
  v128.store(to, along, 16);
  v128.store(to, flow, 32);
  return (
    i32x4.extract_lane(signs, 0) + i32x4.extract_lane(signs, 1) +
    i32x4.extract_lane(signs, 2) + i32x4.extract_lane(signs, 3)
  );
}

/** `g·gain` where the clip passes, plus `sign(v)·toL1`, less `shift`. */
function writeRow(
  g: usize, w: usize, length: i32, mean: f32, bound: f32, gain: f32, toL1: f32, shift: f32, to: usize,
): void {
  const m = f32x4.splat(mean);
  const beyond = f32x4.splat(bound);
  const factor = f32x4.splat(gain);
  const slope = f32x4.splat(toL1);
  const off = f32x4.splat(shift);
  const signBit = i32x4.splat(0x80000000);
  for (; length > 0; length -= 4) {
    const v = f32x4.sub(v128.load(w), m);
    const passed = v128.and(v128.load(g), f32x4.lt(f32x4.abs(v), beyond));
    const throughL1 = v128.andnot(v128.xor(slope, v128.and(v, signBit)), f32x4.eq(v, f32x4.splat(0)));
    storeUpTo(to, f32x4.sub(f32x4.add(f32x4.mul(passed, factor), throughL1), off), length);
    g += 16;
    w += 16;
    to += 16;
  }
}

/** `Σ max(g − T·s, 0)` over all channels. One unit. */
export function a2qPenalty(
  begin: i32, end: i32, scratch: usize, d: usize, t: usize, count: i32, budget: f32, out: usize,
): void {
  let total: f64 = 0;
  for (let i: usize = 0; i < <usize>count << 2; i += 4) {
    const norm = max(power(load<f32>(t + i)), SMALLEST);
    total += <f64>max<f32>(norm - max(power(load<f32>(d + i)), SMALLEST) * budget, 0);
  }
  store<f32>(out, <f32>total);
}

/** Its gradients to `d` and `t`, from the scalar at `g`. One unit. */
export function a2qPenaltyGradient(
  begin: i32, end: i32, scratch: usize, g: usize, d: usize, t: usize, count: i32, budget: f32, dGradient: usize,
  tGradient: usize,
): void {
  const gain = <f64>load<f32>(g) * LN2;
  for (let i: usize = 0; i < <usize>count << 2; i += 4) {
    const step = power(load<f32>(d + i));
    const norm = power(load<f32>(t + i));
    const exceeds = max(norm, SMALLEST) - max(step, SMALLEST) * budget > 0;
    store<f32>(dGradient + i, exceeds ? <f32>(-gain * <f64>budget * <f64>step) : 0);
    store<f32>(tGradient + i, exceeds ? <f32>(gain * <f64>norm) : 0);
  }
}
