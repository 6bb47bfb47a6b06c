/**
 * The inner loops everything heavy runs in: 5 × 8 outputs in ten vector accumulators (see blocking.ts). Each loop stays alone and
 * rolled, because the compilers in use spill otherwise. For that reason they are exported too, which keeps the optimiser from inlining
 * them, and write plain results that another function adds up.
 */
import { PANEL_BYTES, QUAD_BYTES, TILE_BYTES } from './blocking';
import { maddOf, madd } from './simd';

/**
 * c (5 × 8, row stride `ldc` bytes) = or += a·b, from panels a `[k][5]` and b `[k][8]`.
 */
export function microPacked<T>(k: i32, a: usize, b: usize, c: usize, ldc: usize, add: i32): void {
  let c00 = i32x4.splat(0);
  let c01 = i32x4.splat(0);
  let c10 = i32x4.splat(0);
  let c11 = i32x4.splat(0);
  let c20 = i32x4.splat(0);
  let c21 = i32x4.splat(0);
  let c30 = i32x4.splat(0);
  let c31 = i32x4.splat(0);
  let c40 = i32x4.splat(0);
  let c41 = i32x4.splat(0);
  const end = a + <usize>k * PANEL_BYTES;
  while (a < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let s = v128.load32_splat(a);
    c00 = maddOf<T>(s, b0, c00);
    c01 = maddOf<T>(s, b1, c01);
    s = v128.load32_splat(a, 4);
    c10 = maddOf<T>(s, b0, c10);
    c11 = maddOf<T>(s, b1, c11);
    s = v128.load32_splat(a, 8);
    c20 = maddOf<T>(s, b0, c20);
    c21 = maddOf<T>(s, b1, c21);
    s = v128.load32_splat(a, 12);
    c30 = maddOf<T>(s, b0, c30);
    c31 = maddOf<T>(s, b1, c31);
    s = v128.load32_splat(a, 16);
    c40 = maddOf<T>(s, b0, c40);
    c41 = maddOf<T>(s, b1, c41);
    a += PANEL_BYTES;
    b += 32;
  }
  if (add) {
    v128.store(c, v128.add<T>(v128.load(c), c00));
    v128.store(c, v128.add<T>(v128.load(c, 16), c01), 16);
    c += ldc;
    v128.store(c, v128.add<T>(v128.load(c), c10));
    v128.store(c, v128.add<T>(v128.load(c, 16), c11), 16);
    c += ldc;
    v128.store(c, v128.add<T>(v128.load(c), c20));
    v128.store(c, v128.add<T>(v128.load(c, 16), c21), 16);
    c += ldc;
    v128.store(c, v128.add<T>(v128.load(c), c30));
    v128.store(c, v128.add<T>(v128.load(c, 16), c31), 16);
    c += ldc;
    v128.store(c, v128.add<T>(v128.load(c), c40));
    v128.store(c, v128.add<T>(v128.load(c, 16), c41), 16);
    return;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += ldc;
  v128.store(c, c30);
  v128.store(c, c31, 16);
  c += ldc;
  v128.store(c, c40);
  v128.store(c, c41, 16);
}

/**
 * c (5 × 8) = a · b, where row k of b is the eight floats at `base + offsets[k]`: a convolution window read in place.
 */
export function microWindow(k: i32, a: usize, base: usize, offsets: usize, c: usize, ldc: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  const end = a + <usize>k * PANEL_BYTES;
  while (a < end) {
    const b = base + load<usize>(offsets);
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let s = v128.load32_splat(a);
    c00 = madd(s, b0, c00);
    c01 = madd(s, b1, c01);
    s = v128.load32_splat(a, 4);
    c10 = madd(s, b0, c10);
    c11 = madd(s, b1, c11);
    s = v128.load32_splat(a, 8);
    c20 = madd(s, b0, c20);
    c21 = madd(s, b1, c21);
    s = v128.load32_splat(a, 12);
    c30 = madd(s, b0, c30);
    c31 = madd(s, b1, c31);
    s = v128.load32_splat(a, 16);
    c40 = madd(s, b0, c40);
    c41 = madd(s, b1, c41);
    a += PANEL_BYTES;
    offsets += 4;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += ldc;
  v128.store(c, c30);
  v128.store(c, c31, 16);
  c += ldc;
  v128.store(c, c40);
  v128.store(c, c41, 16);
}

/**
 * Ten dot products along pixels, their lanes kept apart: `tile[i][j] = Σ g[quad][i] · x_j[table[quad]]` for five rows i of
 * the gradient panel `[quad][5][4]` and two input rows j.
 */
export function microDot(quads: i32, g: usize, table: usize, x0: usize, x1: usize, tile: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  const end = g + <usize>quads * QUAD_BYTES;
  while (g < end) {
    const t = load<usize>(table);
    const u = v128.load(x0 + t);
    const v = v128.load(x1 + t);
    c00 = madd(v128.load(g), u, c00);
    c01 = madd(v128.load(g), v, c01);
    c10 = madd(v128.load(g, 16), u, c10);
    c11 = madd(v128.load(g, 16), v, c11);
    c20 = madd(v128.load(g, 32), u, c20);
    c21 = madd(v128.load(g, 32), v, c21);
    c30 = madd(v128.load(g, 48), u, c30);
    c31 = madd(v128.load(g, 48), v, c31);
    c40 = madd(v128.load(g, 64), u, c40);
    c41 = madd(v128.load(g, 64), v, c41);
    g += QUAD_BYTES;
    table += 4;
  }
  v128.store(tile, c00);
  v128.store(tile, c01, 16);
  v128.store(tile, c10, 32);
  v128.store(tile, c11, 48);
  v128.store(tile, c20, 64);
  v128.store(tile, c21, 80);
  v128.store(tile, c30, 96);
  v128.store(tile, c31, 112);
  v128.store(tile, c40, 128);
  v128.store(tile, c41, 144);
}

/** Adds a tile of `microDot` to the running sums. */
export function addTile(tile: usize, sums: usize): void {
  for (let i: usize = 0; i < <usize>TILE_BYTES; i += 16) v128.store(sums + i, f32x4.add(v128.load(sums + i), v128.load(tile + i)));
}
