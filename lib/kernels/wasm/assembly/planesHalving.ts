/** Depthwise 3 × 3 of stride 2 on planes of even extents. */
import { BLOCK, Planes, put, storeSums, SUMS, tap, zeroRow } from './planes';
import { firstLanes, interleaveHigh, interleaveLow, madd } from './simd';

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
