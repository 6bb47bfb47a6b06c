/** Running averages. */
import { storeUpTo } from './simd';

/** Elements `begin … end` of `into ← keep·into + share·x`, both contiguous. */
export function blendInto(begin: i32, end: i32, scratch: usize, x: usize, into: usize, keep: f32, share: f32): void {
  const k = f32x4.splat(keep);
  const s = f32x4.splat(share);
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i << 2;
    storeUpTo(into + at, f32x4.add(f32x4.mul(v128.load(into + at), k), f32x4.mul(v128.load(x + at), s)), end - i);
  }
}
