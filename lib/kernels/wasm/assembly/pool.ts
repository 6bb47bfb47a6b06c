/** Pooling, nearest up-sampling, im2col and its adjoint. Tensors are contiguous; units are planes (image × channel). */
import { fillWords } from './simd';

/** Geometry of a pooling window over planes of `height × width`. */
@unmanaged
class Pool {
  height: i32 = 0;
  width: i32 = 0;
  outHeight: i32 = 0;
  outWidth: i32 = 0;
  kernelHeight: i32 = 0;
  kernelWidth: i32 = 0;
  strideHeight: i32 = 0;
  strideWidth: i32 = 0;
  top: i32 = 0;
  left: i32 = 0;
  dilationHeight: i32 = 0;
  dilationWidth: i32 = 0;
}

/** Flat index of the first maximum of the window of output (oy, ox), −1 for a window wholly outside; NaN wins. */
function argmax<T>(w: Pool, plane: usize, oy: i32, ox: i32): i32 {
  let best = load<T>(plane);
  let found = -1;
  for (let r = 0; r < w.kernelHeight; r++) {
    const y = oy * w.strideHeight - w.top + r * w.dilationHeight;
    if (<u32>y >= <u32>w.height) continue;
    for (let s = 0; s < w.kernelWidth; s++) {
      const x = ox * w.strideWidth - w.left + s * w.dilationWidth;
      if (<u32>x >= <u32>w.width) continue;
      const at = y * w.width + x;
      const value = load<T>(plane + ((<usize>at) << 2));
      if (found < 0 || value > best || (value != value && best == best)) {
        best = value;
        found = at;
      }
    }
  }
  return found;
}

function poolPlane<T>(w: Pool, plane: usize, to: usize): void {
  for (let oy = 0; oy < w.outHeight; oy++) {
    for (let ox = 0; ox < w.outWidth; ox++) {
      const at = argmax<T>(w, plane, oy, ox);
      if (at >= 0) store<u32>(to, load<u32>(plane + ((<usize>at) << 2)));
      else store<T>(to, isFloat<T>() ? <T>-Infinity : <T>i32.MIN_VALUE);
      to += 4;
    }
  }
}

function poolGradientPlane<T>(w: Pool, from: usize, plane: usize, to: usize): void {
  fillWords(to, i32x4.splat(0), w.height * w.width);
  for (let oy = 0; oy < w.outHeight; oy++) {
    for (let ox = 0; ox < w.outWidth; ox++) {
      const at = argmax<T>(w, plane, oy, ox);
      if (at >= 0) {
        const target = to + ((<usize>at) << 2);
        store<T>(target, load<T>(target) + load<T>(from));
      }
      from += 4;
    }
  }
}

/** Maximum of every window, in float32 or int32. */
export function maxPool(begin: i32, end: i32, scratch: usize, integer: i32, window: usize, x: usize, out: usize): void {
  const w = changetype<Pool>(window);
  for (let p = <usize>begin; p < <usize>end; p++) {
    const plane = x + ((p * w.height * w.width) << 2);
    const to = out + ((p * w.outHeight * w.outWidth) << 2);
    if (integer) poolPlane<i32>(w, plane, to);
    else poolPlane<f32>(w, plane, to);
  }
}

/** Adds each output's gradient to the first maximum of its window. */
export function maxPoolGradient(
  begin: i32,
  end: i32,
  scratch: usize,
  integer: i32,
  window: usize,
  g: usize,
  x: usize,
  out: usize,
): void {
  const w = changetype<Pool>(window);
  for (let p = <usize>begin; p < <usize>end; p++) {
    const offset = (p * w.height * w.width) << 2;
    const from = g + ((p * w.outHeight * w.outWidth) << 2);
    if (integer) poolGradientPlane<i32>(w, from, x + offset, out + offset);
    else poolGradientPlane<f32>(w, from, x + offset, out + offset);
  }
}

/** Windows as columns, `x [planes, h, w] → [planes, kh·kw, oh·ow]`, of any four-byte dtype. */
export function im2col(begin: i32, end: i32, scratch: usize, window: usize, x: usize, out: usize): void {
  const w = changetype<Pool>(window);
  const size = w.kernelHeight * w.kernelWidth * w.outHeight * w.outWidth;
  for (let p = begin; p < end; p++) {
    const plane = x + ((<usize>p * w.height * w.width) << 2);
    let to = out + ((<usize>p * size) << 2);
    for (let r = 0; r < w.kernelHeight; r++) {
      for (let s = 0; s < w.kernelWidth; s++) {
        for (let oy = 0; oy < w.outHeight; oy++) {
          const y = oy * w.strideHeight - w.top + r * w.dilationHeight;
          const row = plane + ((<usize>y * w.width) << 2);
          const valid = <u32>y < <u32>w.height;
          let column = s * w.dilationWidth - w.left;
          for (let ox = 0; ox < w.outWidth; ox++) {
            store<u32>(to, valid && <u32>column < <u32>w.width ? load<u32>(row + ((<usize>column) << 2)) : 0);
            column += w.strideWidth;
            to += 4;
          }
        }
      }
    }
  }
}

/** Adjoint of `im2col`, in float32 or int32. */
export function col2im(
  begin: i32,
  end: i32,
  scratch: usize,
  integer: i32,
  window: usize,
  columns: usize,
  out: usize,
): void {
  const w = changetype<Pool>(window);
  const size = w.kernelHeight * w.kernelWidth * w.outHeight * w.outWidth;
  for (let p = begin; p < end; p++) {
    const plane = out + ((<usize>p * w.height * w.width) << 2);
    fillWords(plane, i32x4.splat(0), w.height * w.width);
    const from = columns + ((<usize>p * size) << 2);
    if (integer) addBack<i32>(w, from, plane);
    else addBack<f32>(w, from, plane);
  }
}

function addBack<T>(w: Pool, from: usize, plane: usize): void {
  for (let r = 0; r < w.kernelHeight; r++) {
    for (let s = 0; s < w.kernelWidth; s++) {
      for (let oy = 0; oy < w.outHeight; oy++) {
        const y = oy * w.strideHeight - w.top + r * w.dilationHeight;
        const row = plane + ((<usize>y * w.width) << 2);
        const valid = <u32>y < <u32>w.height;
        let column = s * w.dilationWidth - w.left;
        for (let ox = 0; ox < w.outWidth; ox++) {
          if (valid && <u32>column < <u32>w.width) {
            const to = row + ((<usize>column) << 2);
            store<T>(to, load<T>(to) + load<T>(from));
          }
          column += w.strideWidth;
          from += 4;
        }
      }
    }
  }
}

/** Repeats each pixel of planes `height × width` into factor × factor blocks. */
export function upsample(
  begin: i32,
  end: i32,
  scratch: usize,
  x: usize,
  height: i32,
  width: i32,
  factor: i32,
  out: usize,
): void {
  const rowBytes = (<usize>(width * factor)) << 2;
  for (let row = begin * height; row < end * height; row++) {
    let from = x + ((<usize>row * width) << 2);
    const first = out + <usize>row * factor * rowBytes;
    let to = first;
    for (let i = 0; i < width; i++) {
      const value = load<u32>(from);
      for (let j = 0; j < factor; j++) {
        store<u32>(to, value);
        to += 4;
      }
      from += 4;
    }
    for (let j = 1; j < factor; j++) memory.copy(first + j * rowBytes, first, rowBytes);
  }
}

/** Sums each factor × factor block, in float32 or int32; `height × width` are the extents of the result. */
export function upsampleGradient(
  begin: i32,
  end: i32,
  scratch: usize,
  integer: i32,
  g: usize,
  height: i32,
  width: i32,
  factor: i32,
  out: usize,
): void {
  if (integer) sumBlocks<i32>(begin * height, end * height, g, width, factor, out);
  else sumBlocks<f32>(begin * height, end * height, g, width, factor, out);
}

function sumBlocks<T>(begin: i32, end: i32, g: usize, width: i32, factor: i32, out: usize): void {
  const rowBytes = (<usize>(width * factor)) << 2;
  for (let row = begin; row < end; row++) {
    let from = g + <usize>row * factor * rowBytes;
    let to = out + ((<usize>row * width) << 2);
    for (let i = 0; i < width; i++) {
      let total: T = 0;
      for (let r = 0; r < factor; r++) {
        let at = from + r * rowBytes;
        for (let j = 0; j < factor; j++) {
          total += load<T>(at);
          at += 4;
        }
      }
      store<T>(to, total);
      from += (<usize>factor) << 2;
      to += 4;
    }
  }
}
