/** Rows of int16 times rows of int16 weights, whole eights, in int32; a unit is an output. */
export function linear(
  begin: i32, end: i32, scratch: usize,
  x: usize, weights: usize, bytes: usize, images: i32, out: usize, outPlane: usize, outImage: usize,
): void {
  for (let o = <usize>begin; o < <usize>end; o++) {
    for (let n: usize = 0; n < <usize>images; n++) {
      const w = weights + o * bytes;
      const row = x + n * bytes;
      let a = i32x4.splat(0);
      for (let k: usize = 0; k < bytes; k += 16) {
        a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load(w + k), v128.load(row + k)));
      }
      const b = i32x4.add(a, i32x4.shuffle(a, a, 2, 3, 0, 1));
      store<i32>(out + o * outPlane + n * outImage, i32x4.extract_lane(b, 0) + i32x4.extract_lane(b, 1));
    }
  }
}
