/** Small vector helpers every kernel shares. */

/** a·b + c, fused where the build has relaxed SIMD. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

/** a·b + c in float32, or (T = i16) in int32 with every word a pair of int16: c + a₀·b₀ + a₁·b₁. */
@inline
export function maddOf<T>(a: v128, b: v128, c: v128): v128 {
  if (isFloat<T>()) return madd(a, b, c);
  else return i32x4.add(i32x4.dot_i16x8_s(a, b), c);
}

/** Transpose of a … d: columns are joinLow, joinHigh of interleaveLow(a, b), interleaveLow(c, d); then of …High. */
@inline
export function interleaveLow(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 4, 1, 5);
}

@inline
export function interleaveHigh(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 2, 6, 3, 7);
}

@inline
export function joinLow(a: v128, b: v128): v128 {
  return i64x2.shuffle(a, b, 0, 2);
}

@inline
export function joinHigh(a: v128, b: v128): v128 {
  return i64x2.shuffle(a, b, 1, 3);
}

/** Stores the first `count` (1 … 3) lanes. */
export function storeLanes(to: usize, v: v128, count: i32): void {
  v128.store32_lane(to, v, 0);
  if (count > 1) v128.store32_lane(to, v, 1, 4);
  if (count > 2) v128.store32_lane(to, v, 2, 8);
}

/** Loads the first `count` (1 … 3) lanes, zero in the others. */
export function loadLanes(from: usize, count: i32): v128 {
  let v = v128.load32_zero(from);
  if (count > 1) v = v128.load32_lane(from, v, 1, 4);
  if (count > 2) v = v128.load32_lane(from, v, 2, 8);
  return v;
}

/** All bits set in the first `count` (1 … 3) lanes. */
@inline
export function firstLanes(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}

/** Stores a vector, or its first `left` lanes if fewer than four are left. */
@inline
export function storeUpTo(to: usize, v: v128, left: i32): void {
  if (left >= 4) v128.store(to, v);
  else storeLanes(to, v, left);
}

/** The first two lanes as doubles. */
@inline
export function lowDoubles(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

/** The last two lanes as doubles. */
@inline
export function highDoubles(v: v128): v128 {
  return f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3));
}

/** Sum of the two lanes of doubles. */
@inline
export function sumDoubles(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Sum of the four lanes in float64. */
@inline
export function sumLanes(v: v128): f64 {
  return (
    (<f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1)) +
    (<f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3))
  );
}

/** Copies `count` floats forward. */
export function copyFloats(from: usize, to: usize, count: i32): void {
  const end = to + (<usize>(count & ~3) << 2);
  while (to < end) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 16;
  }
  if (count & 3) storeLanes(to, v128.load(from), count & 3);
}

/** Fills `count` words. */
export function fillWords(to: usize, v: v128, count: i32): void {
  const end = to + (<usize>(count & ~3) << 2);
  while (to < end) {
    v128.store(to, v);
    to += 16;
  }
  if (count & 3) storeLanes(to, v, count & 3);
}
