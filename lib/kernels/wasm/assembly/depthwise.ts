/** Depthwise convolution and its gradients. `$r`, `$c`: rows and columns of a 3 × 3 window (scripts/build-wasm.mjs). */
import { addTap } from './planes';
import { madd, storeLanes, sumLanes } from './simd';
import { padChannels, Plan } from './window';

/** Units: (image, channel), `rows` outputs (1 in input gradients); weights `[channel][row][tap]`. Scratch: a plane. */
export function depthwise(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const rowBytes = (<usize>(p.rowStep * p.step * p.phaseWidth)) << 2;
  for (let unit = begin; unit < end; unit++) {
    const group = unit % p.groups;
    const image = unit / p.groups;
    const source = p.source + <usize>image * p.sourceImage + group * p.sourceGroup;
    padChannels(p, source, 1, 0, (p.outHeight - 1) * p.rowStep + p.span, scratch, unit == begin);
    for (let i = 0; i < p.rows; i++) {
      const weights = p.weights + ((<usize>(group * p.rows + i) * p.taps) << 2);
      let to = p.out + <usize>image * p.outImage + group * p.outGroup + i * p.outChannel;
      let from = scratch;
      if (p.gathered) {
        slidePlane(p, from, weights, to);
        continue;
      }
      for (let y = 0; y < p.outHeight; y++) {
        slideRow(p, from, weights, to);
        from += rowBytes;
        to += p.outRow;
      }
    }
  }
}

/** All rows of a 3 × 3 window of adjacent taps, written without gaps: the weights stay in registers. */
function slidePlane(p: Plan, from: usize, w: usize, to: usize): void {
  const rowBytes = <usize>p.phaseWidth << 2;
  const skip = <usize>p.rowStep * rowBytes;
  const whole = <usize>(p.outWidth & ~3) << 2;
  const rest = p.outWidth & 3;
  const w$r$c = v128.load32_splat(w, 12 * $r + 4 * $c);
  for (let y = 0; y < p.outHeight; y++) {
    const end = from + whole + (rest ? 16 : 0);
    let at = to;
    for (let row0 = from; row0 < end; row0 += 16) {
      const row1 = row0 + rowBytes;
      const row2 = row1 + rowBytes;
      let v = f32x4.splat(0);
      v = addTap(3 * $r + $c, w$r$c, v128.load(row$r, 4 * $c), v);
      if (row0 < from + whole) v128.store(at, v);
      else storeLanes(at, v, rest);
      at += 16;
    }
    from += skip;
    to += p.outRow;
  }
}

/** One output row. */
function slideRow(p: Plan, from: usize, weights: usize, to: usize): void {
  const offsets = p.tapOffsets;
  const stop = weights + ((<usize>p.taps) << 2);
  let left = p.outWidth;
  if (p.outColumn == 4) {
    for (; left >= 16; left -= 16) {
      slide16(from, weights, stop, offsets, to);
      from += 64;
      to += 64;
    }
  }
  for (; left > 0; left -= 4) {
    const v = slide4(from, weights, stop, offsets);
    if (p.outColumn == 4) {
      if (left >= 4) v128.store(to, v);
      else storeLanes(to, v, left);
    } else {
      store<f32>(to, f32x4.extract_lane(v, 0));
      if (left > 1) store<f32>(to + p.outColumn, f32x4.extract_lane(v, 1));
      if (left > 2) store<f32>(to + 2 * p.outColumn, f32x4.extract_lane(v, 2));
      if (left > 3) store<f32>(to + 3 * p.outColumn, f32x4.extract_lane(v, 3));
    }
    from += 16;
    to += 4 * p.outColumn;
  }
}

function slide16(from: usize, w: usize, stop: usize, offsets: usize, to: usize): void {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let d = f32x4.splat(0);
  while (w < stop) {
    const at = from + load<usize>(offsets);
    const s = v128.load32_splat(w);
    a = madd(s, v128.load(at), a);
    b = madd(s, v128.load(at, 16), b);
    c = madd(s, v128.load(at, 32), c);
    d = madd(s, v128.load(at, 48), d);
    w += 4;
    offsets += 4;
  }
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

function slide4(from: usize, w: usize, stop: usize, offsets: usize): v128 {
  let a = f32x4.splat(0);
  while (w < stop) {
    a = madd(v128.load32_splat(w), v128.load(from + load<usize>(offsets)), a);
    w += 4;
    offsets += 4;
  }
  return a;
}

/**
 * Units are channels; `weights [channel][row][tap]` is written. Scratch: a padded plane, one plane of output gradients
 * with rows rounded up to whole quads, and 16 bytes for each (row, tap).
 */
export function depthwiseWeightGradient(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const quads = (p.outWidth + 3) / 4;
  const sums = scratch;
  const count = p.rows * p.taps;
  const gradient = sums + ((<usize>count) << 4);
  const padded = gradient + ((<usize>(quads * p.outHeight)) << 4);
  for (let group = begin; group < end; group++) {
    for (let i = 0; i < count; i++) v128.store(sums + ((<usize>i) << 4), i32x4.splat(0));
    for (let image = 0; image < p.images; image++) {
      const source = p.source + <usize>image * p.sourceImage + group * p.sourceGroup;
      padChannels(p, source, 1, 0, (p.outHeight - 1) * p.rowStep + p.span, padded, group == begin && image == 0);
      for (let i = 0; i < p.rows; i++) {
        const from = p.out + <usize>image * p.outImage + group * p.outGroup + i * p.outChannel;
        widenRows(p, from, quads, gradient);
        const to = sums + ((<usize>i * p.taps) << 4);
        if (p.gathered) {
          slideNine(p, gradient, quads, padded, to);
          continue;
        }
        let tap = 0;
        for (; tap + 3 <= p.taps; tap += 3) {
          const at = p.tapOffsets + ((<usize>tap) << 2);
          slideThree(
            p, gradient, quads, padded + load<usize>(at), padded + load<usize>(at, 4), padded + load<usize>(at, 8),
            to + ((<usize>tap) << 4),
          );
        }
        for (; tap < p.taps; tap++) {
          const at = padded + load<usize>(p.tapOffsets + ((<usize>tap) << 2));
          const sum = slideOne(p, gradient, quads, at);
          const total = to + ((<usize>tap) << 4);
          v128.store(total, f32x4.add(v128.load(total), sum));
        }
      }
    }
    for (let i = 0; i < count; i++) {
      store<f32>(p.weights + ((<usize>group * count + i) << 2), <f32>sumLanes(v128.load(sums + ((<usize>i) << 4))));
    }
  }
}

/** Gradient rows in whole quads, zero at their ends. */
function widenRows(p: Plan, from: usize, quads: i32, to: usize): void {
  for (let y = 0; y < p.outHeight; y++) {
    let at = from + y * p.outRow;
    const end = to + ((<usize>quads) << 4);
    v128.store(end - 16, i32x4.splat(0));
    const stop = to + ((<usize>p.outWidth) << 2);
    if (p.outColumn == 4) {
      for (; to + 16 <= stop; to += 16) {
        v128.store(to, v128.load(at));
        at += 16;
      }
    }
    for (; to < stop; to += 4) {
      store<u32>(to, load<u32>(at));
      at += p.outColumn;
    }
    to = end;
  }
}

/** All nine taps of a 3 × 3 window of adjacent taps. */
function slideNine(p: Plan, g: usize, quads: i32, x: usize, sums: usize): void {
  const rowBytes = <usize>p.phaseWidth << 2;
  const skip = <usize>p.rowStep * rowBytes;
  let s$r$c = v128.load(sums, 48 * $r + 16 * $c);
  for (let y = 0; y < p.outHeight; y++) {
    const end = x + (<usize>quads << 4);
    for (let row0 = x; row0 < end; row0 += 16) {
      const row1 = row0 + rowBytes;
      const row2 = row1 + rowBytes;
      const v = v128.load(g);
      s$r$c = madd(v, v128.load(row$r, 4 * $c), s$r$c);
      g += 16;
    }
    x += skip;
  }
  v128.store(sums, s$r$c, 48 * $r + 16 * $c);
}

function slideThree(p: Plan, g: usize, quads: i32, x0: usize, x1: usize, x2: usize, sums: usize): void {
  const skip = ((<usize>(p.rowStep * p.step * p.phaseWidth)) << 2) - ((<usize>quads) << 4);
  let a = v128.load(sums);
  let b = v128.load(sums, 16);
  let c = v128.load(sums, 32);
  for (let y = 0; y < p.outHeight; y++) {
    const end = g + ((<usize>quads) << 4);
    while (g < end) {
      const v = v128.load(g);
      a = madd(v, v128.load(x0), a);
      b = madd(v, v128.load(x1), b);
      c = madd(v, v128.load(x2), c);
      g += 16;
      x0 += 16;
      x1 += 16;
      x2 += 16;
    }
    x0 += skip;
    x1 += skip;
    x2 += skip;
  }
  v128.store(sums, a);
  v128.store(sums, b, 16);
  v128.store(sums, c, 32);
}

function slideOne(p: Plan, g: usize, quads: i32, x: usize): v128 {
  const skip = ((<usize>(p.rowStep * p.step * p.phaseWidth)) << 2) - ((<usize>quads) << 4);
  let a = f32x4.splat(0);
  for (let y = 0; y < p.outHeight; y++) {
    const end = g + ((<usize>quads) << 4);
    while (g < end) {
      a = madd(v128.load(g), v128.load(x), a);
      g += 16;
      x += 16;
    }
    x += skip;
  }
  return a;
}
