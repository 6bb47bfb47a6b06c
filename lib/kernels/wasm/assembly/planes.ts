/**
 * Depthwise 3 × 3 convolution with one pixel of padding where padded copies would cost more than the work: planes at most
 * four pixels wide ("narrow", a row is a vector), and stride 2 on planes of even extents ("halving"; its input gradient is
 * "doubling"). Tensors are contiguous `[images, channels, height, width]`, weights `[channels, 9]`. Units are planes; those of
 * weight gradients are blocks of channels, read image by image, so that neighbours in memory are read one after the other.
 */
import { firstLanes, interleaveHigh, interleaveLow, madd, storeLanes, sumLanes } from './simd';

@unmanaged
class Planes {
  x: usize = 0;
  /** Output gradient, in weight gradients. */
  g: usize = 0;
  w: usize = 0;
  out: usize = 0;
  images: i32 = 0;
  channels: i32 = 0;
  /** Extents of the larger planes. */
  height: i32 = 0;
  width: i32 = 0;
  /** 1 takes the taps from the last to the first. */
  flipped: i32 = 0;
}

/** Channels of a unit of a weight gradient, and bytes their sums take each: nine vectors. */
const BLOCK: i32 = 8;
const SUMS: usize = 144;

/** Tap `i` of channel `c` in all lanes. */
@inline
function tap(p: Planes, c: i32, i: i32): v128 {
  return v128.load32_splat(p.w + ((<usize>c * 9 + (p.flipped ? 8 - i : i)) << 2));
}

/** Stores the first `count` lanes, 1 … 4. */
@inline
function put(to: usize, v: v128, count: i32): void {
  if (count >= 4) v128.store(to, v);
  else if (count == 2) v128.store64_lane(to, v, 0);
  else storeLanes(to, v, count);
}

/** A row moved one pixel to the right, and to the left; zeros come in. */
@inline
function fromLeft(row: v128): v128 {
  return i32x4.shuffle(i32x4.splat(0), row, 0, 4, 5, 6);
}

@inline
function fromRight(row: v128): v128 {
  return i32x4.shuffle(row, i32x4.splat(0), 1, 2, 3, 4);
}

/** Stride 1 on narrow planes, for planes `begin … end`. */
export function depthwiseNarrow(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  for (let plane = begin; plane < end; plane++) narrowPlane(p, plane, plane % p.channels);
}

function narrowPlane(p: Planes, plane: i32, c: i32): void {
  const w0 = tap(p, c, 0);
  const w1 = tap(p, c, 1);
  const w2 = tap(p, c, 2);
  const w3 = tap(p, c, 3);
  const w4 = tap(p, c, 4);
  const w5 = tap(p, c, 5);
  const w6 = tap(p, c, 6);
  const w7 = tap(p, c, 7);
  const w8 = tap(p, c, 8);
  const width = p.width;
  const inside = firstLanes(width);
  const rowBytes = <usize>width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let from = p.x + plane * planeBytes;
  let to = p.out + plane * planeBytes;
  // What the rows so far add to the output row above, and to that of the row itself.
  let above = f32x4.splat(0);
  let here = f32x4.splat(0);
  for (const stop = from + planeBytes, first = from; from < stop; from += rowBytes) {
    const row = v128.and(v128.load(from), inside);
    const left = fromLeft(row);
    const right = fromRight(row);
    if (from > first) {
      above = madd(left, w6, above);
      above = madd(row, w7, above);
      put(to, madd(right, w8, above), width);
      to += rowBytes;
    }
    above = madd(left, w3, here);
    above = madd(row, w4, above);
    above = madd(right, w5, above);
    here = madd(row, w1, f32x4.mul(left, w0));
    here = madd(right, w2, here);
  }
  put(to, above, width);
}

/** Gradient of `depthwiseNarrow` to the weights. Scratch as for all weight gradients: a row, 32 bytes, and a block of sums. */
export function depthwiseNarrowGradient(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  const zeros = zeroRow(p, scratch);
  const sums = scratch + (<usize>p.width << 2) + 32;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * BLOCK;
    const count = min(BLOCK, p.channels - first);
    memory.fill(sums, 0, count * SUMS);
    for (let image = 0; image < p.images; image++) {
      for (let i = 0; i < count; i++) narrowGradient(p, image * p.channels + first + i, zeros, sums + i * SUMS);
    }
    storeSums(sums, count, p.out + ((<usize>first * 9) << 2));
  }
}

function narrowGradient(p: Planes, plane: i32, zeros: usize, sums: usize): void {
  const inside = firstLanes(p.width);
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64);
  let s5 = v128.load(sums, 80);
  let s6 = v128.load(sums, 96);
  let s7 = v128.load(sums, 112);
  let s8 = v128.load(sums, 128);
  const offset = <usize>plane * planeBytes;
  let g = p.g + offset;
  let x = p.x + offset;
  // Gradients of the rows above, at and below the row of x.
  let above = f32x4.splat(0);
  let here = f32x4.splat(0);
  let below = v128.and(v128.load(g), inside);
  for (const stop = x + planeBytes; x < stop; x += rowBytes) {
    g += rowBytes;
    above = here;
    here = below;
    below = x + rowBytes < stop ? v128.and(v128.load(g), inside) : f32x4.splat(0);
    const row = v128.and(v128.load(x), inside);
    const left = fromLeft(row);
    const right = fromRight(row);
    s0 = madd(left, below, s0);
    s1 = madd(row, below, s1);
    s2 = madd(right, below, s2);
    s3 = madd(left, here, s3);
    s4 = madd(row, here, s4);
    s5 = madd(right, here, s5);
    s6 = madd(left, above, s6);
    s7 = madd(row, above, s7);
    s8 = madd(right, above, s8);
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
  v128.store(sums, s8, 128);
}

/** Gradient to the weights at stride 1 on planes of whole vectors a row. */
export function depthwiseRowsGradient(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  const zeros = zeroRow(p, scratch);
  const sums = scratch + (<usize>p.width << 2) + 32;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * BLOCK;
    const count = min(BLOCK, p.channels - first);
    memory.fill(sums, 0, count * SUMS);
    for (let image = 0; image < p.images; image++) {
      for (let i = 0; i < count; i++) rowsGradient(p, image * p.channels + first + i, zeros, sums + i * SUMS);
    }
    storeSums(sums, count, p.out + ((<usize>first * 9) << 2));
  }
}

function rowsGradient(p: Planes, plane: i32, zeros: usize, sums: usize): void {
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64);
  let s5 = v128.load(sums, 80);
  let s6 = v128.load(sums, 96);
  let s7 = v128.load(sums, 112);
  let s8 = v128.load(sums, 128);
  const offset = <usize>plane * planeBytes;
  for (let y = 0; y < p.height; y++) {
    // Gradients of the rows below, at and above the row of x.
    let x = p.x + offset + y * rowBytes;
    let here = p.g + offset + y * rowBytes;
    let above = y > 0 ? here - rowBytes : zeros;
    let below = y + 1 < p.height ? here + rowBytes : zeros;
    let before = f32x4.splat(0);
    let row = v128.load(x);
    for (const stop = x + rowBytes; x < stop; ) {
      x += 16;
      const after = x < stop ? v128.load(x) : f32x4.splat(0);
      const left = i32x4.shuffle(before, row, 3, 4, 5, 6);
      const right = i32x4.shuffle(row, after, 1, 2, 3, 4);
      let g = v128.load(below);
      s0 = madd(left, g, s0);
      s1 = madd(row, g, s1);
      s2 = madd(right, g, s2);
      g = v128.load(here);
      s3 = madd(left, g, s3);
      s4 = madd(row, g, s4);
      s5 = madd(right, g, s5);
      g = v128.load(above);
      s6 = madd(left, g, s6);
      s7 = madd(row, g, s7);
      s8 = madd(right, g, s8);
      before = row;
      row = after;
      above += 16;
      here += 16;
      below += 16;
    }
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
  v128.store(sums, s8, 128);
}

/** The nine sums of each channel of a block. */
function storeSums(sums: usize, channels: i32, to: usize): void {
  for (let i = 0; i < channels * 9; i++) {
    store<f32>(to, <f32>sumLanes(v128.load(sums)));
    sums += 16;
    to += 4;
  }
}

/** Zeros that stand for the row above the first or below the last. */
function zeroRow(p: Planes, at: usize): usize {
  memory.fill(at, 0, (<usize>p.width << 2) + 32);
  return at;
}

/** Columns 0, 2, 4 and 6 of eight; 1, 3, 5 and 7. */
@inline
function evens(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 2, 4, 6);
}

@inline
function odds(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 1, 3, 5, 7);
}

/** The odd columns left of the even ones: the last of the block before, then three of this one. */
@inline
function oddsBefore(previous: v128, odd: v128): v128 {
  return i32x4.shuffle(previous, odd, 3, 4, 5, 6);
}

/** Stride 2, for planes `begin … end`. Scratch: a row and 32 bytes. */
export function depthwiseHalving(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  const zeros = zeroRow(p, scratch);
  for (let plane = begin; plane < end; plane++) halvingPlane(p, plane, plane % p.channels, zeros);
}

function halvingPlane(p: Planes, plane: i32, c: i32, zeros: usize): void {
  const w0 = tap(p, c, 0);
  const w1 = tap(p, c, 1);
  const w2 = tap(p, c, 2);
  const w3 = tap(p, c, 3);
  const w4 = tap(p, c, 4);
  const w5 = tap(p, c, 5);
  const w6 = tap(p, c, 6);
  const w7 = tap(p, c, 7);
  const w8 = tap(p, c, 8);
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let b = p.x + <usize>plane * planeBytes;
  let to = p.out + (<usize>plane * planeBytes >> 2);
  for (let y = 0; y < p.height; y += 2) {
    let a = y == 0 ? zeros : b - rowBytes;
    let oddA = f32x4.splat(0);
    let oddB = f32x4.splat(0);
    let oddC = f32x4.splat(0);
    for (let left = p.width >> 1; left > 0; left -= 4) {
      let first = v128.load(a);
      let second = v128.load(a, 16);
      let odd = odds(first, second);
      let sum = f32x4.mul(oddsBefore(oddA, odd), w0);
      sum = madd(evens(first, second), w1, sum);
      sum = madd(odd, w2, sum);
      oddA = odd;
      first = v128.load(b);
      second = v128.load(b, 16);
      odd = odds(first, second);
      sum = madd(oddsBefore(oddB, odd), w3, sum);
      sum = madd(evens(first, second), w4, sum);
      sum = madd(odd, w5, sum);
      oddB = odd;
      first = v128.load(b + rowBytes);
      second = v128.load(b + rowBytes, 16);
      odd = odds(first, second);
      sum = madd(oddsBefore(oddC, odd), w6, sum);
      sum = madd(evens(first, second), w7, sum);
      sum = madd(odd, w8, sum);
      oddC = odd;
      put(to, sum, left);
      a += 32;
      b += 32;
      to += left >= 4 ? 16 : <usize>left << 2;
    }
    b = p.x + <usize>plane * planeBytes + <usize>(y + 2) * rowBytes;
  }
}

/** Gradient of `depthwiseHalving` to the weights. */
export function depthwiseHalvingGradient(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  const zeros = zeroRow(p, scratch);
  const sums = scratch + (<usize>p.width << 2) + 32;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * BLOCK;
    const count = min(BLOCK, p.channels - first);
    memory.fill(sums, 0, count * SUMS);
    for (let image = 0; image < p.images; image++) {
      for (let i = 0; i < count; i++) halvingGradient(p, image * p.channels + first + i, zeros, sums + i * SUMS);
    }
    storeSums(sums, count, p.out + ((<usize>first * 9) << 2));
  }
}

function halvingGradient(p: Planes, plane: i32, zeros: usize, sums: usize): void {
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64);
  let s5 = v128.load(sums, 80);
  let s6 = v128.load(sums, 96);
  let s7 = v128.load(sums, 112);
  let s8 = v128.load(sums, 128);
  let g = p.g + (<usize>plane * planeBytes >> 2);
  for (let y = 0; y < p.height; y += 2) {
    let b = p.x + <usize>plane * planeBytes + <usize>y * rowBytes;
    let a = y == 0 ? zeros : b - rowBytes;
    let oddA = f32x4.splat(0);
    let oddB = f32x4.splat(0);
    let oddC = f32x4.splat(0);
    for (let left = p.width >> 1; left > 0; left -= 4) {
      const inside = firstLanes(left);
      const v = v128.and(v128.load(g), inside);
      let first = v128.load(a);
      let second = v128.load(a, 16);
      let odd = v128.and(odds(first, second), inside);
      s0 = madd(v, oddsBefore(oddA, odd), s0);
      s1 = madd(v, v128.and(evens(first, second), inside), s1);
      s2 = madd(v, odd, s2);
      oddA = odd;
      first = v128.load(b);
      second = v128.load(b, 16);
      odd = v128.and(odds(first, second), inside);
      s3 = madd(v, oddsBefore(oddB, odd), s3);
      s4 = madd(v, v128.and(evens(first, second), inside), s4);
      s5 = madd(v, odd, s5);
      oddB = odd;
      first = v128.load(b + rowBytes);
      second = v128.load(b + rowBytes, 16);
      odd = v128.and(odds(first, second), inside);
      s6 = madd(v, oddsBefore(oddC, odd), s6);
      s7 = madd(v, v128.and(evens(first, second), inside), s7);
      s8 = madd(v, odd, s8);
      oddC = odd;
      a += 32;
      b += 32;
      g += left >= 4 ? 16 : <usize>left << 2;
    }
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
  v128.store(sums, s8, 128);
}

/** Gradient of `depthwiseHalving` to its input: x is the gradient, `height × width` are the extents of the result. */
export function depthwiseDoubling(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  const zeros = zeroRow(p, scratch);
  for (let plane = begin; plane < end; plane++) doublingPlane(p, plane, plane % p.channels, zeros);
}

/** Two vectors that alternate, to 8 adjacent floats, or the first `count` of each. */
@inline
function putAlternating(to: usize, even: v128, odd: v128, count: i32): void {
  const low = interleaveLow(even, odd);
  const high = interleaveHigh(even, odd);
  if (count >= 4) {
    v128.store(to, low);
    v128.store(to, high, 16);
    return;
  }
  if (count == 1) v128.store64_lane(to, low, 0);
  else v128.store(to, low);
  if (count == 3) v128.store64_lane(to, high, 0, 16);
}

function doublingPlane(p: Planes, plane: i32, c: i32, zeros: usize): void {
  const w0 = tap(p, c, 0);
  const w1 = tap(p, c, 1);
  const w2 = tap(p, c, 2);
  const w3 = tap(p, c, 3);
  const w4 = tap(p, c, 4);
  const w5 = tap(p, c, 5);
  const w6 = tap(p, c, 6);
  const w7 = tap(p, c, 7);
  const w8 = tap(p, c, 8);
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let g = p.x + (<usize>plane * planeBytes >> 2);
  let to = p.out + <usize>plane * planeBytes;
  for (let y = 0; y < p.height; y += 2) {
    let below = y + 2 < p.height ? g + (rowBytes >> 1) : zeros;
    for (let left = p.width >> 1; left > 0; left -= 4) {
      const inside = firstLanes(left);
      const u = v128.and(v128.load(g), inside);
      const v = v128.and(v128.load(below), inside);
      const nextU = i32x4.shuffle(u, left > 4 ? v128.load(g, 16) : i32x4.splat(0), 1, 2, 3, 4);
      const nextV = i32x4.shuffle(v, left > 4 ? v128.load(below, 16) : i32x4.splat(0), 1, 2, 3, 4);
      let odd = madd(nextU, w3, f32x4.mul(u, w5));
      putAlternating(to, f32x4.mul(u, w4), odd, left);
      const even = madd(v, w1, f32x4.mul(u, w7));
      odd = madd(nextV, w0, f32x4.mul(v, w2));
      odd = madd(nextU, w6, madd(u, w8, odd));
      putAlternating(to + rowBytes, even, odd, left);
      const bytes = left >= 4 ? <usize>16 : <usize>left << 2;
      g += bytes;
      below += bytes;
      to += bytes << 1;
    }
    to += rowBytes;
  }
}
