/** Optimizer steps in place on contiguous blocks. Lanes past the end are computed and not stored. */
import { storeLanes } from './simd';

@inline
function put(to: usize, v: v128, left: i32): void {
  if (left >= 4) v128.store(to, v);
  else storeLanes(to, v, left);
}

/** Elements `begin … end` of a step of SGD; `velocity` 0 without momentum. */
export function sgd(
  begin: i32, end: i32, scratch: usize,
  p: usize, g: usize, velocity: usize, rate: f32, momentum: f32, damping: f32, nesterov: i32, decay: f32, first: i32,
): void {
  const lr = f32x4.splat(rate);
  const mu = f32x4.splat(momentum);
  const keep = f32x4.splat(<f32>1 - damping);
  const wd = f32x4.splat(decay);
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i << 2;
    const left = end - i;
    const value = v128.load(p + at);
    let d = v128.load(g + at);
    if (decay != 0) d = f32x4.add(d, f32x4.mul(value, wd));
    if (velocity) {
      const v = first ? d : f32x4.add(f32x4.mul(v128.load(velocity + at), mu), f32x4.mul(d, keep));
      put(velocity + at, v, left);
      d = nesterov ? f32x4.add(d, f32x4.mul(v, mu)) : v;
    }
    put(p + at, f32x4.sub(value, f32x4.mul(d, lr)), left);
  }
}

/**
 * Elements `begin … end` of a step of Adam: `size = lr/(1 − β₁ᵗ)`, `root = √(1 − β₂ᵗ)`; `shrink` multiplies the parameter
 * first (AdamW), `decay` adds to the gradient (Adam).
 */
export function adam(
  begin: i32, end: i32, scratch: usize,
  p: usize, g: usize, m: usize, v: usize,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32, size: f32, root: f32, epsilon: f32, decay: f32, shrink: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(rest1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(rest2);
  const lr = f32x4.splat(size);
  const scale = f32x4.splat(root);
  const eps = f32x4.splat(epsilon);
  const wd = f32x4.splat(decay);
  const keep = f32x4.splat(shrink);
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i << 2;
    const left = end - i;
    let value = v128.load(p + at);
    let d = v128.load(g + at);
    if (decay != 0) d = f32x4.add(d, f32x4.mul(value, wd));
    value = f32x4.mul(value, keep);
    const first = f32x4.add(f32x4.mul(v128.load(m + at), b1), f32x4.mul(d, c1));
    const second = f32x4.add(f32x4.mul(v128.load(v + at), b2), f32x4.mul(f32x4.mul(d, d), c2));
    put(m + at, first, left);
    put(v + at, second, left);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(second), scale), eps);
    put(p + at, f32x4.sub(value, f32x4.div(f32x4.mul(first, lr), denominator)), left);
  }
}
