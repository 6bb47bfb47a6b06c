/**
 * Sums over the taps of a window, one channel at a time, weights that are zero left out: depthwise and grouped
 * convolutions, sums over windows. A channel's table: the number of taps; for each the offset of its input and its
 * weight. A unit is a block of 32 pixels. Sums in int16 are right where the channel's range fits 16 bits, as all wraps.
 */
import { finish16, finish32, resultBytes } from './finish';

@inline
function eight<T>(from: usize): v128 {
  if (isSigned<T>()) return v128.load8x8_s(from);
  else return v128.load8x8_u(from);
}

@inline
function run16<T>(from: usize, table: usize, to: usize): usize {
  const last = table + 4 + (load<usize>(table) << 3);
  let a0 = i16x8.splat(0);
  let a1 = i16x8.splat(0);
  let a2 = i16x8.splat(0);
  let a3 = i16x8.splat(0);
  for (table += 4; table < last; table += 8) {
    const x = from + load<usize>(table);
    const w = v128.load16_splat(table, 4);
    a0 = i16x8.add(a0, i16x8.mul(eight<T>(x), w));
    a1 = i16x8.add(a1, i16x8.mul(eight<T>(x + 8), w));
    a2 = i16x8.add(a2, i16x8.mul(eight<T>(x + 16), w));
    a3 = i16x8.add(a3, i16x8.mul(eight<T>(x + 24), w));
  }
  v128.store(to, a0);
  v128.store(to, a1, 16);
  v128.store(to, a2, 32);
  v128.store(to, a3, 48);
  return table;
}

@inline
function run32<T>(from: usize, table: usize, to: usize): usize {
  const last = table + 4 + (load<usize>(table) << 3);
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let a4 = i32x4.splat(0);
  let a5 = i32x4.splat(0);
  let a6 = i32x4.splat(0);
  let a7 = i32x4.splat(0);
  for (table += 4; table < last; table += 8) {
    const x = from + load<usize>(table);
    const w = v128.load16_splat(table, 4);
    let v = eight<T>(x);
    a0 = i32x4.add(a0, i32x4.extmul_low_i16x8_s(v, w));
    a1 = i32x4.add(a1, i32x4.extmul_high_i16x8_s(v, w));
    v = eight<T>(x + 8);
    a2 = i32x4.add(a2, i32x4.extmul_low_i16x8_s(v, w));
    a3 = i32x4.add(a3, i32x4.extmul_high_i16x8_s(v, w));
    v = eight<T>(x + 16);
    a4 = i32x4.add(a4, i32x4.extmul_low_i16x8_s(v, w));
    a5 = i32x4.add(a5, i32x4.extmul_high_i16x8_s(v, w));
    v = eight<T>(x + 24);
    a6 = i32x4.add(a6, i32x4.extmul_low_i16x8_s(v, w));
    a7 = i32x4.add(a7, i32x4.extmul_high_i16x8_s(v, w));
  }
  v128.store(to, a0);
  v128.store(to, a1, 16);
  v128.store(to, a2, 32);
  v128.store(to, a3, 48);
  v128.store(to, a4, 64);
  v128.store(to, a5, 80);
  v128.store(to, a6, 96);
  v128.store(to, a7, 112);
  return table;
}

@inline
function windowSums<T, A>(
  begin: i32, end: i32, scratch: usize,
  x: usize, tables: usize, outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  for (let block = <usize>begin; block < <usize>end; block++) {
    const at = block * 32;
    let table = tables;
    let record = records;
    let to = out + resultBytes(kind, at);
    for (let o = 0; o < outputs; o++) {
      if (sizeof<A>() == 2) {
        table = run16<T>(x + at, table, scratch);
        finish16(kind, scratch, 32, record, mask + at, to);
      } else {
        table = run32<T>(x + at, table, scratch);
        finish32(kind, scratch, 32, record, mask + at, to);
      }
      record += step;
      to += plane;
    }
  }
}

export function windowSums16(
  begin: i32, end: i32, scratch: usize,
  x: usize, tables: usize, outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  windowSums<i8, i16>(begin, end, scratch, x, tables, outputs, kind, records, step, mask, out, plane);
}

export function windowSums16u(
  begin: i32, end: i32, scratch: usize,
  x: usize, tables: usize, outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  windowSums<u8, i16>(begin, end, scratch, x, tables, outputs, kind, records, step, mask, out, plane);
}

export function windowSums32(
  begin: i32, end: i32, scratch: usize,
  x: usize, tables: usize, outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  windowSums<i8, i32>(begin, end, scratch, x, tables, outputs, kind, records, step, mask, out, plane);
}

export function windowSums32u(
  begin: i32, end: i32, scratch: usize,
  x: usize, tables: usize, outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  windowSums<u8, i32>(begin, end, scratch, x, tables, outputs, kind, records, step, mask, out, plane);
}
