/**
 * Depthwise 3 × 3 convolution with one pixel of padding where padded copies would cost more: planes at most four pixels
 * wide ("narrow", a row is a vector), and stride 2 on planes of even extents ("halving"; its input gradient is
 * "doubling"). Tensors are contiguous `[images, channels, height, width]`, weights `[channels, 9]`. Units are planes;
 * those of weight gradients are blocks of channels, read image by image, so that memory is read in order. `$r` and `$c`
 * stand for rows and columns of the window (`unrolled` in scripts/build-wasm.mjs).
 */
import { madd, storeLanes, sumLanes } from './simd';

@unmanaged
export class Planes {
  x: usize = 0;
  /** Output gradient, in weight gradients. */
  g: usize = 0;
  w: usize = 0;
  out: usize = 0;
  images: i32 = 0;
  channels: i32 = 0;
  /** Extents of the larger planes. */
  height: i32 = 0;
  width: i32 = 0;
  /** 1 takes the taps from the last to the first. */
  flipped: i32 = 0;
}

/** The weight of a row and column of the window, of channel `c`, in all lanes. */
@inline
export function weight(p: Planes, c: i32, row: i32, column: i32): v128 {
  const tap = 3 * row + column;
  return v128.load32_splat(p.w + ((<usize>c * 9 + (p.flipped ? 8 - tap : tap)) << 2));
}

/** a·b, added to the sum of the taps before it. */
@inline
export function addTap(tap: i32, a: v128, b: v128, sum: v128): v128 {
  return tap ? madd(a, b, sum) : f32x4.mul(a, b);
}

/** Stores the first `count` lanes, 1 … 4. */
@inline
export function put(to: usize, v: v128, count: i32): void {
  if (count >= 4) v128.store(to, v);
  else if (count == 2) v128.store64_lane(to, v, 0);
  else storeLanes(to, v, count);
}

/** The nine sums of each channel of a block. */
export function storeSums(sums: usize, channels: i32, to: usize): void {
  for (let i = 0; i < channels * 9; i++) {
    store<f32>(to, <f32>sumLanes(v128.load(sums)));
    sums += 16;
    to += 4;
  }
}

/** Zeros that stand for the row above the first or below the last. */
export function zeroRow(p: Planes, at: usize): usize {
  memory.fill(at, 0, (<usize>p.width << 2) + 32);
  return at;
}
