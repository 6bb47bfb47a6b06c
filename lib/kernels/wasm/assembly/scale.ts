/** Scales of grids from their learned logarithms. */
import { exp2Of } from './math';
import { storeUpTo } from './simd';

/** Elements `begin … end` of `max(2^x, 1e-10) / divisor`. */
export function powerScale(begin: i32, end: i32, scratch: usize, x: usize, divisor: f32, out: usize): void {
  const smallest = f32x4.splat(1e-10);
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i << 2;
    const power = f32x4.max(exp2Of(v128.load(x + at)), smallest);
    storeUpTo(out + at, f32x4.div(power, f32x4.splat(divisor)), end - i);
  }
}

/** Elements `begin … end` of its gradient `g·2^x·ln2 / divisor`. */
export function powerScaleGradient(
  begin: i32, end: i32, scratch: usize, g: usize, x: usize, divisor: f32, out: usize,
): void {
  const slope = f32x4.splat(0.6931471805599453);
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i << 2;
    const through = f32x4.mul(f32x4.mul(v128.load(g + at), exp2Of(v128.load(x + at))), slope);
    storeUpTo(out + at, f32x4.div(through, f32x4.splat(divisor)), end - i);
  }
}
