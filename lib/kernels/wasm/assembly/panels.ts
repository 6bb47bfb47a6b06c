/** Panels of A for the inner loops: ROWS values of one depth side by side. */
import { PANEL_BYTES, ROWS } from './blocking';
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from './simd';

/**
 * A panel of ROWS rows, 0 if missing: (row, k) is at `from + row·rowStride + k·stride`; depths lie `toStride` apart.
 */
export function packPanel(
  from: usize, rowStride: usize, stride: usize, rows: i32, depth: i32, to: usize, toStride: usize,
): void {
  if (rows == ROWS && stride == 4) {
    packRows(from, rowStride, depth, to, toStride);
  } else if (rows == ROWS && rowStride == 4) {
    for (; depth > 0; depth--) {
      v128.store(to, v128.load(from));
      store<u32>(to, load<u32>(from, 16), 16);
      from += stride;
      to += toStride;
    }
  } else {
    for (; depth > 0; depth--) {
      let at = from;
      for (let i = 0; i < ROWS; i++) {
        store<u32>(to + (<usize>i << 2), i < rows ? load<u32>(at) : 0);
        at += rowStride;
      }
      from += stride;
      to += toStride;
    }
  }
}

/** A whole panel from rows that are adjacent along the depth: transposes of 4 × 4, and the fifth row. */
function packRows(from: usize, stride: usize, depth: i32, to: usize, toStride: usize): void {
  const r1 = from + stride;
  const r2 = r1 + stride;
  const r3 = r2 + stride;
  const r4 = r3 + stride;
  const end = <usize>depth << 2;
  const whole = end & ~15;
  let k: usize = 0;
  for (; k < whole; k += 16) {
    const a = v128.load(from + k);
    const b = v128.load(r1 + k);
    const c = v128.load(r2 + k);
    const d = v128.load(r3 + k);
    const e = v128.load(r4 + k);
    const ab = interleaveLow(a, b);
    const cd = interleaveLow(c, d);
    const AB = interleaveHigh(a, b);
    const CD = interleaveHigh(c, d);
    v128.store(to, joinLow(ab, cd));
    v128.store32_lane(to, e, 0, 16);
    to += toStride;
    v128.store(to, joinHigh(ab, cd));
    v128.store32_lane(to, e, 1, 16);
    to += toStride;
    v128.store(to, joinLow(AB, CD));
    v128.store32_lane(to, e, 2, 16);
    to += toStride;
    v128.store(to, joinHigh(AB, CD));
    v128.store32_lane(to, e, 3, 16);
    to += toStride;
  }
  for (; k < end; k += 4) {
    store<u32>(to, load<u32>(from + k));
    store<u32>(to, load<u32>(r1 + k), 4);
    store<u32>(to, load<u32>(r2 + k), 8);
    store<u32>(to, load<u32>(r3 + k), 12);
    store<u32>(to, load<u32>(r4 + k), 16);
    to += toStride;
  }
}
