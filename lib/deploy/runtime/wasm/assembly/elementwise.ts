/** Sums and maxima of planes. */

/** Sixteen bytes are a unit. */
export function addBytes(begin: i32, end: i32, scratch: usize, a: usize, b: usize, out: usize): void {
  const last = <usize>end << 4;
  for (let at = <usize>begin << 4; at < last; at += 16) {
    v128.store(out + at, i8x16.add(v128.load(a + at), v128.load(b + at)));
  }
}

/** Four int32 are a unit. */
export function addWords(begin: i32, end: i32, scratch: usize, a: usize, b: usize, out: usize): void {
  const last = <usize>end << 4;
  for (let at = <usize>begin << 4; at < last; at += 16) {
    v128.store(out + at, i32x4.add(v128.load(a + at), v128.load(b + at)));
  }
}

@inline
function largest<T>(
  begin: i32, end: i32,
  x: usize, from: usize, offsets: usize, taps: i32, plane: usize, mask: usize, out: usize,
): void {
  const last = offsets + (<usize>taps << 2);
  for (let p = <usize>begin; p < <usize>end; p++) {
    for (let at: usize = 0; at < plane; at += 16) {
      const base = x + p * from + at;
      let most = v128.load(base + load<usize>(offsets));
      for (let tap = offsets + 4; tap < last; tap += 4) {
        const next = v128.load(base + load<usize>(tap));
        if (isSigned<T>()) most = i8x16.max_s(most, next);
        else most = i8x16.max_u(most, next);
      }
      v128.store(out + p * plane + at, v128.and(most, v128.load(mask + at)));
    }
  }
}

/** Maximum over the taps of a window, of planes of bytes that are at least 0; `from` bytes apart. A unit is a plane. */
export function maximum(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, offsets: usize, taps: i32, plane: usize, mask: usize, out: usize,
): void {
  largest<i8>(begin, end, x, from, offsets, taps, plane, mask, out);
}

export function maximumUnsigned(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, offsets: usize, taps: i32, plane: usize, mask: usize, out: usize,
): void {
  largest<u8>(begin, end, x, from, offsets, taps, plane, mask, out);
}

@inline
function sums<T>(
  begin: i32, end: i32,
  x: usize, plane: usize, images: i32, imageStep: usize, rows: i32, rowStep: usize, columns: i32, out: usize,
  outPlane: usize, outImage: usize,
): void {
  for (let p = <usize>begin; p < <usize>end; p++) {
    for (let n = 0; n < images; n++) {
      const image = x + p * plane + <usize>n * imageStep;
      let sum = 0;
      for (let y = 0; y < rows; y++) {
        const row = image + <usize>y * rowStep;
        for (let i = 0; i < columns; i++) sum += <i32>load<T>(row + i);
      }
      store<i32>(out + p * outPlane + <usize>n * outImage, sum);
    }
  }
}

/** Sums of whole images, in int32; a unit is a plane. */
export function sumPlanes(
  begin: i32, end: i32, scratch: usize,
  x: usize, plane: usize, images: i32, imageStep: usize, rows: i32, rowStep: usize, columns: i32, out: usize,
  outPlane: usize, outImage: usize,
): void {
  sums<i8>(begin, end, x, plane, images, imageStep, rows, rowStep, columns, out, outPlane, outImage);
}

export function sumPlanesUnsigned(
  begin: i32, end: i32, scratch: usize,
  x: usize, plane: usize, images: i32, imageStep: usize, rows: i32, rowStep: usize, columns: i32, out: usize,
  outPlane: usize, outImage: usize,
): void {
  sums<u8>(begin, end, x, plane, images, imageStep, rows, rowStep, columns, out, outPlane, outImage);
}
