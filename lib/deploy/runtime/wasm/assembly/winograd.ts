/**
 * Minimal filtering, F(2×2, 3×3), on integers, exactly: 16 products in place of 36. Images come as the four phases of
 * their even and odd rows and columns, so that a tile is one pixel of the phases' grid and transforms are sums of
 * shifted planes, in int8 lanes. Filters are scaled by 4, sums too, which a shift undoes. Results are four phases as
 * well: `[channel][phase]`. Weights: for each six outputs, for each of 16 frequencies, for each pair of channels, six
 * words. A unit is a block of tiles.
 */
import { finish32, resultBytes } from './finish';
import { microPairs } from './products';

const ROWS = 6;
const FREQUENCIES = 16;

@inline
function interleaveLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** One column of a tile's four rows, transformed: d0 − d2, d1 + d2, d2 − d1, d1 − d3, `step` bytes apart. */
@inline
function transform(d0: v128, d1: v128, d2: v128, d3: v128, to: usize, step: usize): void {
  v128.store(to, i8x16.sub(d0, d2));
  v128.store(to + step, i8x16.add(d1, d2));
  v128.store(to + 2 * step, i8x16.sub(d2, d1));
  v128.store(to + 3 * step, i8x16.sub(d1, d3));
}

/**
 * Sixteen tiles of a channel to 16 vectors, by frequency. Phases of rows and columns: rows −1 and 1 of a tile are odd
 * ones, `row` apart, 0 and 2 even ones; so are columns, one apart.
 */
function transformTiles(x: usize, phase: usize, row: usize, to: usize, scratch: usize): void {
  const even = x;
  const odd = x + 2 * phase;
  for (let column = 0; column < 4; column++) {
    // Columns −1, 0, 1, 2: odd ones of the tile before and of this, even ones of this and the next.
    const at: usize = column == 0 ? phase - 1 : column == 1 ? 0 : column == 2 ? phase : 1;
    const d0 = v128.load(odd + at - row);
    const d1 = v128.load(even + at);
    const d2 = v128.load(odd + at);
    const d3 = v128.load(even + at + row);
    transform(d0, d1, d2, d3, scratch + (<usize>column << 4), 64);
  }
  for (let r = 0; r < 4; r++) {
    const line = scratch + (<usize>r << 6);
    transform(v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), to + (<usize>r << 6), 16);
  }
}

/** Two channels' transforms of `block` tiles as words of int16, `[frequency][pair][block]`. */
function packTiles(
  x: usize, plane: usize, phase: usize, row: usize, isWhole: bool, block: usize, frequency: usize, to: usize,
  scratch: usize,
): void {
  const second = scratch + 256;
  for (let at: usize = 0; at < block; at += 16) {
    transformTiles(x + at, phase, row, scratch, scratch + 512);
    if (isWhole) transformTiles(x + plane + at, phase, row, second, scratch + 512);
    else memory.fill(second, 0, 256);
    let out = to + (at << 2);
    for (let f: usize = 0; f < 16 * FREQUENCIES; f += 16) {
      const a = v128.load(scratch + f);
      const b = v128.load(second + f);
      const low = interleaveLow(a, b);
      const high = interleaveHigh(a, b);
      v128.store(out, i16x8.extend_low_i8x16_s(low));
      v128.store(out, i16x8.extend_high_i8x16_s(low), 16);
      v128.store(out, i16x8.extend_low_i8x16_s(high), 32);
      v128.store(out, i16x8.extend_high_i8x16_s(high), 48);
      out += frequency;
    }
  }
}

/** Four frequencies of a row to two results: m0 + m1 + m2, m1 − m2 − m3. */
@inline
function first(a: v128, b: v128, c: v128): v128 {
  return i32x4.add(i32x4.add(a, b), c);
}

@inline
function second(b: v128, c: v128, d: v128): v128 {
  return i32x4.sub(i32x4.sub(b, c), d);
}

/** Sums by frequency, `step` bytes apart, to four phases of results, `phase` bytes apart. */
export function restoreTiles(from: usize, step: usize, bytes: usize, to: usize, phase: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    const m = from + at;
    // Down the columns, then across.
    let a = v128.load(m);
    let b = v128.load(m + 4 * step);
    let c = v128.load(m + 8 * step);
    let d = v128.load(m + 12 * step);
    const p0 = first(a, b, c);
    const q0 = second(b, c, d);
    a = v128.load(m + step);
    b = v128.load(m + 5 * step);
    c = v128.load(m + 9 * step);
    d = v128.load(m + 13 * step);
    const p1 = first(a, b, c);
    const q1 = second(b, c, d);
    a = v128.load(m + 2 * step);
    b = v128.load(m + 6 * step);
    c = v128.load(m + 10 * step);
    d = v128.load(m + 14 * step);
    const p2 = first(a, b, c);
    const q2 = second(b, c, d);
    a = v128.load(m + 3 * step);
    b = v128.load(m + 7 * step);
    c = v128.load(m + 11 * step);
    d = v128.load(m + 15 * step);
    const p3 = first(a, b, c);
    const q3 = second(b, c, d);
    v128.store(to + at, i32x4.shr_s(first(p0, p1, p2), 2));
    v128.store(to + at + phase, i32x4.shr_s(second(p1, p2, p3), 2));
    v128.store(to + at + 2 * phase, i32x4.shr_s(first(q0, q1, q2), 2));
    v128.store(to + at + 3 * phase, i32x4.shr_s(second(q1, q2, q3), 2));
  }
}

/** `from` and `phase`: bytes from one channel's plane to the next, and from one phase to the next. */
export function winograd(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, phase: usize, row: usize, channels: i32, block: i32, offsets: usize, weights: usize,
  outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  const pairs = (channels + 1) >> 1;
  const line = <usize>block << 2;
  const frequency = <usize>pairs * line;
  const sums = scratch + FREQUENCIES * frequency;
  const rows = FREQUENCIES * line;
  const restored = sums + ROWS * rows;
  for (let unit = <usize>begin; unit < <usize>end; unit++) {
    const at = unit * block;
    for (let pair = 0; pair < pairs; pair++) {
      const to = scratch + <usize>pair * line;
      const plane = x + at + <usize>(2 * pair) * from;
      packTiles(plane, from, phase, row, 2 * pair + 1 < channels, block, frequency, to, restored);
    }
    let w = weights;
    for (let o = 0; o < outputs; o += ROWS) {
      for (let f: usize = 0; f < <usize>FREQUENCIES; f++) {
        for (let i: usize = 0; i < line; i += 32) {
          microPairs(pairs, w, scratch + f * frequency + i, offsets, sums + f * line + i, rows);
        }
        w += <usize>(pairs * ROWS) << 2;
      }
      const last = min(outputs - o, ROWS);
      for (let r = 0; r < last; r++) {
        restoreTiles(sums + <usize>r * rows, line, line, restored, line);
        for (let p = 0; p < 4; p++) {
          const result = (o + r) * 4 + p;
          const to = out + resultBytes(kind, at) + <usize>result * plane;
          finish32(kind, restored + <usize>p * line, block, records + <usize>result * step, mask + at, to);
        }
      }
    }
  }
}
