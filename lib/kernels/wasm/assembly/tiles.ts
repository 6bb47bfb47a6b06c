/**
 * The transforms of Winograd's minimal filtering (Lavin and Gray 2016) for 3 × 3 filters: F(4×4) with 6 × 6 patches and
 * F(2×2) with 4 × 4 patches. Columns come first, on whole rows of an image at once, into *lines* (one for each vertical
 * frequency); then rows, four lines' tiles at a time, one in each lane. Frequencies are numbered row-major; `step` is
 * the distance in bytes between them.
 *
 * F(4×4) is as exact as its numbers: on int16 (T = i16: two channels in each word, values up to 327, filters times 24²,
 * which makes their transform integers) and int32 sums nothing is rounded.
 */
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from './simd';

/** k·v; of int32 for powers of two only. */
@inline
export function times<T>(k: T, v: v128): v128 {
  if (isFloat<T>() || sizeof<T>() == 2) return v128.mul<T>(v128.splat<T>(k), v);
  else return v128.shl<T>(v, <i32>ctz<T>(k));
}

@inline
export function add<T>(a: v128, b: v128): v128 {
  return v128.add<T>(a, b);
}

@inline
export function sub<T>(a: v128, b: v128): v128 {
  return v128.sub<T>(a, b);
}

/** Bᵀ of F(4×4): six vectors to six, `step` bytes apart. */
@inline
function patchLine4<T>(x0: v128, x1: v128, x2: v128, x3: v128, x4: v128, x5: v128, to: usize, step: usize): void {
  v128.store(to, add<T>(sub<T>(times<T>(4, x0), times<T>(5, x2)), x4));
  const even = sub<T>(x4, times<T>(4, x2));
  const odd = sub<T>(x3, times<T>(4, x1));
  to += step;
  v128.store(to, add<T>(even, odd));
  to += step;
  v128.store(to, sub<T>(even, odd));
  const less = sub<T>(x4, x2);
  const twice = times<T>(2, sub<T>(x3, x1));
  to += step;
  v128.store(to, add<T>(less, twice));
  to += step;
  v128.store(to, sub<T>(less, twice));
  to += step;
  v128.store(to, add<T>(sub<T>(times<T>(4, x1), times<T>(5, x3)), x5));
}

/** Bᵀ of F(2×2): four vectors to four. */
@inline
function patchLine2(x0: v128, x1: v128, x2: v128, x3: v128, to: usize, step: usize): void {
  v128.store(to, sub<f32>(x0, x2));
  to += step;
  v128.store(to, add<f32>(x1, x2));
  to += step;
  v128.store(to, sub<f32>(x2, x1));
  to += step;
  v128.store(to, sub<f32>(x1, x3));
}

/** A of F(4×4): four vectors to six. */
@inline
function gradientLine4(y0: v128, y1: v128, y2: v128, y3: v128, to: usize, step: usize): void {
  v128.store(to, y0);
  const even = add<f32>(y0, y2);
  const odd = add<f32>(y1, y3);
  to += step;
  v128.store(to, add<f32>(even, odd));
  to += step;
  v128.store(to, sub<f32>(even, odd));
  const far = add<f32>(y0, times<f32>(4, y2));
  const wide = add<f32>(times<f32>(2, y1), times<f32>(8, y3));
  to += step;
  v128.store(to, add<f32>(far, wide));
  to += step;
  v128.store(to, sub<f32>(far, wide));
  to += step;
  v128.store(to, y3);
}

/** Columns of patches of F(4×4): `bytes` of six rows, to six lines `line` bytes apart. */
export function patchColumns4<T>(
  r0: usize, r1: usize, r2: usize, r3: usize, r4: usize, r5: usize, bytes: usize, to: usize, line: usize,
): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const x0 = v128.load(r0 + i);
    const x1 = v128.load(r1 + i);
    const x2 = v128.load(r2 + i);
    const x3 = v128.load(r3 + i);
    patchLine4<T>(x0, x1, x2, x3, v128.load(r4 + i), v128.load(r5 + i), to + i, line);
  }
}

/** Columns of patches of F(2×2): four rows to four lines. */
export function patchColumns2(
  r0: usize, r1: usize, r2: usize, r3: usize, bytes: usize, to: usize, line: usize,
): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    patchLine2(v128.load(r0 + i), v128.load(r1 + i), v128.load(r2 + i), v128.load(r3 + i), to + i, line);
  }
}

/** Columns of output gradients of F(4×4): four rows to six lines. */
export function gradientColumns4(
  r0: usize, r1: usize, r2: usize, r3: usize, bytes: usize, to: usize, line: usize,
): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    gradientLine4(v128.load(r0 + i), v128.load(r1 + i), v128.load(r2 + i), v128.load(r3 + i), to + i, line);
  }
}

/** Rows of patches of F(4×4): six floats at each of four places, in each of six lines, to 36 vectors. */
export function patchRows4<T>(a: usize, b: usize, c: usize, d: usize, line: usize, to: usize, step: usize): void {
  for (const end = a + 6 * line; a < end; a += line) {
    const a0 = v128.load(a);
    const b0 = v128.load(b);
    const c0 = v128.load(c);
    const d0 = v128.load(d);
    const ab = interleaveLow(a0, b0);
    const cd = interleaveLow(c0, d0);
    const AB = interleaveHigh(a0, b0);
    const CD = interleaveHigh(c0, d0);
    const rest = interleaveLow(v128.load64_zero(a, 16), v128.load64_zero(b, 16));
    const REST = interleaveLow(v128.load64_zero(c, 16), v128.load64_zero(d, 16));
    const x2 = joinLow(AB, CD);
    const x3 = joinHigh(AB, CD);
    patchLine4<T>(joinLow(ab, cd), joinHigh(ab, cd), x2, x3, joinLow(rest, REST), joinHigh(rest, REST), to, step);
    to += 6 * step;
    b += line;
    c += line;
    d += line;
  }
}

/** Rows of patches of F(2×2): four floats at four places in four lines, to 16 vectors. */
export function patchRows2(a: usize, b: usize, c: usize, d: usize, line: usize, to: usize, step: usize): void {
  for (const end = a + 4 * line; a < end; a += line) {
    const a0 = v128.load(a);
    const b0 = v128.load(b);
    const c0 = v128.load(c);
    const d0 = v128.load(d);
    const ab = interleaveLow(a0, b0);
    const cd = interleaveLow(c0, d0);
    const AB = interleaveHigh(a0, b0);
    const CD = interleaveHigh(c0, d0);
    patchLine2(joinLow(ab, cd), joinHigh(ab, cd), joinLow(AB, CD), joinHigh(AB, CD), to, step);
    to += 4 * step;
    b += line;
    c += line;
    d += line;
  }
}

/** Rows of output gradients of F(4×4): four floats at four places in six lines, to 36 vectors. */
export function gradientRows4(a: usize, b: usize, c: usize, d: usize, line: usize, to: usize, step: usize): void {
  for (const end = a + 6 * line; a < end; a += line) {
    const a0 = v128.load(a);
    const b0 = v128.load(b);
    const c0 = v128.load(c);
    const d0 = v128.load(d);
    const ab = interleaveLow(a0, b0);
    const cd = interleaveLow(c0, d0);
    const AB = interleaveHigh(a0, b0);
    const CD = interleaveHigh(c0, d0);
    gradientLine4(joinLow(ab, cd), joinHigh(ab, cd), joinLow(AB, CD), joinHigh(AB, CD), to, step);
    to += 6 * step;
    b += line;
    c += line;
    d += line;
  }
}

/** Aᵀ of F(4×4) on columns: 36 vectors to four lines of six, 96 bytes apart. */
export function resultColumns4<T>(from: usize, step: usize, to: usize): void {
  const row = 6 * step;
  for (const end = to + 96; to < end; to += 16) {
    let at = from;
    const m0 = v128.load(at);
    at += row;
    const m1 = v128.load(at);
    at += row;
    const m2 = v128.load(at);
    at += row;
    const m3 = v128.load(at);
    at += row;
    const m4 = v128.load(at);
    at += row;
    const m5 = v128.load(at);
    const s = add<T>(m1, m2);
    const t = add<T>(m3, m4);
    const u = sub<T>(m1, m2);
    const v = sub<T>(m3, m4);
    v128.store(to, add<T>(add<T>(m0, s), t));
    v128.store(to, add<T>(u, times<T>(2, v)), 96);
    v128.store(to, add<T>(s, times<T>(4, t)), 192);
    v128.store(to, add<T>(add<T>(u, times<T>(8, v)), m5), 288);
    from += step;
  }
}

/** A sum as a float; of int32 times `scale`. */
@inline
function toFloat<T>(v: v128, scale: v128): v128 {
  if (isFloat<T>()) return v;
  else return f32x4.mul(f32x4.convert_i32x4_s(v), scale);
}

/** A of F(4×4) on one line of six vectors: four pixels of each of four tiles, in four places; of int32 by `scale`. */
@inline
export function resultRow4<T>(line: usize, scale: v128, a: usize, b: usize, c: usize, d: usize): void {
  const m1 = v128.load(line, 16);
  const m2 = v128.load(line, 32);
  const m3 = v128.load(line, 48);
  const m4 = v128.load(line, 64);
  const s = add<T>(m1, m2);
  const t = add<T>(m3, m4);
  const u = sub<T>(m1, m2);
  const v = sub<T>(m3, m4);
  const y0 = toFloat<T>(add<T>(add<T>(v128.load(line), s), t), scale);
  const y1 = toFloat<T>(add<T>(u, times<T>(2, v)), scale);
  const y2 = toFloat<T>(add<T>(s, times<T>(4, t)), scale);
  const y3 = toFloat<T>(add<T>(add<T>(u, times<T>(8, v)), v128.load(line, 80)), scale);
  const ab = interleaveLow(y0, y1);
  const cd = interleaveLow(y2, y3);
  const AB = interleaveHigh(y0, y1);
  const CD = interleaveHigh(y2, y3);
  v128.store(a, joinLow(ab, cd));
  v128.store(b, joinHigh(ab, cd));
  v128.store(c, joinLow(AB, CD));
  v128.store(d, joinHigh(AB, CD));
}

/** Aᵀ of F(2×2) on columns: 16 vectors to two lines of four, 64 bytes apart. */
export function resultColumns2(from: usize, step: usize, to: usize): void {
  const row = 4 * step;
  for (const end = to + 64; to < end; to += 16) {
    const m1 = v128.load(from + row);
    const m2 = v128.load(from + 2 * row);
    v128.store(to, add<f32>(add<f32>(v128.load(from), m1), m2));
    v128.store(to, sub<f32>(sub<f32>(m1, m2), v128.load(from + 3 * row)), 64);
    from += step;
  }
}

/** A of F(2×2) on one line: two pixels of each of four tiles, to four places. */
@inline
export function resultRow2(line: usize, a: usize, b: usize, c: usize, d: usize): void {
  const m1 = v128.load(line, 16);
  const m2 = v128.load(line, 32);
  const y0 = add<f32>(add<f32>(v128.load(line), m1), m2);
  const y1 = sub<f32>(sub<f32>(m1, m2), v128.load(line, 48));
  const ab = interleaveLow(y0, y1);
  const cd = interleaveHigh(y0, y1);
  v128.store64_lane(a, ab, 0);
  v128.store64_lane(b, ab, 1);
  v128.store64_lane(c, cd, 0);
  v128.store64_lane(d, cd, 1);
}
