/** Depthwise 3 × 3 of stride 1: planes at most four pixels wide, and the weight gradient of rows of whole vectors. */
import { BLOCK, Planes, put, storeSums, SUMS, tap, zeroRow } from './planes';
import { firstLanes, madd } from './simd';

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
