/**
 * Dense convolution. The pixels a block needs are packed into words that hold several channels of a pixel, two as int16
 * or four as int8; a word times a word of weights is one exact instruction. Six output channels are a group: its table
 * has the number of words that some of them reads, the six channels (those that are missing −1), and the offsets of the
 * words; its weights are six for each word. A unit is a block of pixels.
 */
import { finish32, resultBytes } from './finish';

/** Output channels summed at once. */
const ROWS = 6;

/** Sixteen bytes of a channel, or zeros. */
@inline
function sixteen(from: usize, isThere: bool): v128 {
  return isThere ? v128.load(from) : i8x16.splat(0);
}

@inline
function interleaveLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** Channels two by two as int16: words `[pair][span]`. */
function packPairs(x: usize, plane: usize, channels: i32, isUnsigned: i32, span: i32, to: usize): void {
  for (let c = 0; c < channels; c += 2) {
    const isWhole = c + 1 < channels;
    for (let at = 0; at < span; at += 16) {
      const a = v128.load(x + at);
      const b = sixteen(x + plane + at, isWhole);
      const low = interleaveLow(a, b);
      const high = interleaveHigh(a, b);
      if (isUnsigned) {
        v128.store(to, i16x8.extend_low_i8x16_u(low));
        v128.store(to, i16x8.extend_high_i8x16_u(low), 16);
        v128.store(to, i16x8.extend_low_i8x16_u(high), 32);
        v128.store(to, i16x8.extend_high_i8x16_u(high), 48);
      } else {
        v128.store(to, i16x8.extend_low_i8x16_s(low));
        v128.store(to, i16x8.extend_high_i8x16_s(low), 16);
        v128.store(to, i16x8.extend_low_i8x16_s(high), 32);
        v128.store(to, i16x8.extend_high_i8x16_s(high), 48);
      }
      to += 64;
    }
    x += plane << 1;
  }
}

/** Channels four by four. */
function packQuads(x: usize, plane: usize, channels: i32, span: i32, to: usize): void {
  for (let c = 0; c < channels; c += 4) {
    for (let at = 0; at < span; at += 16) {
      const from = x + at;
      const p = v128.load(from);
      const q = sixteen(from + plane, c + 1 < channels);
      const r = sixteen(from + 2 * plane, c + 2 < channels);
      const s = sixteen(from + 3 * plane, c + 3 < channels);
      let a = interleaveLow(p, q);
      let b = interleaveLow(r, s);
      v128.store(to, i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(to, i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      a = interleaveHigh(p, q);
      b = interleaveHigh(r, s);
      v128.store(to, i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), 32);
      v128.store(to, i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), 48);
      to += 64;
    }
    x += plane << 2;
  }
}

/** c + a·b, of pairs of int16 or of quads of int8, those of b at least 0. */
@inline
function add<T>(a: v128, b: v128, c: v128): v128 {
  if (sizeof<T>() == 1) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, c);
  else return i32x4.add(i32x4.dot_i16x8_s(a, b), c);
}

@inline
function micro<T>(words: i32, weights: usize, x: usize, offsets: usize, to: usize, row: usize): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0);
  let c1 = i32x4.splat(0);
  let d0 = i32x4.splat(0);
  let d1 = i32x4.splat(0);
  let e0 = i32x4.splat(0);
  let e1 = i32x4.splat(0);
  let f0 = i32x4.splat(0);
  let f1 = i32x4.splat(0);
  for (; words > 0; words--) {
    const from = x + load<usize>(offsets);
    const x0 = v128.load(from);
    const x1 = v128.load(from, 16);
    let w = v128.load32_splat(weights);
    a0 = add<T>(w, x0, a0);
    a1 = add<T>(w, x1, a1);
    w = v128.load32_splat(weights, 4);
    b0 = add<T>(w, x0, b0);
    b1 = add<T>(w, x1, b1);
    w = v128.load32_splat(weights, 8);
    c0 = add<T>(w, x0, c0);
    c1 = add<T>(w, x1, c1);
    w = v128.load32_splat(weights, 12);
    d0 = add<T>(w, x0, d0);
    d1 = add<T>(w, x1, d1);
    w = v128.load32_splat(weights, 16);
    e0 = add<T>(w, x0, e0);
    e1 = add<T>(w, x1, e1);
    w = v128.load32_splat(weights, 20);
    f0 = add<T>(w, x0, f0);
    f1 = add<T>(w, x1, f1);
    weights += 4 * ROWS;
    offsets += 4;
  }
  v128.store(to, a0);
  v128.store(to, a1, 16);
  to += row;
  v128.store(to, b0);
  v128.store(to, b1, 16);
  to += row;
  v128.store(to, c0);
  v128.store(to, c1, 16);
  to += row;
  v128.store(to, d0);
  v128.store(to, d1, 16);
  to += row;
  v128.store(to, e0);
  v128.store(to, e1, 16);
  to += row;
  v128.store(to, f0);
  v128.store(to, f1, 16);
}

export function microPairs(words: i32, weights: usize, x: usize, offsets: usize, to: usize, row: usize): void {
  micro<i16>(words, weights, x, offsets, to, row);
}

export function microQuads(words: i32, weights: usize, x: usize, offsets: usize, to: usize, row: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD) micro<i8>(words, weights, x, offsets, to, row);
}

@inline
function products<T>(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, channels: i32, isUnsigned: i32, span: i32, block: i32, tables: usize, weights: usize,
  groups: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  const held = sizeof<T>() == 1 ? (channels + 3) >> 2 : (channels + 1) >> 1;
  const sums = scratch + <usize>(held * span) * 4;
  const row = <usize>block << 2;
  for (let unit = <usize>begin; unit < <usize>end; unit++) {
    const at = unit * block;
    if (sizeof<T>() == 1) packQuads(x + at, from, channels, span, scratch);
    else packPairs(x + at, from, channels, isUnsigned, span, scratch);
    let w = weights;
    let table = tables;
    for (let group = groups; group > 0; group--) {
      const words = load<i32>(table);
      const outputs = table + 4;
      const offsets = outputs + 4 * ROWS;
      for (let i: usize = 0; i < row; i += 32) {
        if (sizeof<T>() == 1) microQuads(words, w, scratch + i, offsets, sums + i, row);
        else microPairs(words, w, scratch + i, offsets, sums + i, row);
      }
      w += <usize>(words * ROWS) * 4;
      table = offsets + (<usize>words << 2);
      for (let r = 0; r < ROWS; r++) {
        const o = load<i32>(outputs + (<usize>r << 2));
        if (o < 0) break;
        const to = out + resultBytes(kind, at) + <usize>o * plane;
        finish32(kind, sums + <usize>r * row, block, records + <usize>o * step, mask + at, to);
      }
    }
  }
}

/** @param x where the first word of the first block reads; `span` pixels of it on are packed, whole sixteens */
export function productsOfPairs(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, channels: i32, isUnsigned: i32, span: i32, block: i32, tables: usize, weights: usize,
  groups: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  products<i16>(
    begin, end, scratch, x, from, channels, isUnsigned, span, block, tables, weights, groups,
    kind, records, step, mask, out, plane,
  );
}

export function productsOfQuads(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, channels: i32, isUnsigned: i32, span: i32, block: i32, tables: usize, weights: usize,
  groups: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  products<i8>(
    begin, end, scratch, x, from, channels, isUnsigned, span, block, tables, weights, groups,
    kind, records, step, mask, out, plane,
  );
}
