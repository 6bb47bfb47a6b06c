/**
 * Products of small integers: two int16 channels in each word, multiplied and added in int32 by one exact instruction.
 */
import { PANEL_BYTES } from './blocking';

/** 1.5 · 2^23: added to a float of small magnitude, it rounds half to even and leaves the integer in the low bits. */
const SHIFTER: f32 = 12582912;

/** Integers in the low halves of words, from values that should be a scale times them. */
@inline
function toIntegers(v: v128, inverse: v128): v128 {
  return f32x4.add(f32x4.mul(v, inverse), f32x4.splat(SHIFTER));
}

/** Where a value is not its integer times the scale, or the integer is too large. */
@inline
function isOff(v: v128, integers: v128, scale: v128, most: v128): v128 {
  const whole = f32x4.sub(integers, f32x4.splat(SHIFTER));
  return v128.or(f32x4.ne(f32x4.mul(whole, scale), v), f32x4.gt(f32x4.abs(whole), most));
}

@inline
function join(low: v128, high: v128): v128 {
  return v128.or(v128.and(low, i32x4.splat(0xffff)), i32x4.shl(high, 16));
}

/**
 * Values on a grid as pairs: planes `[image][channel][pixel]` to words `[image][pair][pixel]`, zero where a pair's
 * second channel is missing. A unit is one pair of one image, or an image whose planes are single pixels; scales of
 * images lie `scaleStep` bytes apart. `flag` becomes 1 if any value is not exactly scale·q for an integer |q| ≤ most.
 */
export function packPairs(
  begin: i32, end: i32, scratch: usize,
  x: usize, scales: usize, scaleStep: i32, channels: i32, pixels: i32, most: f32, out: usize, flag: usize,
): void {
  const pairs = (channels + 1) >> 1;
  const plane = <usize>pixels << 2;
  let image = -1;
  let channel = 0;
  let scale: f32 = 0;
  let inverse: f32 = 0;
  let isAnyOff = false;
  for (let unit = begin; unit < end; unit++) {
    channel += 2;
    if (channel >= channels || pixels == 1 || image < 0) {
      image = pixels == 1 ? unit : unit / pairs;
      channel = pixels == 1 ? 0 : (unit - image * pairs) << 1;
      scale = load<f32>(scales + <usize>image * scaleStep);
      inverse = 1 / scale;
    }
    const from = x + <usize>(image * channels + channel) * plane;
    const to = out + <usize>unit * (pixels == 1 ? <usize>pairs << 2 : plane);
    if (pixels == 1) isAnyOff = packRow(from, channels, scale, inverse, most, to) || isAnyOff;
    else isAnyOff = packPlanes(from, channel + 1 < channels ? plane : 0, plane, scale, inverse, most, to) || isAnyOff;
  }
  if (isAnyOff) store<i32>(flag, 1);
}

/**
 * Two planes `apart`, or one if that is 0. The last vector overlaps the one before; planes of less than four pixels go
 * one by one. True if a value is off the grid.
 */
function packPlanes(from: usize, apart: usize, plane: usize, scale: f32, inverse: f32, most: f32, to: usize): bool {
  const s = f32x4.splat(scale);
  const inv = f32x4.splat(inverse);
  const limit = f32x4.splat(most);
  const present = apart ? i32x4.splat(-1) : i32x4.splat(0);
  let off = i32x4.splat(0);
  if (plane < 16) {
    for (let i: usize = 0; i < plane; i += 4) {
      const a = v128.load32_zero(from + i);
      const b = v128.load32_zero(from + apart + i);
      const qa = toIntegers(a, inv);
      const qb = toIntegers(b, inv);
      off = v128.or(off, v128.or(isOff(a, qa, s, limit), isOff(b, qb, s, limit)));
      v128.store32_lane(to + i, join(qa, v128.and(qb, present)), 0);
    }
    return v128.any_true(off);
  }
  let i: usize = 0;
  while (true) {
    const a = v128.load(from + i);
    const b = v128.load(from + apart + i);
    const qa = toIntegers(a, inv);
    const qb = toIntegers(b, inv);
    off = v128.or(off, v128.or(isOff(a, qa, s, limit), isOff(b, qb, s, limit)));
    v128.store(to + i, join(qa, v128.and(qb, present)));
    if (i + 16 == plane) break;
    i = min(i + 16, plane - 16);
  }
  return v128.any_true(off);
}

/** Adjacent values, two by two. True if one is off the grid. */
function packRow(from: usize, channels: i32, scale: f32, inverse: f32, most: f32, to: usize): bool {
  const s = f32x4.splat(scale);
  const inv = f32x4.splat(inverse);
  const limit = f32x4.splat(most);
  let off = i32x4.splat(0);
  const end = from + (<usize>channels << 2);
  for (; from + 32 <= end; from += 32) {
    const low = v128.load(from);
    const high = v128.load(from, 16);
    const a = i32x4.shuffle(low, high, 0, 2, 4, 6);
    const b = i32x4.shuffle(low, high, 1, 3, 5, 7);
    const qa = toIntegers(a, inv);
    const qb = toIntegers(b, inv);
    off = v128.or(off, v128.or(isOff(a, qa, s, limit), isOff(b, qb, s, limit)));
    v128.store(to, join(qa, qb));
    to += 16;
  }
  for (; from < end; from += 8) {
    const a = v128.load32_zero(from);
    const b = from + 4 < end ? v128.load32_zero(from, 4) : i32x4.splat(0);
    const qa = toIntegers(a, inv);
    const qb = toIntegers(b, inv);
    off = v128.or(off, v128.or(isOff(a, qa, s, limit), isOff(b, qb, s, limit)));
    v128.store32_lane(to, join(qa, qb), 0);
    to += 4;
  }
  return v128.any_true(off);
}

/** A tile of ROWS × 8 sums in place, from int32 to float, each row times its scale. */
export function scaleTile(tile: usize, stride: usize, scales: usize): void {
  for (let i: usize = 0; i < <usize>PANEL_BYTES; i += 4) {
    const scale = v128.load32_splat(scales + i);
    v128.store(tile, f32x4.mul(f32x4.convert_i32x4_s(v128.load(tile)), scale));
    v128.store(tile, f32x4.mul(f32x4.convert_i32x4_s(v128.load(tile, 16)), scale), 16);
    tile += stride;
  }
}
