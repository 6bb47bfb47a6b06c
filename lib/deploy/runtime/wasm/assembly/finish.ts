/**
 * What follows an accumulator: sums of a run of pixels to the integers of the next layer. A channel's record has eight
 * words: factor, constant, shift, low, high, thresholds, their count, and one to spare.
 *
 * - raw: the sums themselves, as int32;
 * - affine: `clip((a·factor + constant) >> shift, low, high)`; the host has tried it on every threshold;
 * - compare: `constant + factor · #{a ≥ threshold}`, all thresholds one after the other;
 * - search: the same, by bisection;
 * - wide: `clip(⌊a·factor + constant⌋, low, high)` in float64, of which the record has two, then low and high.
 *
 * Where the mask is zero (around images), so are results, except raw ones.
 */
export const RAW = 0;
export const AFFINE = 1;
export const COMPARE = 2;
export const WIDE = 4;

/** Clips, and packs the low bytes of two vectors of int16. */
@inline
function packed(a: v128, b: v128, low: v128, high: v128): v128 {
  const ones = i16x8.splat(0xff);
  const x = v128.and(i16x8.max_s(i16x8.min_s(a, high), low), ones);
  const y = v128.and(i16x8.max_s(i16x8.min_s(b, high), low), ones);
  return i8x16.narrow_i16x8_u(x, y);
}

@inline
function lowHalves(a: v128): v128 {
  return i16x8.shuffle(a, a, 0, 0, 1, 1, 2, 2, 3, 3);
}

@inline
function highHalves(a: v128): v128 {
  return i16x8.shuffle(a, a, 4, 4, 5, 5, 6, 6, 7, 7);
}

/** (a·factor + constant) >> shift of eight int16. */
@inline
function line16(a: v128, factor: v128, constant: v128, shift: i32): v128 {
  const low = i32x4.add(i32x4.dot_i16x8_s(lowHalves(a), factor), constant);
  const high = i32x4.add(i32x4.dot_i16x8_s(highHalves(a), factor), constant);
  return i16x8.narrow_i32x4_s(i32x4.shr_s(low, shift), i32x4.shr_s(high, shift));
}

function affine16(acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  const factor = i32x4.splat(load<i32>(record) & 0xffff);
  const constant = v128.load32_splat(record, 4);
  const shift = load<i32>(record, 8);
  const low = v128.load16_splat(record, 12);
  const high = v128.load16_splat(record, 16);
  for (let i = 0; i < lanes; i += 16) {
    const a = line16(v128.load(acc), factor, constant, shift);
    const b = line16(v128.load(acc, 16), factor, constant, shift);
    v128.store(out + i, v128.and(packed(a, b, low, high), v128.load(mask + i)));
    acc += 32;
  }
}

@inline
function line32(acc: usize, factor: v128, constant: v128, shift: i32): v128 {
  const low = i32x4.add(i32x4.mul(v128.load(acc), factor), constant);
  const high = i32x4.add(i32x4.mul(v128.load(acc, 16), factor), constant);
  return i16x8.narrow_i32x4_s(i32x4.shr_s(low, shift), i32x4.shr_s(high, shift));
}

function affine32(acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  const factor = v128.load32_splat(record);
  const constant = v128.load32_splat(record, 4);
  const shift = load<i32>(record, 8);
  const low = v128.load16_splat(record, 12);
  const high = v128.load16_splat(record, 16);
  for (let i = 0; i < lanes; i += 16) {
    const a = line32(acc, factor, constant, shift);
    const b = line32(acc + 32, factor, constant, shift);
    v128.store(out + i, v128.and(packed(a, b, low, high), v128.load(mask + i)));
    acc += 64;
  }
}

/** ⌊a·factor + constant⌋ of four int32. */
@inline
function wideLine(a: v128, factor: v128, constant: v128): v128 {
  const low = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(a), factor), constant);
  const high = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(i32x4.shuffle(a, a, 2, 3, 2, 3)), factor), constant);
  const x = i32x4.trunc_sat_f64x2_s_zero(f64x2.floor(low));
  const y = i32x4.trunc_sat_f64x2_s_zero(f64x2.floor(high));
  return i64x2.shuffle(x, y, 0, 2);
}

function wide32(acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  const factor = v128.load64_splat(record);
  const constant = v128.load64_splat(record, 8);
  const low = v128.load16_splat(record, 16);
  const high = v128.load16_splat(record, 20);
  for (let i = 0; i < lanes; i += 16) {
    const p = wideLine(v128.load(acc), factor, constant);
    const q = wideLine(v128.load(acc, 16), factor, constant);
    const r = wideLine(v128.load(acc, 32), factor, constant);
    const s = wideLine(v128.load(acc, 48), factor, constant);
    const bytes = packed(i16x8.narrow_i32x4_s(p, q), i16x8.narrow_i32x4_s(r, s), low, high);
    v128.store(out + i, v128.and(bytes, v128.load(mask + i)));
    acc += 64;
  }
}

function compare16(acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  const sign = v128.load16_splat(record);
  const base = v128.load16_splat(record, 4);
  const first = load<usize>(record, 20);
  const last = first + (load<usize>(record, 24) << 2);
  const least = i16x8.splat(-0x8000);
  for (let i = 0; i < lanes; i += 16) {
    const a = v128.load(acc);
    const b = v128.load(acc, 16);
    let c = i16x8.splat(0);
    let d = i16x8.splat(0);
    for (let at = first; at < last; at += 4) {
      const t = v128.load16_splat(at);
      c = i16x8.sub(c, i16x8.ge_s(a, t));
      d = i16x8.sub(d, i16x8.ge_s(b, t));
    }
    c = i16x8.add(i16x8.mul(c, sign), base);
    d = i16x8.add(i16x8.mul(d, sign), base);
    v128.store(out + i, v128.and(packed(c, d, least, i16x8.splat(0x7fff)), v128.load(mask + i)));
    acc += 32;
  }
}

/** By bisection, one after the other, sums of T. */
function search<T>(acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  const sign = load<i32>(record);
  const base = load<i32>(record, 4);
  const first = load<usize>(record, 20);
  const count = load<i32>(record, 24);
  for (let i = 0; i < lanes; i++) {
    const a = <i32>load<T>(acc + (<usize>i * sizeof<T>()));
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (a >= load<i32>(first + (<usize>middle << 2))) low = middle + 1;
      else high = middle;
    }
    store<u8>(out + i, <u8>(base + sign * low) & load<u8>(mask + i));
  }
}

function raw16(acc: usize, lanes: i32, out: usize): void {
  for (const end = acc + (<usize>lanes << 1); acc < end; acc += 16) {
    const a = v128.load(acc);
    v128.store(out, i32x4.extend_low_i16x8_s(a));
    v128.store(out, i32x4.extend_high_i16x8_s(a), 16);
    out += 32;
  }
}

/** Finishes sums in int16; `lanes` are whole sixteens. */
export function finish16(kind: i32, acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  if (kind == AFFINE) affine16(acc, lanes, record, mask, out);
  else if (kind == RAW) raw16(acc, lanes, out);
  else if (kind == COMPARE) compare16(acc, lanes, record, mask, out);
  else search<i16>(acc, lanes, record, mask, out);
}

/** Finishes sums in int32. */
export function finish32(kind: i32, acc: usize, lanes: i32, record: usize, mask: usize, out: usize): void {
  if (kind == AFFINE) affine32(acc, lanes, record, mask, out);
  else if (kind == RAW) memory.copy(out, acc, <usize>lanes << 2);
  else if (kind == WIDE) wide32(acc, lanes, record, mask, out);
  else search<i32>(acc, lanes, record, mask, out);
}

/** Bytes that `lanes` results take. */
@inline
export function resultBytes(kind: i32, lanes: usize): usize {
  return kind == RAW ? lanes << 2 : lanes;
}

/** Lanes requantized at once. */
const RUN = 128;

/** Planes of int32 (`bytes` 4) or of bytes, signed or not, through `finish`; a unit is a plane. */
export function requantize(
  begin: i32, end: i32, scratch: usize,
  x: usize, bytes: i32, isUnsigned: i32, lanes: i32, kind: i32, records: usize, step: usize, mask: usize, out: usize,
): void {
  for (let plane = <usize>begin; plane < <usize>end; plane++) {
    const record = records + plane * step;
    const from = x + plane * <usize>(lanes * bytes);
    const to = out + plane * lanes;
    for (let at = 0; at < lanes; at += RUN) {
      const count = min(RUN, lanes - at);
      if (bytes == 4) finish32(kind, from + (<usize>at << 2), count, record, mask + at, to + at);
      else {
        for (let i = 0; i < count; i += 8) {
          const values = isUnsigned ? v128.load8x8_u(from + at + i) : v128.load8x8_s(from + at + i);
          v128.store(scratch + (<usize>i << 1), values);
        }
        finish16(kind, scratch, count, record, mask + at, to + at);
      }
    }
  }
}
