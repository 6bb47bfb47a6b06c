/**
 * The transforms of Winograd's minimal filtering (Lavin and Gray 2016), four tiles at a time, one in each lane: F(4×4, 3×3)
 * with 6 × 6 patches and F(2×2, 3×3) with 4 × 4 patches. Frequencies are numbered row-major; `step` is the distance in
 * bytes between them. `work` is 576 bytes of scratch.
 */

/** Loads four floats at each of four addresses; lane t of the k-th vector stored at `to` is float k of address t. */
@inline
function loadColumns(a: usize, b: usize, c: usize, d: usize, to: usize): void {
  transposeTo(v128.load(a), v128.load(b), v128.load(c), v128.load(d), to);
}

@inline
function transposeTo(a: v128, b: v128, c: v128, d: v128, to: usize): void {
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5);
  const cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const AB = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(ab, cd, 0, 2));
  v128.store(to, i64x2.shuffle(ab, cd, 1, 3), 16);
  v128.store(to, i64x2.shuffle(AB, CD, 0, 2), 32);
  v128.store(to, i64x2.shuffle(AB, CD, 1, 3), 48);
}

@inline
function times(k: f32, v: v128): v128 {
  return f32x4.mul(f32x4.splat(k), v);
}

@inline
function add(a: v128, b: v128): v128 {
  return f32x4.add(a, b);
}

@inline
function sub(a: v128, b: v128): v128 {
  return f32x4.sub(a, b);
}

/** Bᵀ of F(4×4): six vectors `by` bytes apart to six vectors `step` bytes apart. */
function patchLine4(from: usize, by: usize, to: usize, step: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + by);
  const d2 = v128.load(from + 2 * by);
  const d3 = v128.load(from + 3 * by);
  const d4 = v128.load(from + 4 * by);
  const d5 = v128.load(from + 5 * by);
  v128.store(to, add(sub(times(4, d0), times(5, d2)), d4));
  const even = sub(d4, times(4, d2));
  const odd = sub(d3, times(4, d1));
  v128.store(to + step, add(even, odd));
  v128.store(to + 2 * step, sub(even, odd));
  const less = sub(d4, d2);
  const twice = times(2, sub(d3, d1));
  v128.store(to + 3 * step, add(less, twice));
  v128.store(to + 4 * step, sub(less, twice));
  v128.store(to + 5 * step, add(sub(times(4, d1), times(5, d3)), d5));
}

/** Bᵀ·d·B of the 6 × 6 patches at four addresses with rows `row` bytes apart. */
export function transformPatches4(
  a: usize, b: usize, c: usize, d: usize, row: usize, work: usize, to: usize, step: usize,
): void {
  const columns = work + 576;
  for (let y: usize = 0; y < 6; y++) {
    loadColumns(a, b, c, d, columns);
    const ab = i32x4.shuffle(v128.load64_zero(a, 16), v128.load64_zero(b, 16), 0, 4, 1, 5);
    const cd = i32x4.shuffle(v128.load64_zero(c, 16), v128.load64_zero(d, 16), 0, 4, 1, 5);
    v128.store(columns, i64x2.shuffle(ab, cd, 0, 2), 64);
    v128.store(columns, i64x2.shuffle(ab, cd, 1, 3), 80);
    patchLine4(columns, 16, work + y * 96, 16);
    a += row;
    b += row;
    c += row;
    d += row;
  }
  for (let x: usize = 0; x < 6; x++) patchLine4(work + x * 16, 96, to + x * step, 6 * step);
}

/** Bᵀ of F(2×2). */
function patchLine2(from: usize, by: usize, to: usize, step: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + by);
  const d2 = v128.load(from + 2 * by);
  const d3 = v128.load(from + 3 * by);
  v128.store(to, sub(d0, d2));
  v128.store(to + step, add(d1, d2));
  v128.store(to + 2 * step, sub(d2, d1));
  v128.store(to + 3 * step, sub(d1, d3));
}

/** Bᵀ·d·B of 4 × 4 patches. */
export function transformPatches2(
  a: usize, b: usize, c: usize, d: usize, row: usize, work: usize, to: usize, step: usize,
): void {
  const columns = work + 576;
  for (let y: usize = 0; y < 4; y++) {
    loadColumns(a, b, c, d, columns);
    patchLine2(columns, 16, work + y * 64, 16);
    a += row;
    b += row;
    c += row;
    d += row;
  }
  for (let x: usize = 0; x < 4; x++) patchLine2(work + x * 16, 64, to + x * step, 4 * step);
}

/** Aᵀ of F(4×4): six vectors to four. */
function resultLine4(from: usize, by: usize, to: usize, step: usize): void {
  const m0 = v128.load(from);
  const m1 = v128.load(from + by);
  const m2 = v128.load(from + 2 * by);
  const m3 = v128.load(from + 3 * by);
  const m4 = v128.load(from + 4 * by);
  const m5 = v128.load(from + 5 * by);
  const s = add(m1, m2);
  const t = add(m3, m4);
  const u = sub(m1, m2);
  const v = sub(m3, m4);
  v128.store(to, add(add(m0, s), t));
  v128.store(to + step, add(u, times(2, v)));
  v128.store(to + 2 * step, add(s, times(4, t)));
  v128.store(to + 3 * step, add(add(u, times(8, v)), m5));
}

/** Aᵀ·m·A: rows of four pixels of four tiles, `[row][tile][4]`, stored at `to`. */
export function transformResults4(from: usize, step: usize, work: usize, to: usize): void {
  for (let x: usize = 0; x < 6; x++) resultLine4(from + x * step, 6 * step, work + x * 16, 96);
  for (let y: usize = 0; y < 4; y++) {
    const line = to + y * 64;
    resultLine4(work + y * 96, 16, line, 16);
    loadColumns(line, line + 16, line + 32, line + 48, line);
  }
}

function resultLine2(from: usize, by: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + by);
  const m2 = v128.load(from + 2 * by);
  v128.store(to, add(add(v128.load(from), m1), m2));
  v128.store(to + step, sub(sub(m1, m2), v128.load(from + 3 * by)));
}

/** Aᵀ·m·A of F(2×2), stored as by `transformResults4`; pixels 2 and 3 of a row mean nothing. */
export function transformResults2(from: usize, step: usize, work: usize, to: usize): void {
  for (let x: usize = 0; x < 4; x++) resultLine2(from + x * step, 4 * step, work + x * 16, 64);
  for (let y: usize = 0; y < 2; y++) {
    const line = to + y * 64;
    resultLine2(work + y * 64, 16, line, 16);
    loadColumns(line, line + 16, line, line + 16, line);
  }
}

/** A of F(4×4): four vectors to six. */
function gradientLine4(from: usize, by: usize, to: usize, step: usize): void {
  const y0 = v128.load(from);
  const y1 = v128.load(from + by);
  const y2 = v128.load(from + 2 * by);
  const y3 = v128.load(from + 3 * by);
  v128.store(to, y0);
  const even = add(y0, y2);
  const odd = add(y1, y3);
  v128.store(to + step, add(even, odd));
  v128.store(to + 2 * step, sub(even, odd));
  const far = add(y0, times(4, y2));
  const wide = add(times(2, y1), times(8, y3));
  v128.store(to + 3 * step, add(far, wide));
  v128.store(to + 4 * step, sub(far, wide));
  v128.store(to + 5 * step, y3);
}

/** A·g·Aᵀ of the 4 × 4 output gradients at four addresses. */
export function transformGradients4(
  a: usize, b: usize, c: usize, d: usize, row: usize, work: usize, to: usize, step: usize,
): void {
  const columns = work + 576;
  for (let y: usize = 0; y < 4; y++) {
    loadColumns(a, b, c, d, columns);
    gradientLine4(columns, 16, work + y * 96, 16);
    a += row;
    b += row;
    c += row;
    d += row;
  }
  for (let x: usize = 0; x < 6; x++) gradientLine4(work + x * 16, 96, to + x * step, 6 * step);
}

/** G of F(4×4): three vectors to six. */
function filterLine4(from: usize, by: usize, to: usize, step: usize): void {
  const w0 = v128.load(from);
  const w1 = v128.load(from + by);
  const w2 = v128.load(from + 2 * by);
  v128.store(to, times(0.25, w0));
  const ends = times(-1.0 / 6.0, add(w0, w2));
  const middle = times(1.0 / 6.0, w1);
  v128.store(to + step, sub(ends, middle));
  v128.store(to + 2 * step, add(ends, middle));
  const outer = add(times(1.0 / 24.0, w0), times(1.0 / 6.0, w2));
  const inner = times(1.0 / 12.0, w1);
  v128.store(to + 3 * step, add(outer, inner));
  v128.store(to + 4 * step, sub(outer, inner));
  v128.store(to + 5 * step, w2);
}

function filterLine2(from: usize, by: usize, to: usize, step: usize): void {
  const w0 = v128.load(from);
  const w1 = v128.load(from + by);
  const w2 = v128.load(from + 2 * by);
  v128.store(to, w0);
  const ends = times(0.5, add(w0, w2));
  const middle = times(0.5, w1);
  v128.store(to + step, add(ends, middle));
  v128.store(to + 2 * step, sub(ends, middle));
  v128.store(to + 3 * step, w2);
}

/** G·w·Gᵀ of four filters in lanes, nine vectors at `from`; `edge` is 4 or 2. */
export function transformFilters(edge: i32, from: usize, work: usize, to: usize): void {
  if (edge == 4) {
    for (let s: usize = 0; s < 3; s++) filterLine4(from + s * 16, 48, work + s * 16, 48);
    for (let y: usize = 0; y < 6; y++) filterLine4(work + y * 48, 16, to + y * 96, 16);
  } else {
    for (let s: usize = 0; s < 3; s++) filterLine2(from + s * 16, 48, work + s * 16, 48);
    for (let y: usize = 0; y < 4; y++) filterLine2(work + y * 48, 16, to + y * 64, 16);
  }
}

/** Gᵀ of F(4×4): six vectors to three. */
function weightLine4(from: usize, by: usize, to: usize, step: usize): void {
  const s1 = v128.load(from + by);
  const s2 = v128.load(from + 2 * by);
  const s3 = v128.load(from + 3 * by);
  const s4 = v128.load(from + 4 * by);
  const near = times(1.0 / 6.0, add(s1, s2));
  const far = add(s3, s4);
  v128.store(to, add(sub(times(0.25, v128.load(from)), near), times(1.0 / 24.0, far)));
  v128.store(to + step, add(times(1.0 / 6.0, sub(s2, s1)), times(1.0 / 12.0, sub(s3, s4))));
  v128.store(to + 2 * step, add(sub(times(1.0 / 6.0, far), near), v128.load(from + 5 * by)));
}

/** Gᵀ·s·G of four sums in lanes: 36 vectors at `from` to nine at `to`. */
export function transformWeights4(from: usize, work: usize, to: usize): void {
  for (let x: usize = 0; x < 6; x++) weightLine4(from + x * 16, 96, work + x * 16, 96);
  for (let r: usize = 0; r < 3; r++) weightLine4(work + r * 96, 16, to + r * 48, 16);
}
