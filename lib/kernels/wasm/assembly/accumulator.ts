/**
 * Integer weights that no P-bit accumulator can overflow on inputs of `low … high`. Rows are contiguous floats, each
 * an integer; all sums are exact: float64 holds more than 2^24 weights of 24 bits, and comparisons with 2^(P−1) are
 * right beyond, because rounding is monotone.
 */
import { copyFloats } from './simd';

/** Whether the worst sums of positive weights α and negative ones −b stay in the register. */
export function fits(alpha: f64, b: f64, bits: i32, low: i32, high: i32): bool {
  const half = halfRange(bits);
  return <f64>high * alpha - <f64>low * b < half && <f64>high * b - <f64>low * alpha <= half;
}

/** Reduces a row in place to what the register holds, as the reference backend has it. */
export function fitRow(q: usize, length: i32, bits: i32, low: i32, high: i32): void {
  let above = halfRange(bits) - 1;
  let below = halfRange(bits);
  for (const end = q + (<usize>length << 2); q < end; q += 4) {
    const weight = load<f32>(q);
    const wanted = <f64>abs(weight);
    if (!(wanted > 0)) continue;
    const up = <f64>(weight > 0 ? high : -low);
    const down = <f64>(weight > 0 ? -low : high);
    const kept = min(wanted, min(most(above, up), most(below, down)));
    above -= up * kept;
    below -= down * kept;
    if (kept < wanted) store<f32>(q, copysign<f32>(<f32>kept, weight));
  }
}

/** How many units of `cost` are left. */
@inline
function most(left: f64, cost: f64): f64 {
  return cost == 0 ? Infinity : floor(left / cost);
}

/** 2^(P−1). */
@inline
function halfRange(bits: i32): f64 {
  return <f64>((<i64>1) << (bits - 1));
}

/** Rows `begin … end` as the register holds them. */
export function fitAccumulator(
  begin: i32, end: i32, scratch: usize, q: usize, length: i32, bits: i32, low: i32, high: i32, out: usize,
): void {
  const bytes = <usize>length << 2;
  for (let i = <usize>begin; i < <usize>end; i++) {
    copyFloats(q + i * bytes, out + i * bytes, length);
    fitRow(out + i * bytes, length, bits, low, high);
  }
}
