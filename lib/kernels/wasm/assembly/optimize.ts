/**
 * Optimizer steps in place. A table of blocks, one unit each, says where parameters, gradients and running averages
 * lie, so that one call serves all parameters of a network. Lanes past the end of a block are computed and not stored.
 */
import { storeUpTo } from './simd';

/** Adjacent floats of one parameter. */
@unmanaged
class Block {
  parameter: usize = 0;
  gradient: usize = 0;
  /** Velocity or first average (0: none), second average. */
  first: usize = 0;
  second: usize = 0;
  count: i32 = 0;
}

/** Blocks `begin … end` of a step of SGD. */
export function sgd(
  begin: i32, end: i32, scratch: usize,
  table: usize, rate: f32, momentum: f32, damping: f32, nesterov: i32, decay: f32, first: i32,
): void {
  const lr = f32x4.splat(rate);
  const mu = f32x4.splat(momentum);
  const keep = f32x4.splat(<f32>1 - damping);
  const wd = f32x4.splat(decay);
  for (let unit = begin; unit < end; unit++) {
    const block = changetype<Block>(table + <usize>unit * offsetof<Block>());
    const p = block.parameter;
    const g = block.gradient;
    const velocity = block.first;
    for (let i = 0; i < block.count; i += 4) {
      const at = <usize>i << 2;
      const left = block.count - i;
      const value = v128.load(p + at);
      let d = v128.load(g + at);
      if (decay != 0) d = f32x4.add(d, f32x4.mul(value, wd));
      if (velocity) {
        const v = first ? d : f32x4.add(f32x4.mul(v128.load(velocity + at), mu), f32x4.mul(d, keep));
        storeUpTo(velocity + at, v, left);
        d = nesterov ? f32x4.add(d, f32x4.mul(v, mu)) : v;
      }
      storeUpTo(p + at, f32x4.sub(value, f32x4.mul(d, lr)), left);
    }
  }
}

/** Blocks of an Adam step: `size = lr/(1 − β₁ᵗ)`, `root = √(1 − β₂ᵗ)`; first θ *= `shrink` (AdamW), g += `decay`·θ. */
export function adam(
  begin: i32, end: i32, scratch: usize, table: usize,
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
  for (let unit = begin; unit < end; unit++) {
    const block = changetype<Block>(table + <usize>unit * offsetof<Block>());
    const p = block.parameter;
    const g = block.gradient;
    const m = block.first;
    const v = block.second;
    for (let i = 0; i < block.count; i += 4) {
      const at = <usize>i << 2;
      const left = block.count - i;
      let value = v128.load(p + at);
      let d = v128.load(g + at);
      if (decay != 0) d = f32x4.add(d, f32x4.mul(value, wd));
      value = f32x4.mul(value, keep);
      const first = f32x4.add(f32x4.mul(v128.load(m + at), b1), f32x4.mul(d, c1));
      const second = f32x4.add(f32x4.mul(v128.load(v + at), b2), f32x4.mul(f32x4.mul(d, d), c2));
      storeUpTo(m + at, first, left);
      storeUpTo(v + at, second, left);
      const denominator = f32x4.add(f32x4.div(f32x4.sqrt(second), scale), eps);
      storeUpTo(p + at, f32x4.sub(value, f32x4.div(f32x4.mul(first, lr), denominator)), left);
    }
  }
}
