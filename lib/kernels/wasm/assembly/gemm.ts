/** Blocked matrix product; operands of any strides are packed into panels, so transposes cost nothing extra. */
import { KC, MC, NC, PANEL_BYTES, ROWS, TILE_BYTES } from './blocking';
import { microStrided } from './micro';
import { packPanel } from './panels';
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from './simd';

/** One product of a batch; strides in bytes, `c` contiguous with row stride `n`. */
@unmanaged
class Product {
  m: i32 = 0;
  n: i32 = 0;
  k: i32 = 0;
  a: usize = 0;
  aBatch: i32 = 0;
  aRow: i32 = 0;
  aColumn: i32 = 0;
  b: usize = 0;
  bBatch: i32 = 0;
  bRow: i32 = 0;
  bColumn: i32 = 0;
  c: usize = 0;
  /** What `begin … end` counts: 0 products of the batch, 1 panels of ROWS rows, 2 panels of eight columns. */
  axis: i32 = 0;
  batch: i32 = 0;
}

/** Panels `[⌈rows/ROWS⌉][depth][ROWS]` of a block of A, zero rows at the end. */
function packA(from: usize, rowStride: usize, columnStride: usize, rows: i32, depth: i32, to: usize): void {
  for (let row = 0; row < rows; row += ROWS) {
    packPanel(from + row * rowStride, rowStride, columnStride, min(ROWS, rows - row), depth, to, PANEL_BYTES);
    to += <usize>depth * PANEL_BYTES;
  }
}

/** Panels `[⌈columns/8⌉][depth][8]` of a block of B, zero columns at the end. */
function packB(from: usize, rowStride: usize, columnStride: usize, depth: i32, columns: i32, to: usize): void {
  for (let column = 0; column < columns; column += 8) {
    const width = min(8, columns - column);
    const base = from + column * columnStride;
    if (width == 8 && columnStride == 4) {
      let p = base;
      for (let k = 0; k < depth; k++) {
        v128.store(to, v128.load(p));
        v128.store(to, v128.load(p, 16), 16);
        p += rowStride;
        to += 32;
      }
    } else if (width == 8 && rowStride == 4) {
      packColumns(base, columnStride, depth, to);
      packColumns(base + 4 * columnStride, columnStride, depth, to + 16);
      to += (<usize>depth) << 5;
    } else {
      for (let k = 0; k < depth; k++) {
        let p = base + k * rowStride;
        for (let j = 0; j < 8; j++) {
          store<u32>(to + ((<usize>j) << 2), j < width ? load<u32>(p) : 0);
          p += columnStride;
        }
        to += 32;
      }
    }
  }
}

/** Half a panel of B from four columns adjacent along k: 4 × 4 transposes. */
function packColumns(c0: usize, stride: usize, depth: i32, to: usize): void {
  const c1 = c0 + stride;
  const c2 = c1 + stride;
  const c3 = c2 + stride;
  const whole = (<usize>(depth & ~3)) << 2;
  let k: usize = 0;
  for (; k < whole; k += 16) {
    const a = v128.load(c0 + k);
    const b = v128.load(c1 + k);
    const c = v128.load(c2 + k);
    const d = v128.load(c3 + k);
    const ab = interleaveLow(a, b);
    const cd = interleaveLow(c, d);
    const AB = interleaveHigh(a, b);
    const CD = interleaveHigh(c, d);
    v128.store(to, joinLow(ab, cd));
    v128.store(to, joinHigh(ab, cd), 32);
    v128.store(to, joinLow(AB, CD), 64);
    v128.store(to, joinHigh(AB, CD), 96);
    to += 128;
  }
  for (const end = (<usize>depth) << 2; k < end; k += 4) {
    store<u32>(to, load<u32>(c0 + k));
    store<u32>(to, load<u32>(c1 + k), 4);
    store<u32>(to, load<u32>(c2 + k), 8);
    store<u32>(to, load<u32>(c3 + k), 12);
    to += 32;
  }
}

/** Rows `top … bottom` and columns `left … right` of one product. */
function multiply(
  p: Product, a: usize, b: usize, c: usize, top: i32, bottom: i32, left: i32, right: i32, scratch: usize,
): void {
  const tile = scratch;
  const panelsA = scratch + TILE_BYTES;
  const panelsB = panelsA + MC * KC * 4;
  const ldc = (<usize>p.n) << 2;
  for (let j0 = left; j0 < right; j0 += NC) {
    const columns = min(NC, right - j0);
    for (let k0 = 0; k0 < p.k; k0 += KC) {
      const depth = min(KC, p.k - k0);
      packB(b + k0 * p.bRow + j0 * p.bColumn, p.bRow, p.bColumn, depth, columns, panelsB);
      for (let i0 = top; i0 < bottom; i0 += MC) {
        const rows = min(MC, bottom - i0);
        packA(a + i0 * p.aRow + k0 * p.aColumn, p.aRow, p.aColumn, rows, depth, panelsA);
        for (let j = 0; j < columns; j += 8) {
          const panelB = panelsB + ((<usize>j * depth) << 2);
          for (let i = 0; i < rows; i += ROWS) {
            const panelA = panelsA + ((<usize>i * depth) << 2);
            const to = c + <usize>(i0 + i) * ldc + ((<usize>(j0 + j)) << 2);
            if (rows - i >= ROWS && columns - j >= 8) {
              microStrided<f32>(depth, panelA, PANEL_BYTES, panelB, 32, to, ldc, <i32>(k0 > 0));
            } else {
              microStrided<f32>(depth, panelA, PANEL_BYTES, panelB, 32, tile, 32, 0);
              storeTile(tile, to, ldc, min(ROWS, rows - i), min(8, columns - j), k0 > 0);
            }
          }
        }
      }
    }
  }
}

/** Copies or adds the valid corner of a 5 × 8 tile. */
function storeTile(tile: usize, to: usize, ldc: usize, rows: i32, columns: i32, add: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j: usize = 0; j < (<usize>columns) << 2; j += 4) {
      const value = load<f32>(tile + j);
      store<f32>(to + j, add ? load<f32>(to + j) + value : value);
    }
    tile += 32;
    to += ldc;
  }
}

/** A batch of products described by the `Product` at `plan`; scratch of `GEMM_SCRATCH` bytes. */
export function gemm(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Product>(plan);
  for (let i = p.axis == 0 ? begin : 0; i < (p.axis == 0 ? end : p.batch); i++) {
    const a = p.a + i * p.aBatch;
    const b = p.b + i * p.bBatch;
    const c = p.c + ((<usize>i * p.m * p.n) << 2);
    if (p.axis == 0) multiply(p, a, b, c, 0, p.m, 0, p.n, scratch);
    else if (p.axis == 1) multiply(p, a, b, c, begin * ROWS, min(end * ROWS, p.m), 0, p.n, scratch);
    else multiply(p, a, b, c, 0, p.m, begin * 8, min(end * 8, p.n), scratch);
  }
}
