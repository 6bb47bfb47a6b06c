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

/** First tap whose position `at + tap·dilation` is not negative. */
@inline
function firstTap(at: i32, dilation: i32): i32 {
  return at >= 0 ? 0 : (dilation - 1 - at) / dilation;
}

/** One past the last tap whose position is below `extent`. */
@inline
function lastTap(at: i32, dilation: i32, taps: i32, extent: i32): i32 {
  return at >= extent ? 0 : min(taps, (extent - 1 - at) / dilation + 1);
}

/**
 * Flat index of the first maximum of the window of output (oy, ox), −1 for a window wholly outside; NaN wins. Row and
 * column of the window's corner are `y` and `x`; taps `top … bottom` of its rows are inside.
 */
function argmax(w: Pool, plane: usize, y: i32, top: i32, bottom: i32, x: i32): i32 {
  const left = firstTap(x, w.dilationWidth);
  const right = lastTap(x, w.dilationWidth, w.kernelWidth, w.width);
  if (left >= right || top >= bottom) return -1;
  let found = (y + top * w.dilationHeight) * w.width + x + left * w.dilationWidth;
  let best = load<f32>(plane + (<usize>found << 2));
  for (let r = top; r < bottom; r++) {
    const row = (y + r * w.dilationHeight) * w.width + x;
    for (let s = left; s < right; s++) {
      const at = row + s * w.dilationWidth;
      const value = load<f32>(plane + (<usize>at << 2));
      if (value > best || (value != value && best == best)) {
        best = value;
        found = at;
      }
    }
  }
  return found;
}

function poolPlane(w: Pool, plane: usize, to: usize): void {
  for (let oy = 0; oy < w.outHeight; oy++) {
    const y = oy * w.strideHeight - w.top;
    const top = firstTap(y, w.dilationHeight);
    const bottom = lastTap(y, w.dilationHeight, w.kernelHeight, w.height);
    for (let ox = 0; ox < w.outWidth; ox++) {
      const at = argmax(w, plane, y, top, bottom, ox * w.strideWidth - w.left);
      if (at >= 0) store<u32>(to, load<u32>(plane + (<usize>at << 2)));
      else store<f32>(to, -Infinity);
      to += 4;
    }
  }
}

/**
 * A plane of windows, no padding or dilation: rows meet in vectors, in `scratch`, then columns. NaN wins (`f32x4.max`).
 */
function poolInside(w: Pool, plane: usize, to: usize, scratch: usize): void {
  const width = <usize>w.width << 2;
  for (let oy = 0; oy < w.outHeight; oy++) {
    const first = plane + <usize>(oy * w.strideHeight) * width;
    for (let i: usize = 0; i < width; i += 16) {
      let v = v128.load(first + i);
      for (let r = 1; r < w.kernelHeight; r++) v = f32x4.max(v, v128.load(first + <usize>r * width + i));
      v128.store(scratch + i, v);
    }
    let from = scratch;
    for (let ox = 0; ox < w.outWidth; ox++) {
      let best = load<f32>(from);
      for (let s: usize = 1; s < <usize>w.kernelWidth; s++) best = max<f32>(best, load<f32>(from + (s << 2)));
      store<f32>(to, best);
      from += <usize>w.strideWidth << 2;
      to += 4;
    }
  }
}

function poolGradientPlane(w: Pool, from: usize, plane: usize, to: usize): void {
  fillWords(to, i32x4.splat(0), w.height * w.width);
  for (let oy = 0; oy < w.outHeight; oy++) {
    const y = oy * w.strideHeight - w.top;
    const top = firstTap(y, w.dilationHeight);
    const bottom = lastTap(y, w.dilationHeight, w.kernelHeight, w.height);
    for (let ox = 0; ox < w.outWidth; ox++) {
      const at = argmax(w, plane, y, top, bottom, ox * w.strideWidth - w.left);
      if (at >= 0) {
        const target = to + (<usize>at << 2);
        store<f32>(target, load<f32>(target) + load<f32>(from));
      }
      from += 4;
    }
  }
}

/** Maximum of every window. Scratch: a row and 16 bytes. */
export function maxPool(begin: i32, end: i32, scratch: usize, window: usize, x: usize, out: usize): void {
  const w = changetype<Pool>(window);
  for (let p = <usize>begin; p < <usize>end; p++) {
    const plane = x + ((p * w.height * w.width) << 2);
    const to = out + ((p * w.outHeight * w.outWidth) << 2);
    const inside = w.top + w.left == 0 && w.dilationHeight == 1 && w.dilationWidth == 1;
    if (inside) poolInside(w, plane, to, scratch);
    else poolPlane(w, plane, to);
  }
}

/** Adds each output's gradient to the first maximum of its window. */
export function maxPoolGradient(
  begin: i32, end: i32, scratch: usize, window: usize, g: usize, x: usize, out: usize,
): void {
  const w = changetype<Pool>(window);
  for (let p = <usize>begin; p < <usize>end; p++) {
    const offset = (p * w.height * w.width) << 2;
    const from = g + ((p * w.outHeight * w.outWidth) << 2);
    poolGradientPlane(w, from, x + offset, out + offset);
  }
}

/** Windows as columns, `x [planes, h, w] → [planes, kh·kw, oh·ow]`. */
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

/** Adjoint of `im2col`. */
export function col2im(begin: i32, end: i32, scratch: usize, window: usize, columns: usize, out: usize): void {
  const w = changetype<Pool>(window);
  const size = w.kernelHeight * w.kernelWidth * w.outHeight * w.outWidth;
  for (let p = begin; p < end; p++) {
    const plane = out + ((<usize>p * w.height * w.width) << 2);
    fillWords(plane, i32x4.splat(0), w.height * w.width);
    const from = columns + ((<usize>p * size) << 2);
    addBack(w, from, plane);
  }
}

function addBack(w: Pool, from: usize, plane: usize): void {
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
            store<f32>(to, load<f32>(to) + load<f32>(from));
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
  begin: i32, end: i32, scratch: usize, x: usize, height: i32, width: i32, factor: i32, out: usize,
): void {
  const rowBytes = (<usize>(width * factor)) << 2;
  for (let row = begin * height; row < end * height; row++) {
    let from = x + ((<usize>row * width) << 2);
    const first = out + <usize>row * factor * rowBytes;
    let to = first;
    let i = 0;
    if (factor == 2) {
      for (; i + 4 <= width; i += 4) {
        const v = v128.load(from);
        v128.store(to, i32x4.shuffle(v, v, 0, 0, 1, 1));
        v128.store(to, i32x4.shuffle(v, v, 2, 2, 3, 3), 16);
        from += 16;
        to += 32;
      }
    }
    for (; i < width; i++) {
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

/** Sums each factor × factor block; `height × width` are the extents of the result. */
export function upsampleGradient(
  begin: i32, end: i32, scratch: usize, g: usize, height: i32, width: i32, factor: i32, out: usize,
): void {
  const rowBytes = (<usize>(width * factor)) << 2;
  for (let row = begin * height; row < end * height; row++) {
    let from = g + <usize>row * factor * rowBytes;
    let to = out + ((<usize>row * width) << 2);
    let i = 0;
    if (factor == 2) {
      for (; i + 4 <= width; i += 4) {
        const left = f32x4.add(v128.load(from), v128.load(from + rowBytes));
        const right = f32x4.add(v128.load(from, 16), v128.load(from + rowBytes, 16));
        v128.store(to, f32x4.add(i32x4.shuffle(left, right, 0, 2, 4, 6), i32x4.shuffle(left, right, 1, 3, 5, 7)));
        from += 32;
        to += 16;
      }
    }
    for (; i < width; i++) {
      let total: f32 = 0;
      for (let r = 0; r < factor; r++) {
        let at = from + r * rowBytes;
        for (let j = 0; j < factor; j++) {
          total += load<f32>(at);
          at += 4;
        }
      }
      store<f32>(to, total);
      from += (<usize>factor) << 2;
      to += 4;
    }
  }
}
