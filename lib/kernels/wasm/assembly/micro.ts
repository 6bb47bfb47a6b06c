/**
 * The inner loops everything heavy runs in: 5 × 8 outputs in ten vector accumulators (see blocking.ts). Each loop stays
 * alone, rolled and not inlined (exported, or called from several places), because compilers spill otherwise.
 */
import { madd, maddOf } from './simd';

/** Sums of products of T: pairs of int16 add up in int32. */
@inline
function addSums<T>(a: v128, b: v128): v128 {
  if (isFloat<T>()) return f32x4.add(a, b);
  else return i32x4.add(a, b);
}

/** Both kinds of rows of b: `next` is their distance, or a list of their offsets. */
@inline
function microOf<T>(
  isTable: bool, k: i32, a: usize, lda: usize, b: usize, next: usize, c: usize, ldc: usize, add: i32,
): void {
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
  for (; k > 0; k--) {
    const from = isTable ? b + load<usize>(next) : b;
    const b0 = v128.load(from);
    const b1 = v128.load(from, 16);
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
    a += lda;
    if (isTable) next += 4;
    else b += next;
  }
  if (add) {
    v128.store(c, addSums<T>(v128.load(c), c00));
    v128.store(c, addSums<T>(v128.load(c, 16), c01), 16);
    c += ldc;
    v128.store(c, addSums<T>(v128.load(c), c10));
    v128.store(c, addSums<T>(v128.load(c, 16), c11), 16);
    c += ldc;
    v128.store(c, addSums<T>(v128.load(c), c20));
    v128.store(c, addSums<T>(v128.load(c, 16), c21), 16);
    c += ldc;
    v128.store(c, addSums<T>(v128.load(c), c30));
    v128.store(c, addSums<T>(v128.load(c, 16), c31), 16);
    c += ldc;
    v128.store(c, addSums<T>(v128.load(c), c40));
    v128.store(c, addSums<T>(v128.load(c, 16), c41), 16);
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
 * c (5 × 8, rows `ldc` bytes apart) = or += aᵀ·b: row k of a are five adjacent values, of b eight; rows lie `lda` and
 * `ldb` bytes apart.
 */
export function microStrided<T>(
  k: i32, a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, add: i32,
): void {
  microOf<T>(false, k, a, lda, b, ldb, c, ldc, add);
}

/** As `microStrided`, but row k of b are the eight values at `b + offsets[k]`: windows read in place. */
export function microTable(
  k: i32, a: usize, lda: usize, b: usize, offsets: usize, c: usize, ldc: usize, add: i32,
): void {
  microOf<f32>(true, k, a, lda, b, offsets, c, ldc, add);
}

/** On pairs of int16, to int32. */
export function microTablePairs(
  k: i32, a: usize, lda: usize, b: usize, offsets: usize, c: usize, ldc: usize, add: i32,
): void {
  microOf<i16>(true, k, a, lda, b, offsets, c, ldc, add);
}

/**
 * As `microTable`, for the first three values of rows of a and twelve columns: products with few outputs, of which five
 * rows would waste two.
 */
export function microTable3(
  k: i32, a: usize, lda: usize, b: usize, offsets: usize, c: usize, ldc: usize, add: i32,
): void {
  let c00 = i32x4.splat(0);
  let c01 = i32x4.splat(0);
  let c02 = i32x4.splat(0);
  let c10 = i32x4.splat(0);
  let c11 = i32x4.splat(0);
  let c12 = i32x4.splat(0);
  let c20 = i32x4.splat(0);
  let c21 = i32x4.splat(0);
  let c22 = i32x4.splat(0);
  for (; k > 0; k--) {
    const from = b + load<usize>(offsets);
    const b0 = v128.load(from);
    const b1 = v128.load(from, 16);
    const b2 = v128.load(from, 32);
    let s = v128.load32_splat(a);
    c00 = madd(s, b0, c00);
    c01 = madd(s, b1, c01);
    c02 = madd(s, b2, c02);
    s = v128.load32_splat(a, 4);
    c10 = madd(s, b0, c10);
    c11 = madd(s, b1, c11);
    c12 = madd(s, b2, c12);
    s = v128.load32_splat(a, 8);
    c20 = madd(s, b0, c20);
    c21 = madd(s, b1, c21);
    c22 = madd(s, b2, c22);
    a += lda;
    offsets += 4;
  }
  if (add) {
    v128.store(c, f32x4.add(v128.load(c), c00));
    v128.store(c, f32x4.add(v128.load(c, 16), c01), 16);
    v128.store(c, f32x4.add(v128.load(c, 32), c02), 32);
    c += ldc;
    v128.store(c, f32x4.add(v128.load(c), c10));
    v128.store(c, f32x4.add(v128.load(c, 16), c11), 16);
    v128.store(c, f32x4.add(v128.load(c, 32), c12), 32);
    c += ldc;
    v128.store(c, f32x4.add(v128.load(c), c20));
    v128.store(c, f32x4.add(v128.load(c, 16), c21), 16);
    v128.store(c, f32x4.add(v128.load(c, 32), c22), 32);
    return;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c, c02, 32);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  v128.store(c, c12, 32);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  v128.store(c, c22, 32);
}
