/** Depthwise 3 × 3 of stride 2 on planes of even extents. */
import { addTap, Planes, put, weight, zeroRow } from './planes';
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
  const w$r$c = weight(p, c, $r, $c);
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  const from = p.x + <usize>plane * planeBytes;
  let to = p.out + (<usize>plane * planeBytes >> 2);
  for (let y = 0; y < p.height; y += 2) {
    let row1 = from + <usize>y * rowBytes;
    let row0 = y == 0 ? zeros : row1 - rowBytes;
    let row2 = row1 + rowBytes;
    let odd$r = f32x4.splat(0);
    for (let left = p.width >> 1; left > 0; left -= 4) {
      let sum = f32x4.splat(0);
      { // each $r
        const first = v128.load(row$r);
        const second = v128.load(row$r, 16);
        const odd = odds(first, second);
        sum = addTap($r, oddsBefore(odd$r, odd), w$r0, sum);
        sum = madd(evens(first, second), w$r1, sum);
        sum = madd(odd, w$r2, sum);
        odd$r = odd;
      }
      put(to, sum, left);
      row$r += 32;
      to += left >= 4 ? 16 : <usize>left << 2;
    }
  }
}

/** What a plane of `depthwiseHalving` adds to the gradient to the weights. */
export function halvingGradient(p: Planes, plane: i32, zeros: usize, sums: usize): void {
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let s$r$c = v128.load(sums, 48 * $r + 16 * $c);
  let g = p.g + (<usize>plane * planeBytes >> 2);
  for (let y = 0; y < p.height; y += 2) {
    let row1 = p.x + <usize>plane * planeBytes + <usize>y * rowBytes;
    let row0 = y == 0 ? zeros : row1 - rowBytes;
    let row2 = row1 + rowBytes;
    let odd$r = f32x4.splat(0);
    for (let left = p.width >> 1; left > 0; left -= 4) {
      const inside = firstLanes(left);
      const v = v128.and(v128.load(g), inside);
      { // each $r
        const first = v128.load(row$r);
        const second = v128.load(row$r, 16);
        const odd = v128.and(odds(first, second), inside);
        s$r0 = madd(v, oddsBefore(odd$r, odd), s$r0);
        s$r1 = madd(v, v128.and(evens(first, second), inside), s$r1);
        s$r2 = madd(v, odd, s$r2);
        odd$r = odd;
      }
      row$r += 32;
      g += left >= 4 ? 16 : <usize>left << 2;
    }
  }
  v128.store(sums, s$r$c, 48 * $r + 16 * $c);
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
  const w$r$c = weight(p, c, $r, $c);
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
      let odd = madd(nextU, w10, f32x4.mul(u, w12));
      putAlternating(to, f32x4.mul(u, w11), odd, left);
      const even = madd(v, w01, f32x4.mul(u, w21));
      odd = madd(nextV, w00, f32x4.mul(v, w02));
      odd = madd(nextU, w20, madd(u, w22, odd));
      putAlternating(to + rowBytes, even, odd, left);
      const bytes = left >= 4 ? <usize>16 : <usize>left << 2;
      g += bytes;
      below += bytes;
      to += bytes << 1;
    }
    to += rowBytes;
  }
}
